"""Which run of the workflow is at work in a folder, so that a killed one stops no other.

Snakemake's lock outlives a run that was killed, and does not say whose it was. A note beside it
does: machine, process, and when that process started. Has no counterpart in the paper.
"""

import fcntl
import json
import os
import shutil
import socket
import sys
from pathlib import Path

PROCESSES = Path("/proc")
NOTE = "mem1.json"


def take_over(state: Path) -> bool:
    """Whether no other run is at work; if so, note this process and remove a dead one's lock.

    ``state`` is the folder where Snakemake keeps its own. What cannot be seen, a run on another
    machine or on one that is no Linux, goes on for as long as Snakemake's lock is there.
    """
    state.mkdir(parents=True, exist_ok=True)
    locked = any(state.glob("locks/*"))
    with open(state / NOTE, "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:  # a file system without such locks
            return not locked
        file.seek(0)
        known = file.read()
        if _at_work(known, locked):
            return False
        if locked:
            shutil.rmtree(state / "locks")
            print("The run before was killed: its lock is removed.", file=sys.stderr, flush=True)
        file.truncate(0)
        file.write(json.dumps([socket.gethostname(), os.getpid(), born(os.getpid())]))
    return True


def born(process: int) -> int | None:
    """When a process started, in ticks of the machine; None if it is no more, or cannot be seen."""
    try:
        text = (PROCESSES / str(process) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()  # the name before it can hold anything
    return None if fields[0] == "Z" else int(fields[19])


def _at_work(known: str, locked: bool) -> bool:
    """Whether the run of which ``known`` is the note goes on."""
    try:
        host, process, start = json.loads(known)
    except ValueError:  # none, or torn
        return locked
    if host != socket.gethostname() or start is None:
        return locked
    return process != os.getpid() and born(process) == start
