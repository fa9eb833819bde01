"""Memory and bytes of a checkpoint of ZeRO-3 in several processes, for each parameter of the model.

Each process trains one step, then saves, then restores; beside it the state that checkpoints
had before they were in parts, whole in every process. Linux, which tells a process the peak of its
memory and forgets it when asked. The peak of restoring has pages of the files that were mapped;
they cost nothing where memory is short. On a GPU what is saved passes through the memory of the
host, one flat tensor of the optimizer (in bf16 at most 4 GB) at a time; a CPU cannot show that.

In: nothing. Out: `results/checkpoint_memory-cpu.json`.
"""

import argparse
import ctypes
import gc
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks import common
from mem1 import cli
from mem1.config_learning import Optimizer
from mem1.train.checkpoint import Checkpoints, part_names
from mem1.train.processes import Processes

SETTINGS = Optimizer(lr=1e-3, weight_decay=0.01, warmup=0, final_lr=0.1, clip=1.0)


def status() -> dict[str, int]:
    """Bytes by the names of /proc/self/status."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    words = [line.split() for line in lines]
    return {one[0].rstrip(":"): 1024 * int(one[1]) for one in words if one[-1] == "kB"}


def rise(act: Callable[[], Any]) -> int:
    """Bytes by which the memory of this process was larger during ``act`` than before, at most."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what was freed would be used again, and not be seen
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # forgets the peak
    before = status()["VmRSS"]
    act()
    return status()["VmHWM"] - before


def gathered(trainee: Any) -> list[torch.Tensor]:
    """Weights and moments whole, as every process had them for a checkpoint before."""
    from deepspeed.utils import safe_get_full_fp32_param, safe_get_full_optimizer_state

    from mem1.train.zero import MOMENTS

    found = []
    for parameter in trainee.module.parameters():
        found.append(safe_get_full_fp32_param(parameter).cpu())
        found += [safe_get_full_optimizer_state(parameter, k).cpu() for k in MOMENTS]
    return found


def measure(folder: Path, width: int, layers: int, half: bool) -> None:
    """What one of the processes that are started does; writes ``folder``/RANK.json."""
    from mem1.train import zero

    torch.set_num_threads(1)
    processes = Processes.started("zero3")
    zero.start(processes)
    model = nn.Sequential(*(nn.Linear(width, width) for _ in range(layers)))
    parameters = sum(one.numel() for one in model.parameters())
    trainee = zero.ZeroTrainee(model, SETTINGS, processes, half)
    kind = torch.bfloat16 if half else torch.float32
    trainee.backward(trainee.module(torch.ones(2, width, dtype=kind)).float().sum(), last=True)
    trainee.update(1.0)
    checkpoints = Checkpoints(folder, {}, processes=processes)

    def restored() -> None:
        saved = checkpoints.latest()
        assert saved is not None
        trainee.restore(saved[1])

    found = {
        "parameters": parameters,
        "save": rise(lambda: checkpoints.save(1, trainee.state())) / parameters,
        "whole": rise(lambda: gathered(trainee)) / parameters,
        "restore": rise(restored) / parameters,
        "file": (folder / part_names(1, processes.count)[processes.rank]).stat().st_size
        / parameters,
    }
    (folder / f"{processes.rank}.json").write_text(json.dumps(found), encoding="utf-8")


def started(count: int, arguments: argparse.Namespace, half: bool) -> dict[str, Any]:
    """The same in ``count`` processes; the most of each number, bytes a parameter."""
    with tempfile.TemporaryDirectory() as folder:
        line = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        line += [f"--nproc-per-node={count}", "-m", "benchmarks.checkpoint_memory"]
        line += ["--measure", folder, "--width", str(arguments.width)]
        line += ["--layers", str(arguments.layers), *(["--half"] if half else [])]
        subprocess.run(line, cwd=common.ROOT, check=True)
        found = [json.loads(path.read_text()) for path in Path(folder).glob("[0-9].json")]
    assert len(found) == count
    most = {name: common.significant(max(one[name] for one in found)) for name in found[0]}
    return {**most, "parameters": found[0]["parameters"], "processes": count, "half": half}


def main(argv: Sequence[str]) -> None:
    """See the module docstring."""
    parser = cli.parser(__doc__)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--layers", type=int, default=24)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--output", type=Path)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--half", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.measure is not None:
        measure(arguments.measure, arguments.width, arguments.layers, arguments.half)
        return
    results = [
        started(count, arguments, half) for count in arguments.processes for half in (False, True)
    ]
    settings = {"width": arguments.width, "layers": arguments.layers}
    common.write(arguments.output, "checkpoint_memory", settings, results)


if __name__ == "__main__":
    cli.run(main)
