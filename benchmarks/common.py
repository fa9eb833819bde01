"""What the benchmarks share: the machine, runs taken in turn, results as JSON.

Machines are shared and their speed drifts, so only things measured in one run are compared:
they take turns (A B C A B C ...), and a ratio is that of two runs of the same round. Seconds
are CPU seconds where one thread of a CPU does all the work: what they would be on the wall if
nothing else ran. On a GPU, or with several threads, they are those on the wall.
"""

import os
import platform
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import torch
import transformers

from mem1.provenance import write_json

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"

T = TypeVar("T")


def timed(run: Callable[[], T]) -> tuple[float, T]:
    """Seconds of ``run``, work on a GPU included, and what it returned."""
    now = time.process_time if clock() == "cpu" else time.perf_counter
    synchronize()
    start = now()
    result = run()
    synchronize()
    return now() - start, result


def clock() -> str:
    """Which seconds are counted: ``cpu`` or ``wall``."""
    alone = torch.get_num_threads() == 1 and not torch.cuda.is_initialized()
    return "cpu" if alone else "wall"


def synchronize() -> None:
    """Wait for the GPU, if one is in use."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


def interleaved(runs: Mapping[str, Callable[[], Any]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each of ``runs``, by round. The caller has warmed them up."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            seconds[name].append(timed(run)[0])
    return seconds


def spread(values: Sequence[float]) -> dict[str, float]:
    """The median of ``values``, and how far they lie apart."""
    return {
        "median": significant(median(values)),
        "least": significant(min(values)),
        "most": significant(max(values)),
        "runs": len(values),
    }


def ratio(these: Sequence[float], those: Sequence[float]) -> dict[str, float]:
    """How many times ``those`` fit into ``these``, round by round."""
    return spread([a / b for a, b in zip(these, those, strict=True)])


def significant(value: float) -> float:
    """``value`` to four digits: no benchmark knows more."""
    return float(f"{value:.4g}")


def machine() -> dict[str, Any]:
    """What the numbers were measured on, without anything that names the host."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "clock": clock(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def _cpu() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Of Python and the libraries that do the work."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def commit() -> dict[str, Any]:
    """The newest commit, and whether the library that was measured differs from it."""

    def git(*arguments: str) -> str | None:
        done = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )
        return done.stdout.strip() if done.returncode == 0 else None

    changed = git("status", "--porcelain", "--", "mem1", "models", "config")
    return {"id": git("rev-parse", "HEAD"), "changed": changed is None or changed != ""}


def write(
    path: Path | None,
    name: str,
    settings: dict[str, Any],
    results: Any,
    clock: str | None = None,
) -> Path:
    """Write ``results`` with all that belongs to them; without ``path`` to ``results/``.

    ``clock``: which seconds they are, where not ``timed`` has counted them.
    """
    if path is None:
        path = RESULTS / f"{name}-{'gpu' if torch.cuda.is_initialized() else 'cpu'}.json"
    document = {
        "machine": machine() if clock is None else {**machine(), "clock": clock},
        "versions": versions(),
        "commit": commit(),
        "settings": settings,
        "results": results,
    }
    write_json(path, document)
    return path
