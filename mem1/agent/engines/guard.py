"""A process between a command and a server, so that none of the server's processes outlives it.

``guard.py COMMAND ...`` runs the command, and ends it with all processes below it

    when the command ends by itself,
    when a byte comes on standard input,
    when standard input closes, or the process that started the guard is gone (a killed parent
    cannot say goodbye, but the pipe from it closes),
    on SIGTERM, SIGINT or SIGHUP.

The command is asked first (SIGTERM); what is left after it, or after a few seconds, is killed. A
folder named by ``--remove FOLDER`` in front of the command is deleted if nobody is left to do it.
The guard exits with the status of the command, or 0 if it was told to end.

It runs as a script of its own and imports nothing but the standard library. It adopts orphans
(PR_SET_CHILD_SUBREAPER, Linux), so that processes are found whose parent is gone.
"""

import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

GRACE = 5.0  # seconds between SIGTERM and SIGKILL
_CHILD_SUBREAPER, _PARENT_DEATH_SIGNAL = 36, 1  # of prctl


def main(argv: list[str]) -> int:
    """Guard the command in ``argv``; its exit status, or 0 if it was ended."""
    remove = None
    if argv[0] == "--remove":
        remove, argv = argv[1], argv[2:]
    parent = os.getppid()
    stop: list[int] = []
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(name, lambda number, frame: stop.append(number))
    _prctl(_CHILD_SUBREAPER, 1)
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, preexec_fn=_die_with_guard)
    alone = False
    while child.poll() is None and not stop and not alone:
        if select.select([0], [], [], 0.2)[0]:
            alone = os.read(0, 1) == b""
            break
        alone = os.getppid() != parent
    status = child.poll()
    _end(child)
    if remove is not None and (alone or os.getppid() != parent):
        shutil.rmtree(remove, ignore_errors=True)
    return 0 if status is None else status if status >= 0 else 128 - status


def _end(child: subprocess.Popen[bytes]) -> None:
    """End ``child`` and all that is below this process."""
    if child.poll() is None:
        child.terminate()  # it ends those below it in good order
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(GRACE)
    while left := _below():
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _reap(child)
        time.sleep(0.02)


def _reap(child: subprocess.Popen[bytes]) -> None:
    """Let go of children that have ended; those that were adopted are nobody else's."""
    child.poll()
    while child.returncode is not None:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                return
        except ChildProcessError:
            return


def _below() -> set[int]:
    """The living descendants of this process."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:  # it has just ended
            continue
        if state != "Z":
            parents[int(entry.name)] = int(parent)
    found: set[int] = set()
    newest = {os.getpid()}
    while newest:
        newest = {pid for pid, parent in parents.items() if parent in newest} - found
        found |= newest
    return found


def _die_with_guard() -> None:
    _prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
