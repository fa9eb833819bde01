"""What a plain run does after a killed one, and with damaged files."""

import json
import os
import socket
from pathlib import Path

import pytest

from tests.workflow.conftest import Copy, copy_to

WORLD = "results/smoke/world/train"
SMOKE = ("--cores", "1", "--configfile", "config/smoke.yaml", "--", f"{WORLD}/manifest.json")
pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Copy:
    """A folder in which a generated world was made."""
    copy = copy_to(tmp_path_factory.mktemp("made"), stand_ins=False)
    done = copy.snakemake(*SMOKE)
    assert done.returncode == 0, done.stderr
    return copy


def leave_lock(copy: Copy, process: int, start: int) -> Path:
    """What a run of ``process`` leaves, or holds: Snakemake's lock, and its own note."""
    lock = copy.folder / ".snakemake/locks/0.output.lock"
    lock.parent.mkdir(exist_ok=True)
    lock.write_text(f"{WORLD}/manifest.json\n", encoding="utf-8")
    note = json.dumps([socket.gethostname(), process, start])
    (copy.folder / ".snakemake/mem1.json").write_text(note, encoding="utf-8")
    return lock


def begun(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19])


def files(copy: Copy) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (copy.folder / WORLD).iterdir()}


def test_the_lock_of_a_killed_run_is_removed(made):
    leave_lock(made, os.getpid(), begun(os.getpid()) - 1)  # its number is another process now
    done = made.snakemake(*SMOKE)
    assert done.returncode == 0, done.stderr
    assert "The run before was killed" in done.stderr


def test_the_lock_of_a_run_that_goes_on_is_left_alone(made):
    lock = leave_lock(made, os.getpid(), begun(os.getpid()))
    damaged = made.folder / WORLD / "questions.jsonl"
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-1])
    done = made.snakemake("--forceall", *SMOKE)
    assert done.returncode != 0
    assert "cannot be locked" in done.stdout + done.stderr
    assert lock.is_file()
    assert damaged.read_bytes() == whole[:-1]  # it may be half written by that run
    damaged.write_bytes(whole)
    (made.folder / ".snakemake/mem1.json").unlink()
    lock.unlink()


@pytest.mark.parametrize("name", ["passages.jsonl", "manifest.json"])
def test_a_damaged_file_is_put_aside_and_made_again(name, made):
    whole = files(made)
    path = made.folder / WORLD / name
    path.write_bytes(path.read_bytes()[:-5])
    told = made.snakemake("-n", *SMOKE).stderr
    assert f"{WORLD}/{name} is not what {WORLD}/manifest.json says: to be made again." in told
    assert path.read_bytes() == whole[name][:-5]  # a dry run changes nothing
    done = made.snakemake(*SMOKE)
    assert done.returncode == 0, done.stderr
    assert files(made) == whole
    aside = made.folder / "results/smoke/damaged/world/train" / name
    assert aside.read_bytes() == whole[name][:-5]


def test_an_altered_frozen_section_is_written_again(made):
    path = made.folder / "results/smoke/config/world.json"
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole.replace("20", "21", 1), encoding="utf-8")
    done = made.snakemake(*SMOKE)
    assert done.returncode == 0, done.stderr
    assert path.read_text(encoding="utf-8") == whole
