# What an earlier run may have left behind: its lock, if it was killed, and damaged files. Functions
# only; they read CONFIG and P.
import fcntl
import json
import os
import shutil
import socket
import sys
from pathlib import Path

from mem1 import damage, stages
from mem1.errors import InputError


def recover():
    """Let this run go on where an earlier one was killed, or its files were damaged.

    A dry run only says what is damaged. While another run is at work here, nothing is touched:
    Snakemake's own lock keeps this one from starting.
    """
    dry = workflow.output_settings.dryrun
    if not workflow.is_main_process or not (dry or first_here()):
        return
    for path in [] if dry else altered_sections():
        path.unlink()
    for found in damage.find(Path(P)):
        todo = "to be made again"
        if not dry:
            todo = f"it is in {damage.put_aside(Path(P), found)} now, and made again"
        told = f"{found.path} is not what {found.manifest} says: {todo}."
        print(told, file=sys.stderr, flush=True)


def altered_sections():
    """Frozen sections that do not say what the configuration does: damaged, or older."""
    for path in Path(P, "config").glob("*.json"):
        try:
            settings = stages.frozen(CONFIG, path.stem)
        except (InputError, KeyError):
            continue  # of a stage that there is no more
        if path.read_bytes() != f"{one_line(settings)}\n".encode():
            yield path


def first_here():
    """Whether no other run is at work in this folder; takes its place, and a dead one's lock."""
    state = Path(".snakemake")
    state.mkdir(exist_ok=True)
    locked = any(state.glob("locks/*"))
    with open(state / "mem1.json", "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:  # a file system without such locks
            return not locked
        file.seek(0)
        known = file.read()
        if at_work(*json.loads(known)) if known else locked:
            return False
        if locked:
            shutil.rmtree(state / "locks")
            print("The run before was killed: its lock is removed.", file=sys.stderr)
        file.truncate(0)
        file.write(json.dumps([socket.gethostname(), os.getpid(), born(os.getpid())]))
    return True


def at_work(host, process, start):
    """Whether a run goes on. Where that cannot be seen, Snakemake's lock says so."""
    if host != socket.gethostname() or start is None:
        return any(Path(".snakemake/locks").glob("*"))
    return born(process) == start


def born(process):
    """When a process started, in ticks; None if it is no more, or this is no Linux."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else int(fields[19])
