"""The command that composes a panel: what it writes, and that bad input changes nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mem1 import cli, compose, provenance
from mem1.records import Question, write_jsonl
from mem1.tasks.compose import load_panel

SETTINGS = {
    "train_horizon": 2,
    "train_count": 5,
    "test_horizons": [1, 4],
    "test_count": 3,
    "consecutive": False,
    "max_turns": {"4": 6},
}

LONG = {**SETTINGS, "max_turns": {"16": 20}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tasks.json").write_text(json.dumps(SETTINGS))
    questions = [
        Question(id=f"q{i}", text=f"{i}?", golds=[f"g{i}"], source="nq", hops=1 + i % 2)
        for i in range(12)
    ]
    write_jsonl(tmp_path / "questions.jsonl", questions)
    return tmp_path


def arguments(folder: Path, split: str = "test", horizon: int = 4) -> list[str]:
    return [
        *("--config", str(folder / "tasks.json"), "--seed", "0", "--split", split),
        *("--questions", str(folder / "questions.jsonl"), "--horizon", str(horizon)),
        *("--output", str(folder / "panels" / f"{split}-{horizon}.jsonl")),
    ]


def test_it_writes_a_panel_and_its_manifest(folder: Path) -> None:
    compose.main(arguments(folder))
    tasks = load_panel(folder / "panels" / "test-4.jsonl")
    manifest = json.loads((folder / "panels" / "test-4.manifest.json").read_text())
    assert [task.id for task in tasks] == ["test-4-0000", "test-4-0001", "test-4-0002"]
    assert manifest["questions_digest"] == provenance.file_digest(folder / "questions.jsonl")
    assert manifest["settings"] == SETTINGS
    assert (manifest["by_source"], manifest["by_hops"]) == ({"nq": 12}, {"1": 6, "2": 6})


def test_the_training_split_has_its_own_count(folder: Path) -> None:
    compose.main(arguments(folder, "train", 2))
    assert len(load_panel(folder / "panels" / "train-2.jsonl")) == 5


@pytest.mark.parametrize(
    ("name", "content", "horizon", "message"),
    [
        ("questions.jsonl", None, 4, "questions.jsonl does not exist"),
        ("questions.jsonl", "{}\n", 4, "questions.jsonl, line 1"),
        ("questions.jsonl", "", 4, "questions.jsonl: A task of 4 objectives needs 4"),
        ("tasks.json", "{}", 4, "'train_horizon' is missing"),
        ("tasks.json", json.dumps({**SETTINGS, "test_cuont": 3}), 4, "did you mean 'test_count'"),
        ("tasks.json", json.dumps({**SETTINGS, "test_count": 9}), 4, "need 36 questions"),
        ("tasks.json", json.dumps(SETTINGS), 5, "max_turns has no budget for 5"),
        ("tasks.json", json.dumps(LONG), 13, "needs 13 questions, and the set has 12"),
        ("tasks.json", json.dumps(SETTINGS), 0, "at least one of each"),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: str | None,
    horizon: int,
    message: str,
) -> None:
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)
    monkeypatch.setattr(sys, "argv", ["compose", *arguments(folder, horizon=horizon)])
    with pytest.raises(SystemExit) as caught:
        cli.run(compose.main)
    lines = capsys.readouterr().err.splitlines()
    assert caught.value.code == 2
    assert len(lines) == 1
    assert message in lines[0]
    assert not (folder / "panels").exists()


def test_an_impossible_horizon_keeps_the_old_panel(folder: Path) -> None:
    compose.main(arguments(folder))
    before = provenance.tree_digest(folder / "panels")
    (folder / "questions.jsonl").write_text("")
    with pytest.raises(ValueError, match="needs 4 questions"):
        compose.main(arguments(folder))
    assert provenance.tree_digest(folder / "panels") == before


def test_tasks_and_retrieval_start_without_torch() -> None:
    code = (
        "import sys, mem1.compose, mem1.import_sources, mem1.build_index, mem1.tasks.compose, "
        "mem1.tasks.selection, mem1.retrieval.bm25; print('torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "False"
