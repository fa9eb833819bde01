"""Passages on the disk: the same as in memory, found by line, checked, and never all loaded."""

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mem1.errors import InputError
from mem1.provenance import file_digest
from mem1.records import Passage, write_jsonl
from mem1.retrieval import bm25, passages
from tests.unit.retrieval.servers import SETTINGS

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
ROWS = st.lists(st.builds(Passage, id=TEXT, title=TEXT, text=TEXT), min_size=1, max_size=150)


def pages(count: int) -> list[Passage]:
    return [Passage(id=f"p{i}", title=f"Page {i}", text=f"text {i}") for i in range(count)]


def laid_out(path: Path, rows: list[Passage], ending: str) -> None:
    """``rows`` as somebody else may write them, with a line end of their own after the last."""
    lines = [json.dumps({"text": p.text, "title": p.title, "id": p.id}) for p in rows]
    path.write_bytes(("\r\n".join(lines) + ending).encode())


@settings(max_examples=50, deadline=None)
@given(rows=ROWS, ending=st.sampled_from(["", "\n", "\r\n"]), data=st.data())
def test_a_file_is_a_sequence_of_its_passages(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Passage], ending: str, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("rows") / "passages.jsonl"
    laid_out(path, rows, ending)
    found = passages.scan(path)
    assert list(found) == rows
    assert len(found) == len(rows)
    first, end = (data.draw(st.integers(-len(rows) - 1, len(rows) + 1)) for _ in range(2))
    step = data.draw(st.sampled_from([None, 1, 2, -1]))
    assert list(found[first:end:step]) == rows[first:end:step]
    number = data.draw(st.integers(-len(rows), len(rows) - 1))
    assert found[number] == rows[number]
    assert passages.corpus_digest(found[first:end]) == passages.corpus_digest(rows[first:end])
    for outside in (len(rows), -len(rows) - 1):
        with pytest.raises(IndexError):
            found[outside]


@settings(max_examples=25, deadline=None)
@given(rows=ROWS)
def test_a_survey_knows_digest_and_lines_of_the_file_before_it_is_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Passage]
) -> None:
    rows = list({row.id: row for row in rows}.values())
    path = tmp_path_factory.mktemp("rows") / "passages.jsonl"
    found = passages.survey(rows)
    write_jsonl(path, rows)
    assert found.corpus == file_digest(path)
    assert list(passages.PassageFile(path, found.offsets)) == rows


def test_lines_are_found_wherever_the_pieces_of_a_file_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_jsonl(tmp_path / "p.jsonl", pages(20))
    for size in (1, 7, 64):
        monkeypatch.setattr(passages, "BYTES", size)
        assert list(passages.scan(tmp_path / "p.jsonl")) == pages(20)


def test_a_bad_line_is_named_by_its_number_in_the_file(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "p.jsonl", pages(100))
    lines = (tmp_path / "p.jsonl").read_text().splitlines()
    lines[90] = '{"id": "x"}'
    (tmp_path / "p.jsonl").write_text("\n".join(lines))
    found = passages.scan(tmp_path / "p.jsonl")
    assert found[89].id == "p89"
    for read in (lambda: found[90], lambda: list(found), lambda: found[80:][10]):
        with pytest.raises(InputError, match=r"p\.jsonl, line 91: no valid Passage"):
            read()


def test_a_file_that_is_replaced_is_not_looked_at_and_one_that_is_cut_is_an_error(
    tmp_path: Path,
) -> None:
    write_jsonl(tmp_path / "p.jsonl", pages(3))
    found = passages.scan(tmp_path / "p.jsonl")
    write_jsonl(tmp_path / "p.jsonl", pages(9)[::-1])  # under another name first
    assert list(found) == pages(3)
    found = passages.scan(tmp_path / "p.jsonl")
    (tmp_path / "p.jsonl").write_text("")
    with pytest.raises(InputError, match="was cut while it was read"):
        found[0]


def test_only_ids_that_are_equal_are_refused_not_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passages, "hash", lambda text: 7, raising=False)
    assert len(passages.survey(pages(5)).offsets) == 6
    with pytest.raises(InputError, match="'p3' occurs twice"):
        passages.survey([*pages(5), pages(4)[3]])


@pytest.mark.parametrize("plain", [True, False])
def test_a_loaded_index_holds_where_passages_are_and_not_what_they_say(
    tmp_path: Path, plain: bool
) -> None:
    rows = [p.model_copy(update={"text": "x" * 1000}) for p in pages(10_000)]  # 10 MB
    if plain:
        write_jsonl(tmp_path / "p.jsonl", rows)
    else:
        laid_out(tmp_path / "p.jsonl", rows, "")
    bm25.build(rows, SETTINGS, tmp_path / "index")
    corpus = passages.corpus_digest(rows)
    tracemalloc.start()
    try:
        found = passages.matching(tmp_path / "p.jsonl", corpus, tmp_path / "index")
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert found[9_999] == rows[9_999]
    assert held < 12 * len(rows) + 10**6  # pydantic keeps up to a megabyte of short texts


def test_lines_of_an_index_are_mapped(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "p.jsonl", pages(5))
    bm25.build(pages(5), SETTINGS, tmp_path / "index")
    found = passages.matching(
        tmp_path / "p.jsonl", file_digest(tmp_path / "p.jsonl"), tmp_path / "index"
    )
    assert isinstance(found._offsets.base, np.memmap)
