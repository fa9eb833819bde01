"""One process of ZeRO-3: `shard_worker.py FOLDER STEPS PRECISION` (see test_shards).

Trains a small model to step STEPS, with a checkpoint behind each step. With STEPS 0 it only reads
the newest checkpoint and writes what it then has as the next one, and beside it `weights.pt`, the
weights of the module.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from mem1 import cli
from mem1.config_learning import Optimizer
from mem1.train import zero
from mem1.train.checkpoint import Checkpoints
from mem1.train.processes import Processes

SETTINGS = Optimizer(lr=1e-2, weight_decay=0.01, warmup=0, final_lr=0.1, clip=1.0)
ROWS = 6


class Small(nn.Module):
    """Parameters that DeepSpeed keeps whole, one that it does not, and one of a single number."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Linear(301, 401)
        self.last = nn.Linear(401, 1)

    def forward(self, rows: Tensor) -> Tensor:
        """[N, 1]."""
        result: Tensor = self.last(torch.tanh(self.wide(rows)))
        return result


def main(folder: Path, steps: int, precision: str) -> None:
    torch.set_num_threads(1)
    processes = Processes.started("zero3")
    zero.start(processes)
    torch.manual_seed(0)
    half = precision == "bf16"
    trainee = zero.ZeroTrainee(Small(), SETTINGS, processes, half)
    checkpoints = Checkpoints(folder, {}, processes=processes)

    def update(step: int) -> None:
        rows = torch.randn(ROWS, 301, generator=torch.Generator().manual_seed(step))
        own = rows[processes.share(ROWS, "rows")].to(torch.bfloat16 if half else torch.float32)
        trainee.backward(trainee.module(own).float().square().sum() / ROWS, last=True)
        trainee.update(1.0)

    with checkpoints.locked():
        done, states = checkpoints.latest() or (0, [])
        if states:
            update(99)  # now it has moments, and whole copies of small parameters, to be replaced
            trainee.restore(states)
        if steps == 0:
            weights = {name: weight.clone() for name, weight in trainee.weights()}
            if processes.first:
                torch.save(weights, folder / "weights.pt")
            checkpoints.save(done + 1, trainee.state())
        for step in range(done, steps):
            update(step)
            checkpoints.save(step + 1, trainee.state())


if __name__ == "__main__":
    cli.run(lambda words: main(Path(words[0]), int(words[1]), words[2]))
