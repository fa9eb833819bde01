"""A small Slurm for tests: one machine that plays two nodes, stopped with all that it started.

It needs root and the programs of Debian's packages (``make slurm-packages``), and no systemd: its
daemons run in the foreground below this process, with their own key, ports and folders. Where a
Slurm is set up already, that one is left alone and nothing is started.
"""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
CONFIG = Path("/etc/slurm/slurm.conf")  # a plugin of Snakemake drops SLURM_CONF from jobs
CARDS = CONFIG.with_name("gres.conf")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scancel", "squeue", "scontrol")
NODES = ("n1", "n2")
SEARCHED = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
TEXT = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SlurmdParameters=config_overrides
GresTypes=gpu
MpiDefault=none
MinJobAge=3600
ReturnToService=2
SchedulerParameters=sched_interval=2
KillWait=5
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2 RealMemory=8000 Gres=gpu:1
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=2 RealMemory=8000 Gres=gpu:1
PartitionName=tests Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """What keeps this machine from having such a Slurm, as a sentence; empty if nothing does."""
    absent = [name for name in PROGRAMS if shutil.which(name, path=SEARCHED) is None]
    if absent:
        return f"needs {absent[0]} (make slurm-packages)"
    if os.geteuid() != 0:
        return "needs root to start the daemons of a Slurm"
    there = [path for path in (CONFIG, CARDS) if path.exists()]
    if there and not _left_over():
        return f"needs a machine without a Slurm: there is {there[0]}"
    return ""


def _left_over() -> bool:
    """Whether the configuration is that of a run of these tests that was killed."""
    own = CONFIG.is_symlink() and CONFIG.read_text(encoding="utf-8").startswith(TEXT[:18])
    return own and subprocess.run(["sinfo"], capture_output=True, check=False).returncode != 0


@dataclass
class Job:
    """A line of squeue."""

    number: int
    state: str
    comment: str
    nodes: int


@dataclass
class Slurm:
    """A running one; its daemons are children of this process."""

    folder: Path
    daemons: dict[str, subprocess.Popen[bytes]]

    def start(self, name: str, *arguments: str) -> None:
        """Start a daemon that stays in the foreground."""
        program = shutil.which(name.split()[0], path=SEARCHED)
        assert program is not None
        with open(self.folder / f"{name}.out", "ab") as out:
            self.daemons[name] = subprocess.Popen(
                [program, *arguments], stdout=out, stderr=out, preexec_fn=_end_with_parent
            )

    def stop(self, name: str) -> None:
        """End a daemon, and wait until it has."""
        daemon = self.daemons.pop(name)
        daemon.terminate()
        try:
            daemon.wait(timeout=30)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()

    def jobs(self) -> list[Job]:
        """All jobs that it remembers, those that ended too."""
        line = ["squeue", "--noheader", "--states=all", "--format=%i|%T|%k|%D"]
        rows = subprocess.run(line, capture_output=True, text=True, check=True).stdout.split()
        fields = [row.split("|") for row in rows]
        return [Job(int(n), state, comment, int(nodes)) for n, state, comment, nodes in fields]

    def running(self, rule: str) -> list[Job]:
        """Jobs of a rule of Snakemake that run now."""
        jobs = [job for job in self.jobs() if job.state == "RUNNING"]
        return [job for job in jobs if job.comment.startswith(f"rule_{rule}")]

    def cancel(self, job: Job) -> None:
        """What a user or an administrator does to a job."""
        subprocess.run(["scancel", str(job.number)], check=True)

    def kill(self, job: Job) -> int:
        """Kill all processes of a job with SIGKILL; how many there were."""
        mark = f"SLURM_JOB_ID={job.number}".encode()
        found = [process for process, environment in _environments() if mark in environment]
        for process in found:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        return len(found)

    def restart(self) -> None:
        """Restart the controller, which knows all jobs."""
        self.stop("slurmctld")
        self.start("slurmctld", "-D")
        until(lambda: _answers("idle", "mix", "alloc"), "slurmctld after its restart")


def until(holds: Callable[[], T], what: str, seconds: float = 300) -> T:
    """Wait for something true of ``holds``, and return it; ``what`` says what is waited for.

    The limit is for what never comes: a busy machine takes many times what a quiet one does.
    """
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.2)
    return found


@contextmanager
def slurm(folder: Path) -> Iterator[Slurm]:
    """Start one whose files lie in ``folder``, an empty one; stop it, and end its jobs."""
    folder.chmod(0o700)  # munge refuses a key that others could read
    for name in ("state", *(f"spool-{node}" for node in NODES)):
        (folder / name).mkdir()
    host = socket.gethostname().split(".")[0]
    text = TEXT.format(folder=folder, host=host, ports=[_port() for _ in range(3)])
    (folder / "slurm.conf").write_text(text, encoding="utf-8")
    # Graphics cards that are none: what is tested is who gets them.
    (folder / "gres.conf").write_text("Name=gpu File=/dev/null\n", encoding="utf-8")
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(os.urandom(1024))
    files = {"key-file": key, "socket": folder / "munge.socket", "pid-file": folder / "munge.pid"}
    files |= {"log-file": folder / "munge.log", "seed-file": folder / "munge.seed"}
    own = Slurm(folder, {})
    CONFIG.parent.mkdir(exist_ok=True)
    try:
        for link in (CONFIG, CARDS):
            link.unlink(missing_ok=True)
            link.symlink_to(folder / link.name)
        options = [f"--{name}={path}" for name, path in files.items()]
        own.start("munged", "--foreground", "--force", *options)
        until((folder / "munge.socket").exists, "munged")
        own.start("slurmctld", "-D")
        for node in NODES:
            own.start(f"slurmd {node}", "-D", "-N", node)
        until(lambda: _answers("idle"), "nodes of Slurm")
        yield own
    finally:
        _end_jobs(own)
        for name in [*own.daemons][::-1]:
            own.stop(name)
        for link in (CONFIG, CARDS):
            link.unlink(missing_ok=True)


def _end_jobs(own: Slurm) -> None:
    if "slurmctld" not in own.daemons:
        return
    subprocess.run(["scancel", "--user=root"], check=False)
    end = time.monotonic() + 30
    while time.monotonic() < end:
        active = [job for job in own.jobs() if job.state in ("RUNNING", "COMPLETING", "PENDING")]
        if not active:
            return
        time.sleep(0.2)
    for job in active:
        own.kill(job)


def _answers(*states: str) -> bool:
    """Whether each node is in one of ``states``."""
    line = ["sinfo", "--noheader", "--Node", "--format=%t"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    found = done.stdout.split()
    return done.returncode == 0 and len(found) == len(NODES) and set(found) <= set(states)


def _environments() -> Iterator[tuple[int, list[bytes]]]:
    """The environment of each process that can be looked at, by its number."""
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            yield int(path.parent.name), path.read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue


def _end_with_parent() -> None:
    """Let a daemon end when the tests are killed and cannot end it."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
