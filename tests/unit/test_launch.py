"""The launcher: one process here, several under torchrun."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def launch(*arguments: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "mem1.launch", *arguments]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("processes", [1, 2])
def test_command_runs_in_each_process(processes: int) -> None:
    done = launch(str(processes), "train_rl", "--help")

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("--checkpoint-dir CHECKPOINT_DIR") == 2 * processes  # usage, option


def test_no_number_of_processes_is_one_sentence() -> None:
    done = launch("train_rl")

    assert done.returncode == 2
    assert done.stderr == (
        "error: Say in how many processes to run what: mem1.launch 2 train_rl ...\n"
    )
