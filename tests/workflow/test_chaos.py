"""A training under Snakemake, killed with all its processes at up to 20 random moments.

It ends with the manifest, and so with the bytes, of one that nobody touched; in one process,
and in two under DeepSpeed, which are killed less often: they take half a minute to come back.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from mem1.provenance import read_json
from tests.workflow.conftest import Copy, copy_to

STEPS = 30
MANIFEST = "results/smoke/train/rl-mem1/manifest.json"
NEEDED = (
    "results/smoke/tasks/train-2.jsonl",
    "results/smoke/index/train/manifest.json",
    "results/smoke/tracking/init.json",
    "results/smoke/config/run-rl-mem1.json",
)
OVERLAY = """
agent: {{max_new_tokens: 24}}
runs: {{rl-mem1: {{start: base}}}}
rl: {{engine: {engine}, steps: {steps}, tasks: 2, group: 2, minibatches: 1, checkpoint_every: 1}}
"""


def arguments(copy: Copy, engine: str, processes: int) -> list[str]:
    """Arguments of Snakemake for a training from the base model."""
    overlay = copy.overlay(OVERLAY.format(engine=engine, steps=STEPS))
    resources = ["--set-resources", f"train_rl:processes={processes}"]
    return ["--cores", "2", "--nolock", "--rerun-incomplete", *overlay, *resources, "--"]


def descendants(root: int) -> list[int]:
    """Process ids of ``root`` and of all that it started, whatever sessions they are in."""
    found = [root]
    for parent in found:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += map(int, children.read_text().split())
            except (FileNotFoundError, ProcessLookupError):
                continue
    return found


def kill(root: int) -> None:
    """Stop the whole tree, so that nothing is started meanwhile, and kill it."""
    for act in (signal.SIGSTOP, signal.SIGKILL):
        for process in descendants(root):
            try:
                os.kill(process, act)
            except ProcessLookupError:
                continue


def done(copy: Copy) -> int:
    """Rounds of the newest checkpoint; 0 before the first."""
    folder = copy.folder / "results/smoke/checkpoints/rl-mem1"
    steps = [int(path.stem.split("-")[1]) for path in folder.glob("*/step-*.json")]
    return max(steps, default=0)


def start(copy: Copy, line: list[str]) -> subprocess.Popen[bytes]:
    """The training under Snakemake, in the background."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(
        [sys.executable, "-m", "snakemake", *line, MANIFEST],
        cwd=copy.folder,
        env=copy.environment,
        **quiet,
    )


def untouched(copy: Copy, line: list[str]) -> float:
    """Train to the end; seconds to the first checkpoint."""
    began = time.monotonic()
    process = start(copy, line)
    while not done(copy) and process.poll() is None:
        time.sleep(0.1)
    before = time.monotonic() - began
    assert process.wait() == 0
    return before


def some_way(process: subprocess.Popen[bytes], copy: Copy, before: float, random: Random) -> None:
    """Let the training run until it has written a checkpoint or two, or not yet any.

    What it has done says when, not the clock alone: a machine that slows down would never let a
    training get to its first checkpoint. One that keeps this process waiting lets the training do
    more than was meant, so nothing may depend on how many rounds it gets.
    """
    rounds, reached = random.choice((0, 1, 2)), done(copy)
    while rounds and process.poll() is None and done(copy) < min(reached + rounds, STEPS):
        time.sleep(0.05)
    try:
        process.wait(
            timeout=random.uniform(0.0, 0.2) if rounds else random.uniform(0.3, 1) * before
        )
    except subprocess.TimeoutExpired:
        return


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to find processes")
@pytest.mark.parametrize(("engine", "processes", "kills"), [("plain", 1, 20), ("zero3", 2, 8)])
def test_killed_training_ends_with_the_same_manifest(
    engine: str, processes: int, kills: int, tmp_path: Path
) -> None:
    whole, cut = Copy(tmp_path / "whole"), Copy(tmp_path / "cut")
    whole.folder.mkdir()
    copy_to(whole.folder, stand_ins=False, base_model=True)
    line = arguments(whole, engine, processes)
    ready = whole.snakemake(*line, *NEEDED)
    assert ready.returncode == 0, ready.stderr
    shutil.copytree(whole.folder, cut.folder)
    before = untouched(whole, line)

    random, killed_at = Random(processes), list[int]()
    for _ in range(kills):
        if (cut.folder / MANIFEST).exists():
            break
        process = start(cut, line)
        some_way(process, cut, before, random)
        if process.poll() is None:
            kill(process.pid)
            killed_at.append(done(cut))
        process.wait()
    finished = cut.snakemake(*line, MANIFEST)

    assert finished.returncode == 0, finished.stderr
    assert any(0 < rounds < STEPS for rounds in killed_at), killed_at  # on the way, and it went on
    expected, found = (read_json(copy.folder / MANIFEST) for copy in (whole, cut))
    assert found == expected
