"""Which run of the workflow is at work in a folder, so that a killed one stops no other.

Snakemake's lock outlives a run that was killed, and does not say whose it was. A note beside it
does: machines, processes, and when those started. Has no counterpart in the paper.
"""

import dataclasses
import fcntl
import json
import os
import shutil
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

PROCESSES = Path("/proc")
NOTE = "mem1.json"


def take_over(state: Path) -> bool:
    """Whether no other run is at work; if so, remove a dead one's lock. This process is noted.

    ``state`` is the folder where Snakemake keeps its own. What cannot be seen, a run on another
    machine or on one that is no Linux, goes on for as long as Snakemake's lock is there. Of two
    runs that start together either can get that lock, so all that are at work are noted.
    """
    state.mkdir(parents=True, exist_ok=True)
    locked = any(state.glob("locks/*"))
    with open(state / NOTE, "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:  # a file system without such locks
            return not locked
        file.seek(0)
        noted = _noted(file.read())
        if locked and not noted:  # nobody knows whose it is
            return False
        others = [run for run in noted if run.at_work(locked)]
        if locked and not others:
            shutil.rmtree(state / "locks")
            print("The run before was killed: its lock is removed.", file=sys.stderr, flush=True)
        own = Run(socket.gethostname(), os.getpid(), born(os.getpid()))
        file.truncate(0)
        file.write(json.dumps([dataclasses.astuple(run) for run in [*others, own]]))
    return not others


@dataclass(frozen=True)
class Run:
    """A process of Snakemake."""

    host: str
    process: int
    start: int | None  # see ``born``

    def at_work(self, locked: bool) -> bool:
        """Whether it, another process than this one, goes on; ``locked`` if Snakemake says so."""
        if self.host != socket.gethostname() or self.start is None:
            return locked
        return self.process != os.getpid() and born(self.process) == self.start


def born(process: int) -> int | None:
    """When a process started, in ticks of the machine; None if it is no more, or cannot be seen."""
    try:
        text = (PROCESSES / str(process) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()  # the name before it can hold anything
    return None if fields[0] == "Z" else int(fields[19])


def _noted(text: str) -> list[Run]:
    """The runs of a note; none where it is torn, or there is none."""
    try:
        return [Run(host, process, start) for host, process, start in json.loads(text)]
    except (TypeError, ValueError):
        return []
