"""Some faults of the chaos driver, on the first and cheapest rules; `make chaos` has the others."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.workflow import chaos
from tests.workflow.conftest import Copy, copy_to
from tests.workflow.outcome import digests

RULES = ("index/train", "tokenizer", "tasks/train-2.jsonl", "tasks/train-2.manifest.json")
TARGETS = [f"results/smoke/{name}" for name in (RULES[0] + "/manifest.json", RULES[2])]
TARGETS += ["results/smoke/tokenizer/tokenizer.json"]
SEED = 2  # 0.1 MB of disk
LINE = ("--cores", "2", "--configfile", "config/smoke.yaml", "--", *TARGETS)


def can_mount() -> bool:
    """Whether this process may mount file systems."""
    with tempfile.TemporaryDirectory() as folder:
        line = ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", folder]
        mounted = subprocess.run(line, check=False, capture_output=True).returncode == 0
        return mounted and subprocess.run(["umount", folder], check=False).returncode == 0


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Copy:
    """A run that nothing happened to."""
    made = copy_to(tmp_path_factory.mktemp("whole"), stand_ins=False)
    done = made.snakemake(*LINE)
    assert done.returncode == 0, done.stderr
    return made


@pytest.fixture
def scene(whole, tmp_path) -> Iterator[chaos.Scene]:
    folder = tmp_path / "fault"
    shutil.copytree(whole.folder, folder)
    yield chaos.Scene(Copy(folder), LINE, RULES)
    if folder.is_mount():
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("disk", marks=pytest.mark.skipif(not can_mount(), reason="needs a mount")),
        "twice",
    ],
)
def test_a_plain_run_ends_with_the_same_results(kind, whole, scene):
    expected = digests(whole.folder / chaos.RESULTS)
    assert "index/train/manifest.json" in expected
    told = chaos.suffer(kind, scene, Random(SEED), expected)
    assert told["survived"], told
    assert told["plain_runs"] == 1
    if kind == "disk":
        assert str(told["what"]).startswith("0.1 MB free: "), told
        assert "it fitted" not in str(told["what"])


def test_damage_of_every_kind_of_file_is_made_good(whole, scene):
    expected = digests(whole.folder / chaos.RESULTS)
    random = Random(0)
    harmed = [chaos.harm(path, scene.results, random) for path in harmful(scene.results)]
    assert len(harmed) > 4
    assert scene.run(), scene.log
    assert digests(scene.results) == expected


def harmful(results: Path) -> list[Path]:
    """A file of each folder of results. A manifest is none: it says nothing about itself."""
    files = [path for kind in chaos.DAMAGED for path in sorted(results.glob(kind))]
    files = [path for path in files if path.is_file() and "manifest" not in path.name]
    return [*{path.parent: path for path in files}.values()]
