"""Start a command in several processes: ``python -m mem1.launch PROCESSES [--nodes N] VERB ...``.

PROCESSES is the number on each node. One process runs here; several run under torchrun on this
machine; several nodes are those of the Slurm job this runs in: ``srun`` starts one torchrun on
each, and they meet at a free port of this node. How many there are is a resource, so a rule can
pass it on without its command being another one.
"""

import os
import runpy
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence

from mem1 import cli
from mem1.dependencies import is_command
from mem1.errors import InputError

USAGE = "Say in how many processes to run what: mem1.launch 2 train_rl ..."


def main(argv: Sequence[str]) -> None:
    """Run the verb in ``argv`` with the arguments behind it."""
    if argv[:1] in (["-h"], ["--help"]):
        print(__doc__)
        return
    processes, *rest = argv or [""]
    nodes = "1"
    if rest[:1] == ["--nodes"] and len(rest) > 1:
        nodes, rest = rest[1], rest[2:]
    if not rest or not all(n.isdecimal() and int(n) > 0 for n in (processes, nodes)):
        raise InputError(USAGE)
    if not is_command(rest[0]):
        raise InputError(f"There is no command {rest[0]!r}: name one of `python -m mem1.COMMAND`.")
    verb, arguments = f"mem1.{rest[0]}", rest[1:]
    if int(nodes) > 1:
        job = _job(int(nodes))
        line = across(int(nodes), int(processes), job, f"{socket.gethostname()}:{_port()}")
    elif int(processes) > 1:
        line = _torchrun("--standalone", int(processes))
    else:
        sys.argv = [verb, *arguments]
        runpy.run_module(verb, run_name="__main__", alter_sys=True)
        return
    # The two hyphens keep torchrun from reading the command's arguments as its own.
    line += ["-m", "--", verb, *arguments]
    os.execvpe(line[0], line, _outside() if int(nodes) > 1 else os.environ)


def across(nodes: int, processes: int, job: str, meeting: str) -> list[str]:
    """The start of a command line: torchrun with ``processes`` on each of ``nodes``.

    ``job`` is the number of a Slurm job, ``meeting`` an address (host:port) of this node. The new
    step shares what the job has with a step that this process may be in itself, and takes all of
    it: how many cores a process uses, it is told.
    """
    step = ["--overlap", f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1"]
    step += ["--cpu-bind=none", "--kill-on-bad-exit=1"]
    found = ["--rdzv-backend=c10d", f"--rdzv-endpoint={meeting}", f"--rdzv-id={job}"]
    return ["srun", *step, *_torchrun(f"--nnodes={nodes}", processes), *found]


def _torchrun(which: str, processes: int) -> list[str]:
    module = "torch.distributed.run"
    return [sys.executable, "-m", module, which, f"--nproc-per-node={processes}"]


def _job(nodes: int) -> str:
    """The number of the Slurm job that this process is in, which has ``nodes`` or more.

    Raises:
        InputError: it has fewer, there is none, or Slurm does not say.
    """
    job = os.environ.get("SLURM_JOB_ID")
    if job is None or shutil.which("srun") is None:
        raise InputError(
            f"{nodes} nodes are those of a Slurm job, and this is none: run it through sbatch or "
            f"snakemake --profile slurm, or with one node."
        )
    line = ["squeue", "--noheader", f"--jobs={job}", "--format=%D"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    there = done.stdout.strip()
    if done.returncode or not there.isdecimal():
        said = (done.stderr.strip() or there or "nothing").splitlines()[-1]
        raise InputError(
            f"squeue does not say how many nodes Slurm job {job} has (it said: {said}): run it "
            f"again when `{' '.join(line)}` prints a number."
        )
    if int(there) < nodes:
        raise InputError(
            f"Slurm job {job} has {there} nodes and {nodes} are asked for: ask for as many there "
            f"(how: docs/cluster.md), or for fewer here."
        )
    return job


def _outside() -> dict[str, str]:
    """The environment without what Slurm says of the step that this process is in.

    Inside it, srun would start all processes on the nodes of that step.
    """
    kept = ("SLURM_JOB_ID", "SLURM_CONF", "SLURM_CLUSTER_NAME")
    slurm = ("SLURM_", "SRUN_")
    return {k: v for k, v in os.environ.items() if k in kept or not k.startswith(slurm)}


def _port() -> int:
    """A port of this machine that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    cli.run(main)
