"""Runs that are at work, dead, or somewhere else."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mem1 import runs

ROOT = Path(__file__).parents[2]
HERE = socket.gethostname()
pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


def left(state: Path, host: str, process: int, start: int | None, locked: bool = True) -> None:
    """What a run has written."""
    (state / "locks").mkdir(exist_ok=True)
    if locked:
        (state / "locks/0.output.lock").touch()
    (state / runs.NOTE).write_text(json.dumps([[host, process, start]]), encoding="utf-8")


def lock_is_there(state: Path) -> bool:
    return (state / "locks/0.output.lock").exists()


def test_the_first_run_notes_itself(tmp_path: Path) -> None:
    assert runs.take_over(tmp_path / "new")
    noted = json.loads((tmp_path / "new" / runs.NOTE).read_text(encoding="utf-8"))
    assert noted == [[HERE, os.getpid(), runs.born(os.getpid())]]


def test_a_run_at_work_is_left_alone(tmp_path: Path) -> None:
    left(tmp_path, HERE, os.getppid(), runs.born(os.getppid()))
    assert not runs.take_over(tmp_path)
    assert lock_is_there(tmp_path)


def test_the_second_of_two_runs_is_known_when_the_first_has_ended(tmp_path: Path) -> None:
    first = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    left(tmp_path, HERE, first.pid, runs.born(first.pid))
    assert not runs.take_over(tmp_path)  # this process is the second, and has the lock then
    first.kill()
    first.wait()
    third = "import sys; from pathlib import Path; from mem1 import runs\n"
    third += "sys.exit(runs.take_over(Path(sys.argv[1])))"
    done = subprocess.run([sys.executable, "-c", third, tmp_path], cwd=ROOT, check=False)
    assert done.returncode == 0
    assert lock_is_there(tmp_path)


def test_a_run_at_work_without_a_lock_yet_is_left_alone(tmp_path: Path) -> None:
    left(tmp_path, HERE, os.getppid(), runs.born(os.getppid()), locked=False)
    assert not runs.take_over(tmp_path)


def test_the_lock_of_a_killed_run_is_removed(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    left(tmp_path, HERE, process.pid, runs.born(process.pid))
    process.kill()
    until_zombie = process.pid  # not waited for yet: it is a zombie, and dead all the same
    until = time.monotonic() + 60
    while runs.born(until_zombie) is not None:
        assert time.monotonic() < until
    assert runs.take_over(tmp_path)
    assert not lock_is_there(tmp_path)
    process.wait()


def test_another_process_with_the_number_of_a_killed_run_is_none(tmp_path: Path) -> None:
    start = runs.born(os.getppid())
    assert start is not None
    left(tmp_path, HERE, os.getppid(), start - 1)
    assert runs.take_over(tmp_path)
    assert not lock_is_there(tmp_path)


@pytest.mark.parametrize("note", [("elsewhere", 1, 5), (HERE, 1, None)])
def test_a_run_that_cannot_be_seen_goes_on_while_its_lock_is_there(
    note: tuple[str, int, int | None], tmp_path: Path
) -> None:
    left(tmp_path, *note)
    assert not runs.take_over(tmp_path)
    assert lock_is_there(tmp_path)
    (tmp_path / "locks/0.output.lock").unlink()
    assert runs.take_over(tmp_path)


@pytest.mark.parametrize("text", ["", '[["vm", 1', '["vm", 1, 5]', "3"])
def test_a_lock_without_a_note_is_left_alone(text: str, tmp_path: Path) -> None:
    left(tmp_path, HERE, 1, 1)
    (tmp_path / runs.NOTE).write_text(text, encoding="utf-8")
    assert not runs.take_over(tmp_path)
    assert lock_is_there(tmp_path)
