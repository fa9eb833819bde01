"""What is measured in a process of its own: its cost, and questions that it answers in turn.

Knows nothing but Python's library, because a side may run in an environment of its own.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

NOT_RUN = "not_run"


class Side:
    """A process that says one JSON line first, and then answers each line with one."""

    def __init__(self, command: Sequence[str | Path], folder: Path) -> None:
        """Start ``command`` in ``folder`` with one thread, and wait for its first line."""
        self._process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        self.first = self._line()
        if not self.runs:
            self.close()

    @property
    def runs(self) -> bool:
        """Whether it will answer."""
        return NOT_RUN not in self.first

    def ask(self, question: Any) -> dict[str, Any]:
        """Its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self._line()

    def close(self) -> None:
        """Let it end, and wait for that."""
        self._process.communicate()

    def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        if self._process.wait() == -9:
            return {NOT_RUN: "killed, probably for memory"}
        raise RuntimeError(f"{self._process.args!r} ended early: see its message above")


def answers() -> Callable[[dict[str, Any]], None]:
    """How a side sends a line. Whatever libraries print goes to stderr from now on."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(line: dict[str, Any]) -> None:
        print(json.dumps(line), file=out, flush=True)

    return answer


def questions() -> Any:
    """Those that come, until there are no more."""
    return map(json.loads, sys.stdin)


def measured(work: Callable[[], T]) -> tuple[dict[str, float], T]:
    """CPU and wall seconds of ``work``, the peak memory of the process, and the result."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = work()
    cost = {
        "cpu_s": round(time.process_time() - cpu, 4),
        "wall_s": round(time.perf_counter() - wall, 4),
        "peak_bytes": peak_bytes(),
    }
    return cost, result


def peak_bytes() -> int:
    """The most memory that this process had in use."""
    status = Path("/proc/self/status")
    if status.is_file():  # on Linux, getrusage knows the peak of the process that started this
        lines = status.read_text(encoding="utf-8").splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
