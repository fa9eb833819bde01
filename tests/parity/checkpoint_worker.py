"""One of two processes that save and read checkpoints: `checkpoint_worker.py FOLDER SCENE`.

After two saves the scene (see test_checkpoint_parts) is played, and each process writes the step
it would go on from, and the part that it has of it, to `found-RANK.json`.
"""

from pathlib import Path

import torch
from torch import distributed

from mem1 import cli
from mem1.provenance import write_json
from mem1.train import checkpoint
from mem1.train.checkpoint import Checkpoints, part_names
from mem1.train.processes import Processes


def harm(folder: Path, scene: str, rank: int) -> None:
    """What happens to the second checkpoint."""
    [first, second] = [folder / name for name in part_names(2, 2)]
    if scene == "damaged" and rank == 0:
        second.write_bytes(second.read_bytes()[:-1] + b"x")
    elif scene == "missing" and rank == 0:
        first.unlink()
    elif scene == "damaged to one" and rank == 1:
        real = checkpoint.file_digest
        checkpoint.file_digest = lambda path: "y" if path == second else real(path)
    elif scene == "hidden from one" and rank == 0:
        real_is_file = Path.is_file
        Path.is_file = lambda path: path != second and real_is_file(path)  # type: ignore[method-assign]


def main(folder: Path, scene: str) -> None:
    processes = Processes.started("zero3")
    distributed.init_process_group("gloo")
    rank = processes.rank
    checkpoints = Checkpoints(folder, {}, processes=processes)
    with checkpoints.locked():
        for step in (1, 2):
            torch.manual_seed(10 * step + rank)
            checkpoints.save(step, {"weights": torch.full((3,), float(10 * step + rank))})
        expected = torch.rand(1).item()  # after the second save
        torch.manual_seed(99)
        harm(folder, scene, rank)
        processes.wait()
        saved = checkpoints.latest()
    assert saved is not None
    step, states = saved
    found = {
        "step": step,
        "weights": [state["weights"].tolist() for state in states],
        "generator": torch.rand(1).item() == expected,
    }
    write_json(folder / f"found-{rank}.json", found)


if __name__ == "__main__":
    cli.run(lambda words: main(Path(words[0]), words[1]))
