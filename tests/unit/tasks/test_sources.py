"""Readers of the published layouts, and their messages for files that do not fit."""

import json
from pathlib import Path
from typing import Any

import pytest

from mem1.errors import InputError
from mem1.records import Passage, Question
from mem1.tasks import sources
from mem1.tasks.selection import merge, select
from mem1.tasks.sources import Source

OFFICIAL = {
    "_id": "5a7",
    "question": "If Gallu is a demon, Lilu is what? ",
    "answer": "a spirit",
    "context": [["Alû", ["Alû is a spirit.", " It hides."]], ["Gallu", ["A demon."]]],
}
HUB = {
    "question": "If Gallu is a demon, Lilu is what?",
    "answer": "a spirit",
    "context": {
        "title": ["Alû", "Gallu"],
        "sentences": [["Alû is a spirit.", " It hides."], ["A demon."]],
    },
}
WIKI_QUESTION = {
    "dataset": "nq",
    "id": "test_3",
    "question": "who wrote it",
    "golden_answers": ["Ann Lee", "A. Lee"],
    "retrieved_passage_ids": [0, 7],
}


def write(folder: Path, value: Any) -> Path:
    path = folder / "set.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def write_lines(folder: Path, *values: Any) -> Path:
    path = folder / "set.jsonl"
    lines = [value if isinstance(value, str) else json.dumps(value) for value in values]
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def test_official_layout(tmp_path: Path) -> None:
    source = sources.read_hotpotqa(write(tmp_path, [OFFICIAL]))
    assert source.questions == [
        Question(
            id="hotpotqa-5a7",
            text="If Gallu is a demon, Lilu is what?",
            golds=["a spirit"],
            source="hotpotqa",
            hops=2,
        )
    ]
    assert [(p.title, p.text) for p in source.passages] == [
        ("Alû", "Alû is a spirit. It hides."),
        ("Gallu", "A demon."),
    ]
    assert source.evidence == {"hotpotqa-5a7": [p.id for p in source.passages]}


def test_hub_layout_gives_the_same_passages(tmp_path: Path) -> None:
    official = sources.read_hotpotqa(write(tmp_path, [OFFICIAL]))
    hub = sources.read_hotpotqa(write(tmp_path, [HUB]))
    assert hub.passages == official.passages
    assert hub.questions[0].text == official.questions[0].text
    assert hub.questions[0].id.startswith("hotpotqa-")


def test_ids_made_from_content_are_pinned(tmp_path: Path) -> None:
    source = sources.read_hotpotqa(write(tmp_path, [HUB]))
    assert source.questions[0].id == "hotpotqa-409f1ef3a9c2bce1"
    assert source.passages[1].id == "hotpotqa-7299e0cb12f1baf5"


def test_a_paragraph_of_two_questions_is_one_passage(tmp_path: Path) -> None:
    source = sources.read_hotpotqa(write(tmp_path, [OFFICIAL, {**OFFICIAL, "_id": "2"}]))
    assert len(source.passages) == 2
    assert source.evidence["hotpotqa-2"] == source.evidence["hotpotqa-5a7"]


def test_titles_to_sentences(tmp_path: Path) -> None:
    from_context = sources.read_hotpotqa(write(tmp_path, [OFFICIAL])).passages
    corpus = dict(OFFICIAL["context"])  # type: ignore[arg-type]
    assert sources.read_titles(write(tmp_path, corpus)) == from_context


def test_passages_jsonl(tmp_path: Path) -> None:
    path = write_lines(tmp_path, {"id": 0, "title": "Citibank", "text": "a  bank\n"})
    assert sources.read_passages(path) == [Passage(id="wiki18-0", title="Citibank", text="a bank")]


def test_passages_with_contents(tmp_path: Path) -> None:
    path = write_lines(tmp_path, {"id": "5", "contents": '"Ann Lee"\nborn in\nYork'})
    assert sources.read_passages(path) == [
        Passage(id="wiki18-5", title="Ann Lee", text="born in York")
    ]


def test_questions_jsonl(tmp_path: Path) -> None:
    source = sources.read_questions(write_lines(tmp_path, WIKI_QUESTION))
    assert source.questions == [
        Question(
            id="nq-test_3",
            text="who wrote it",
            golds=["Ann Lee", "A. Lee"],
            source="nq",
            hops=1,
        )
    ]
    assert source.evidence == {"nq-test_3": ["wiki18-0", "wiki18-7"]}


def test_questions_without_a_dataset_or_evidence(tmp_path: Path) -> None:
    row = {"id": 4, "question": "who?", "golden_answers": ["x"]}
    source = sources.read_questions(write_lines(tmp_path, row), dataset="musique")
    assert (source.questions[0].id, source.questions[0].hops) == ("musique-4", "multi")
    assert source.evidence == {}


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_max_passages_limits_every_reader(tmp_path: Path, limit: int) -> None:
    assert len(sources.read_hotpotqa(write(tmp_path, [HUB]), max_passages=limit).passages) == min(
        limit, 2
    )
    titles = write(tmp_path, {"a": ["x"], "b": ["y"]})
    assert len(sources.read_titles(titles, max_passages=limit)) == min(limit, 2)
    lines = write_lines(tmp_path, *({"id": i, "title": "t", "text": str(i)} for i in range(2)))
    assert len(sources.read_passages(lines, max_passages=limit)) == min(limit, 2)


def without(record: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != name}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1,", "is not valid JSON"),
        ({}, "holds an object"),
        ([3], "record 1: the record is a number"),
        ([OFFICIAL, without(OFFICIAL, "answer")], "record 2: 'answer' is missing"),
        ([{**OFFICIAL, "question": 3}], "record 1: 'question' is a number"),
        ([{**OFFICIAL, "question": "  "}], "record 1: 'question' is empty"),
        ([without(OFFICIAL, "context")], "record 1: 'context' is missing"),
        ([{**OFFICIAL, "context": [["t"]]}], "'context' is no list of"),
        ([{**OFFICIAL, "context": [["t", "one text"]]}], "'t' is no title with a list"),
        ([{**HUB, "context": {"title": ["a"]}}], "'context': 'sentences' is missing"),
        ([{**HUB, "context": {"title": ["a"], "sentences": []}}], "1 titles and 0 lists"),
    ],
)
def test_a_bad_hotpotqa_file_is_named_with_its_record(
    tmp_path: Path, content: Any, message: str
) -> None:
    path = write(tmp_path, content)
    with pytest.raises(InputError) as caught:
        sources.read_hotpotqa(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: no valid JSON"),
        ("", "line 2: no valid JSON"),
        ([1], "line 2: the record is a list"),
        (without(WIKI_QUESTION, "question"), "line 2: 'question' is missing"),
        (without(WIKI_QUESTION, "golden_answers"), "line 2: 'golden_answers' is missing"),
        ({**WIKI_QUESTION, "golden_answers": []}, "line 2: 'golden_answers' is no list"),
        ({**WIKI_QUESTION, "golden_answers": [4]}, "line 2: 'golden_answers' is no list"),
        ({**WIKI_QUESTION, "golden_answers": "x"}, "line 2: 'golden_answers' is a text"),
        (without(WIKI_QUESTION, "id"), "line 2: 'id' is missing"),
        ({**WIKI_QUESTION, "retrieved_passage_ids": 3}, "'retrieved_passage_ids' is a number"),
    ],
)
def test_a_bad_questions_file_is_named_with_its_line(
    tmp_path: Path, line: Any, message: str
) -> None:
    path = write_lines(tmp_path, WIKI_QUESTION, line)
    with pytest.raises(InputError) as caught:
        sources.read_questions(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"id": 1, "title": "t"}, "line 1: 'text' is missing"),
        ({"title": "t", "text": "x"}, "line 1: 'id' is missing"),
        ({"id": True, "title": "t", "text": "x"}, "line 1: 'id' is true or false"),
        ({"id": 1, "title": None, "text": "x"}, "line 1: 'title' is null"),
    ],
)
def test_a_bad_passages_file_is_named_with_its_line(
    tmp_path: Path, line: Any, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        sources.read_passages(write_lines(tmp_path, line))


def test_a_bad_titles_file_is_named_with_its_title(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'Alû': the paragraph 'Alû' is no title"):
        sources.read_titles(write(tmp_path, {"Alû": "text"}))


@pytest.mark.parametrize(
    "reader",
    [
        sources.read_hotpotqa,
        sources.read_titles,
        sources.read_passages,
        sources.read_questions,
    ],
)
def test_a_missing_file_is_named(tmp_path: Path, reader: Any) -> None:
    with pytest.raises(InputError, match=r"absent\.json does not exist"):
        reader(tmp_path / "absent.json")


def test_binary_lines_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"\xff\xfe\n")
    with pytest.raises(InputError, match="is not UTF-8"):
        sources.read_passages(path)


def passage(name: str, text: str, title: str = "T") -> Passage:
    return Passage(id=name, title=title, text=text)


def question(name: str, gold: str, text: str | None = None) -> Question:
    return Question(id=name, text=text or f"{name}?", golds=[gold], source="made")


def test_merge_keeps_each_content_once_and_evidence_follows() -> None:
    first = Source(passages=[passage("a", "same"), passage("b", "other")])
    second = Source([question("q", "x")], [passage("c", "same")], {"q": ["c", "b", "a"]})
    merged, repeated = merge([first, second])
    assert [p.id for p in merged.passages] == ["a", "b"]
    assert merged.evidence == {"q": ["a", "b"]}
    assert repeated == 1


def test_merge_keeps_equal_texts_under_different_titles() -> None:
    merged, _ = merge([Source(passages=[passage("a", "x", "T"), passage("b", "x", "U")])])
    assert len(merged.passages) == 2


@pytest.mark.parametrize("texts", [["ax", "ay"], ["ax", "by", "ay"], ["ax", "bx", "by"]])
def test_merge_refuses_one_id_for_two_passages(texts: list[str]) -> None:
    """Also where one of the two contents stays under another id."""
    twice = max("ab", key=[text[0] for text in texts].count)
    with pytest.raises(InputError, match=f"passages have the id '{twice}'"):
        merge([Source(passages=[passage(*text) for text in texts])])


def test_merge_takes_the_same_passage_again() -> None:
    again = [passage("a", "x"), passage("b", "x"), passage("a", "x"), passage("b", "x")]
    assert merge([Source(passages=again)]) == (Source(passages=[passage("a", "x")]), 3)


def test_merge_refuses_one_id_for_two_questions() -> None:
    with pytest.raises(InputError, match="questions have the id 'q'"):
        merge([Source([question("q", "x", "one?"), question("q", "x", "two?")])])


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (question("bad", "one; two"), "semicolon_in_gold"),
        (question("bad", "Yes."), "yes_no"),
        (question("bad", "spirit", "GOOD?"), "repeated_text"),
        (question("bad", "spirits"), "answer_not_in_passages"),
    ],
)
def test_select_counts_what_it_drops(bad: Question, reason: str) -> None:
    source = Source([question("good", "the spirit"), bad], [passage("a", "A spirit, yes.")])
    kept, dropped = select(source)
    assert [q.id for q in kept] == ["good"]
    assert {name for name, count in dropped.items() if count} == {reason}


def test_select_looks_in_the_passages_of_the_question_only() -> None:
    passages = [passage("a", "nothing"), passage("b", "1912 is the year")]
    kept, _ = select(Source([question("q", "1912")], passages, {"q": ["a", "gone"]}))
    assert kept == []
    kept, _ = select(Source([question("q", "1912")], passages, {"q": ["b"]}))
    assert [q.id for q in kept] == ["q"]


def test_select_finds_an_answer_in_the_title() -> None:
    kept, _ = select(Source([question("q", "Ann Lee")], [passage("a", "A poet.", "Ann Lee")]))
    assert [q.id for q in kept] == ["q"]
