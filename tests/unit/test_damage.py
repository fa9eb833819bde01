"""Damaged results are found by their manifests, and put aside."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mem1 import damage, manifest
from mem1.provenance import file_digest, write_json

HARM: dict[str, Callable[[bytes], bytes]] = {
    "emptied": lambda content: b"",
    "truncated": lambda content: content[:-1],
    "flipped": lambda content: content[:3] + bytes([content[3] ^ 1]) + content[4:],
}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A training with its model, a panel, and an index."""
    files = ("train/run/model/model.bin", "train/run/model/words.json", "train/run/metrics.jsonl")
    files += ("tasks/test-2.jsonl", "index/test/terms.npy")
    for name in files:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"contents of {name}", encoding="utf-8")
    run, index = tmp_path / "train/run", tmp_path / "index/test"
    outputs = {name: run / name for name in ("model", "metrics.jsonl")}
    write_json(run / "manifest.json", manifest.describe("train_rl", None, [], outputs))
    panel = {"panel": file_digest(tmp_path / "tasks/test-2.jsonl")}
    write_json(tmp_path / "tasks/test-2.manifest.json", panel)
    terms = {"files": {"terms.npy": file_digest(index / "terms.npy")}}
    write_json(index / "manifest.json", terms)
    return tmp_path


def found(results: Path) -> list[tuple[str, str]]:
    pairs = [(each.manifest, each.path) for each in damage.find(results)]
    return [
        (a.relative_to(results).as_posix(), b.relative_to(results).as_posix()) for a, b in pairs
    ]


def test_nothing_is_wrong_with_what_was_made(results: Path) -> None:
    assert found(results) == []


def test_new_time_stamps_alone_are_no_damage(results: Path) -> None:
    for path in results.rglob("*"):
        path.touch()
    assert found(results) == []


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("train/run/metrics.jsonl", ("train/run/manifest.json", "train/run/metrics.jsonl")),
        ("train/run/model/words.json", ("train/run/manifest.json", "train/run/model")),
        ("tasks/test-2.jsonl", ("tasks/test-2.manifest.json", "tasks/test-2.jsonl")),
        ("index/test/terms.npy", ("index/test/manifest.json", "index/test/terms.npy")),
    ],
)
def test_a_damaged_file_is_found(
    harm: str, name: str, expected: tuple[str, str], results: Path
) -> None:
    path = results / name
    path.write_bytes(HARM[harm](path.read_bytes()))
    assert found(results) == [expected]


def test_a_manifest_that_is_no_json_is_damage_itself(results: Path) -> None:
    path = results / "tasks/test-2.manifest.json"
    path.write_bytes(path.read_bytes()[:-4])
    assert found(results) == [("tasks/test-2.manifest.json", "tasks/test-2.manifest.json")]


@pytest.mark.parametrize("outputs", [["model"], "model", 1])
def test_a_manifest_of_another_form_says_nothing(results: Path, outputs: object) -> None:
    write_json(results / "other/manifest.json", {"outputs": outputs})
    assert found(results) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("train/run/metrics.jsonl", ("train/run/manifest.json", "train/run/metrics.jsonl")),
        ("train/run/model/words.json", ("train/run/manifest.json", "train/run/model")),
        ("index/test/terms.npy", ("index/test/manifest.json", "index/test/terms.npy")),
    ],
)
def test_a_missing_file_is_damage(name: str, expected: tuple[str, str], results: Path) -> None:
    (results / name).unlink()
    assert found(results) == [expected]


def test_what_is_put_aside_is_kept_and_no_result_any_more(results: Path) -> None:
    path = results / "train/run/model/model.bin"
    path.write_text("damaged", encoding="utf-8")
    for _ in range(2):  # the second time over what lies there from the first
        [each] = damage.find(results)
        folder = damage.put_aside(results, each)
        assert (folder / "train/run/model/model.bin").read_text(encoding="utf-8") == "damaged"
        assert (folder / "train/run/manifest.json").is_file()
        assert not list((results / "train/run").iterdir())
        assert found(results) == []
        for name in ("manifest.json", "metrics.jsonl"):
            (folder / "train/run" / name).rename(results / "train/run" / name)
        path.parent.mkdir()
        path.write_text("damaged", encoding="utf-8")
