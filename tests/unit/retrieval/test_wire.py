"""Search-R1's format: passages come back as they were, whatever they hold."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem1.records import Passage
from mem1.retrieval import wire
from mem1.retrieval.base import Hit

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
PASSAGES = st.builds(Passage, id=TEXT, title=TEXT, text=TEXT)


def test_a_document_has_its_title_in_the_first_line() -> None:
    passage = Passage(id="7", title="York", text="York is a city.\nIt is old.")
    assert wire.document(passage) == {"id": "7", "contents": '"York"\nYork is a city.\nIt is old.'}


def test_without_scores_the_answer_is_the_documents() -> None:
    passage = Passage(id="7", title="York", text="A city.")
    document = {"id": "7", "contents": '"York"\nA city.'}
    hits = [[Hit(passage, 1.5)], []]
    assert wire.answer(hits, scores=False) == {"result": [[document], []]}
    assert wire.answer(hits, scores=True) == {
        "result": [[{"document": document, "score": 1.5}], []]
    }


@given(passage=PASSAGES)
def test_a_passage_comes_back_as_it_was(passage: Passage) -> None:
    sent = json.loads(json.dumps(wire.document(passage)))
    assert wire.passage_of(sent) == passage


@given(hits=st.lists(st.lists(st.builds(Hit, PASSAGES, st.floats(-9, 9)), max_size=4), max_size=4))
def test_hits_come_back_as_they_were(hits: list[list[Hit]]) -> None:
    sent = json.loads(json.dumps(wire.answer(hits, scores=True)))
    assert wire.hits_of(sent, len(hits), 4) == hits


@pytest.mark.parametrize(
    ("document", "title", "text"),
    [
        ({"id": 7, "contents": '"York"\nA city.'}, "York", "A city."),
        ({"id": "7", "contents": "York\nA city."}, "York", "A city."),
        ({"_id": "7", "title": "York", "text": "A city."}, "York", "A city."),
        ({"id": "7", "contents": '"'}, '"', ""),
    ],
)
def test_documents_of_other_servers_are_understood(
    document: dict[str, object], title: str, text: str
) -> None:
    assert wire.passage_of(document) == Passage(id="7", title=title, text=text)


def test_a_document_without_an_id_is_named_by_its_contents() -> None:
    first, again, other = (
        wire.passage_of({"contents": contents}).id for contents in ("a\nb", "a\nb", "a\nc")
    )
    assert first == again != other
