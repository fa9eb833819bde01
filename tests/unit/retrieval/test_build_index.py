"""The command that builds an index: what it writes, and that bad input changes nothing."""

import errno
import json
import sys
from pathlib import Path

import pytest

from mem1 import build_index, cli, provenance
from mem1.records import Passage, write_jsonl
from mem1.retrieval import bm25


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "retrieval.json").write_text('{"k": 3, "k1": 1.5, "b": 0.75}')
    passages = [Passage(id=str(i), title=f"Page {i}", text=f"word{i} common") for i in range(4)]
    write_jsonl(tmp_path / "passages.jsonl", passages)
    return tmp_path


def arguments(folder: Path) -> list[str]:
    return [
        *("--config", str(folder / "retrieval.json")),
        *("--passages", str(folder / "passages.jsonl")),
        *("--output-dir", str(folder / "index")),
    ]


def refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    """Run the command, expect exit status 2, return the one line on stderr."""
    monkeypatch.setattr(sys, "argv", ["build_index", *arguments(folder)])
    with pytest.raises(SystemExit) as caught:
        cli.run(build_index.main)
    lines = capsys.readouterr().err.splitlines()
    assert caught.value.code == 2
    assert len(lines) == 1
    assert not [p.name for p in folder.iterdir() if ".tmp-" in p.name]
    return lines[0]


def test_it_writes_an_index_that_loads(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build_index.main(arguments(folder))
    retriever = bm25.load(folder / "index", folder / "passages.jsonl")
    assert [hit.passage.id for hit in retriever.search(["word2"], 3)[0]] == ["2"]
    assert {p.name for p in (folder / "index").iterdir()} == {*bm25.FILES, "manifest.json"}
    assert capsys.readouterr().err == ""  # no progress bars


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("passages.jsonl", None, "passages.jsonl does not exist"),
        ("passages.jsonl", '{"id": "1"}\n', "passages.jsonl, line 1"),
        ("passages.jsonl", "", "passages.jsonl: There are no passages"),
        ("retrieval.json", None, "retrieval.json does not exist"),
        ("retrieval.json", "{", "retrieval.json is not valid JSON"),
        ("retrieval.json", '{"k": 3, "k1": -1, "b": 0.75}', "k1"),
    ],
)
def test_bad_input_is_one_sentence_and_keeps_the_old_index(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: str | None,
    message: str,
) -> None:
    build_index.main(arguments(folder))
    before = provenance.tree_digest(folder / "index")
    capsys.readouterr()
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)
    assert message in refused(folder, monkeypatch, capsys)
    assert provenance.tree_digest(folder / "index") == before


def test_a_full_disk_leaves_the_old_index(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    build_index.main(arguments(folder))
    before = provenance.tree_digest(folder / "index")
    capsys.readouterr()

    def full(path: Path, value: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(provenance, "write_json", full)
    assert "disk is full" in refused(folder, monkeypatch, capsys)
    assert provenance.tree_digest(folder / "index") == before


def test_the_manifest_names_the_corpus(folder: Path) -> None:
    build_index.main(arguments(folder))
    manifest = json.loads((folder / "index" / "manifest.json").read_text())
    assert manifest["corpus"] == provenance.file_digest(folder / "passages.jsonl")
    assert manifest["passages"] == 4
