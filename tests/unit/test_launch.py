"""The launcher: one process here, several under torchrun."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def launch(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "mem1.launch", *arguments]
    everything = {k: v for k, v in os.environ.items() if not k.startswith("SLURM")} | environment
    return subprocess.run(
        line, cwd=ROOT, env=everything, capture_output=True, text=True, check=False
    )


def program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)


@pytest.mark.parametrize("processes", [1, 2])
def test_command_runs_in_each_process(processes: int) -> None:
    done = launch(str(processes), "train_rl", "--help")

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("--checkpoint-dir CHECKPOINT_DIR") == 2 * processes  # usage, option


def test_help_says_how_it_is_called() -> None:
    done = launch("--help")
    assert done.returncode == 0
    assert "python -m mem1.launch PROCESSES" in done.stdout


def test_no_number_of_processes_is_one_sentence() -> None:
    done = launch("train_rl")

    assert done.returncode == 2
    assert done.stderr == (
        "error: Say in how many processes to run what: mem1.launch 2 train_rl ...\n"
    )


@pytest.mark.parametrize("words", [("0", "train_rl"), ("2", "--nodes", "0", "train_rl"), ("2",)])
def test_numbers_that_are_none_are_one_sentence(words: tuple[str, ...]) -> None:
    done = launch(*words)
    assert done.returncode == 2
    assert done.stderr.startswith("error: Say in how many processes")


def test_several_nodes_without_a_slurm_job_are_one_sentence() -> None:
    done = launch("1", "--nodes", "2", "train_rl")
    assert done.returncode == 2
    assert done.stderr.startswith("error: 2 nodes are those of a Slurm job, and this is none")
    assert "Traceback" not in done.stderr


def test_more_nodes_than_the_job_has_are_one_sentence(tmp_path: Path) -> None:
    for name in ("srun", "squeue"):
        program(tmp_path / name, "echo 1")
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = launch("1", "--nodes", "2", "train_rl", SLURM_JOB_ID="7", PATH=path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: Slurm job 7 has 1 nodes and 2 are asked for")


@pytest.mark.parametrize("squeue", ["echo no such job >&2; exit 1", "true", "echo 2; echo 2"])
def test_a_job_that_slurm_does_not_know_is_one_sentence(tmp_path: Path, squeue: str) -> None:
    program(tmp_path / "srun", "exit 1")
    program(tmp_path / "squeue", squeue)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = launch("1", "--nodes", "2", "train_rl", SLURM_JOB_ID="7", PATH=path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: squeue does not say how many nodes Slurm job 7 has")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_command_that_is_none_is_one_sentence(processes: str) -> None:
    done = launch(processes, "train_lr", "--help")
    assert done.returncode == 2
    assert done.stderr.startswith("error: There is no command 'train_lr'")
    assert len(done.stderr.splitlines()) == 1


def test_nodes_of_a_job_meet_through_one_step_of_it(tmp_path: Path) -> None:
    """srun and squeue are stand-ins; test_slurm.py starts real ones."""
    program(tmp_path / "squeue", "echo 2")
    program(tmp_path / "srun", 'for each in "$@"; do echo "$each"; done; env')
    environment = {"SLURM_JOB_ID": "7", "SLURM_NODELIST": "n1", "SLURM_NNODES": "1"}
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = launch("4", "--nodes", "2", "train_rl", "--threads", "8", PATH=path, **environment)

    said = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    expected = ("--overlap", "--ntasks=2", "--nnodes=2", "--nproc-per-node=4", "--rdzv-id=7")
    assert {*expected, "SLURM_JOB_ID=7"} <= set(said)
    assert not any(line.startswith(("SLURM_NODELIST", "SLURM_NNODES")) for line in said)
    verb = said.index("mem1.train_rl")
    assert said[verb - 1 : verb + 3] == ["--", "mem1.train_rl", "--threads", "8"]
