"""What a plain run does after a killed one, and over damaged files."""

import json
import os
import socket
from pathlib import Path

import pytest

from mem1 import runs
from tests.workflow.conftest import copy_to

WORLD = Path("results/smoke/world/train")
SMOKE = ("--cores", "1", "--configfile", "config/smoke.yaml", "--", f"{WORLD}/manifest.json")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_plain_run_goes_on_after_a_killed_one_and_makes_damaged_files_again(tmp_path):
    copy = copy_to(tmp_path, stand_ins=False)
    assert copy.snakemake(*SMOKE).returncode == 0
    world, section = tmp_path / WORLD, tmp_path / "results/smoke/config/world.json"
    names = ("passages.jsonl", "questions.jsonl", "manifest.json")
    whole = {path: path.read_bytes() for path in [section, *(world / name for name in names)]}

    state = tmp_path / ".snakemake"
    (state / "locks").mkdir(exist_ok=True)
    lock = state / "locks/0.output.lock"
    lock.write_text(f"{WORLD}/manifest.json\n", encoding="utf-8")
    dead = [[socket.gethostname(), os.getpid(), runs.born(os.getpid()) - 1]]
    (state / runs.NOTE).write_text(json.dumps(dead), encoding="utf-8")
    section.write_bytes(whole[section].replace(b"20", b"21", 1))
    damaged = world / "passages.jsonl"
    damaged.write_bytes(whole[damaged][:-5])

    told = copy.snakemake("-n", *SMOKE).stderr
    says = f"{WORLD}/passages.jsonl is not what {WORLD}/manifest.json says"
    assert f"{says}: to be made again." in told
    assert lock.exists()  # a dry run changes nothing
    assert damaged.read_bytes() == whole[damaged][:-5]

    done = copy.snakemake(*SMOKE)
    assert done.returncode == 0, done.stderr
    assert "The run before was killed: its lock is removed." in done.stderr
    assert {path: path.read_bytes() for path in whole} == whole
    aside = tmp_path / "results/smoke/damaged/world/train/passages.jsonl"
    assert aside.read_bytes() == whole[damaged][:-5]


def test_a_section_that_is_gone_is_written_again_and_repeats_nothing(tmp_path):
    copy = copy_to(tmp_path, stand_ins=False)
    assert copy.snakemake(*SMOKE).returncode == 0
    section, made = tmp_path / "results/smoke/config/world.json", tmp_path / WORLD / "manifest.json"
    text, since = section.read_bytes(), made.stat().st_mtime_ns
    section.unlink()
    assert copy.snakemake(*SMOKE).returncode == 0
    assert section.read_bytes() == text
    assert made.stat().st_mtime_ns == since
