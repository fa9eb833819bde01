"""The profile `slurm` under a real Slurm of two nodes, with jobs and daemons that are killed.

Each run ends with the results of one that nobody touched, on this machine. The short one trains
across both nodes; the long one is preset `smoke`: `make slurm-test`.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workflow import cluster
from tests.workflow.conftest import Copy, copy_to
from tests.workflow.outcome import digests

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.slow,
    pytest.mark.skipif(bool(cluster.missing()), reason=cluster.missing() or "a Slurm can run"),
]
PROFILE = ("--cores", "all", "--profile", "slurm", "--slurm-init-seconds-before-status-checks", "2")
OVERLAY = """
agent: {max_new_tokens: 24}
runs: {rl-mem1: {start: base}}
rl: {engine: zero3, steps: 8, tasks: 2, group: 2, minibatches: 1, checkpoint_every: 1}
"""
NEEDED = (
    *(f"results/smoke/tasks/{panel}.jsonl" for panel in ("train-2", "test-2")),
    *(f"results/smoke/index/{split}/manifest.json" for split in ("train", "test")),
    *("results/smoke/tracking/init.json", "results/smoke/tokenizer/tokenizer.json"),
)
RECORDS = "results/smoke/eval/mem1-rl/2.jsonl"
ACROSS = [f"train_rl:{each}" for each in ("mpi=srun", "nodes=2", "tasks_per_node=2", "gpu=2")]
WHOLE = "takes a quarter of an hour: make slurm-test"


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[cluster.Slurm]:
    with cluster.slurm(tmp_path_factory.mktemp("slurm")) as running:
        yield running


def start(copy: Copy, *arguments: str) -> subprocess.Popen[str]:
    """The workflow under the profile, in the background."""
    with open(copy.folder / "out.txt", "w", encoding="utf-8") as out:
        line = [sys.executable, "-m", "snakemake", *PROFILE, *arguments]
        return subprocess.Popen(
            line, cwd=copy.folder, env=copy.environment, stdout=out, stderr=out, text=True
        )


def said(copy: Copy) -> str:
    return (copy.folder / "out.txt").read_text(encoding="utf-8")


def rounds(copy: Copy) -> int:
    """Steps of the newest checkpoint of reinforcement learning."""
    found = copy.folder.glob("results/smoke/checkpoints/rl-mem1/*/step-*.json")
    return max((int(path.stem.split("-")[1]) for path in found), default=0)


def next_job(
    slurm: cluster.Slurm, copy: Copy, run: subprocess.Popen[str], *before: cluster.Job
) -> cluster.Job:
    """The training's job, as soon as a round more is done, and none of those ``before``.

    A job that was ended can go on for a while.
    """
    known, reached = {job.number for job in before}, rounds(copy)

    def there() -> list[cluster.Job]:
        assert run.poll() is None, said(copy)
        found = [job for job in slurm.running("train_rl") if job.number not in known]
        return found if rounds(copy) > reached else []

    return cluster.until(there, f"a round after the {reached}th", seconds=1800)[0]


def test_training_on_two_nodes_survives_scancel_kill_and_a_restart_of_slurm(
    slurm: cluster.Slurm, tmp_path: Path
) -> None:
    here, there = Copy(tmp_path / "here"), Copy(tmp_path / "there")
    here.folder.mkdir()
    copy_to(here.folder, stand_ins=False, base_model=True)
    locally = ("--cores", "2", *here.overlay(OVERLAY), "--set-resources", "train_rl:processes=2")
    assert here.snakemake(*locally, "--", *NEEDED).returncode == 0
    shutil.copytree(here.folder, there.folder)
    done = here.snakemake(*locally, "--", RECORDS)
    assert done.returncode == 0, done.stderr

    run = start(there, *there.overlay(OVERLAY), "--set-resources", *ACROSS, "--", RECORDS)
    try:
        first = next_job(slurm, there, run)
        slurm.cancel(first)
        second = next_job(slurm, there, run, first)
        assert slurm.kill(second) > 2
        third = next_job(slurm, there, run, first, second)
        slurm.restart()
        assert run.wait(timeout=1800) == 0, said(there)
    finally:
        run.kill()

    jobs = {job.number: (job.nodes, job.state) for job in slurm.jobs()}
    states = [jobs[job.number] for job in (first, second, third)]
    assert states == [(2, "CANCELLED"), (2, "FAILED"), (2, "COMPLETED")]
    assert digests(there.folder / "results/smoke") == digests(here.folder / "results/smoke")


@pytest.mark.skipif("MEM1_SLURM_TEST" not in os.environ, reason=WHOLE)
def test_smoke_survives_scancel_kill_and_a_restart_of_slurm(
    slurm: cluster.Slurm, tmp_path: Path
) -> None:
    here, there = Copy(tmp_path / "here"), Copy(tmp_path / "there")
    for copy in (here, there):
        copy.folder.mkdir()
        copy_to(copy.folder, stand_ins=False, base_model=True)
    smoke = ("--configfile", "config/smoke.yaml")
    done = here.snakemake("--cores", "2", *smoke)
    assert done.returncode == 0, done.stderr

    def kill(job: cluster.Job) -> None:
        # Slurm says that a job runs a moment before it has a process.
        cluster.until(lambda: slurm.kill(job), f"a process of job {job.number}")

    run = start(there, *smoke)
    try:
        hit = []
        for rule, fault in (("train_sft", slurm.cancel), ("train_rl", kill)):
            hit.append(cluster.until(lambda r=rule: slurm.running(r), rule, seconds=900)[0])
            fault(hit[-1])
        cluster.until(lambda: slurm.running("evaluate"), "an evaluation", seconds=1800)
        slurm.restart()
        assert run.wait(timeout=3600) == 0, said(there)
    finally:
        run.kill()

    states = {job.number: job.state for job in slurm.jobs()}
    assert [states.get(job.number, "forgotten") for job in hit] in (
        ["CANCELLED", "FAILED"],
        ["forgotten", "forgotten"],  # MinJobAge has passed
    )
    assert digests(there.folder / "results/smoke") == digests(here.folder / "results/smoke")
