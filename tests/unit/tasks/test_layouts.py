"""Question sets in the layouts they are published in."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mem1.config_sources import Layout
from mem1.errors import InputError
from mem1.tasks import sources
from mem1.tasks.catalogue import read
from mem1.tasks.layouts import READERS

MUSIQUE = {
    "id": "3hop1__1_2_3",
    "question": "Who wrote the hymn of the town?",
    "answer": "Ann Lee",
    "answer_aliases": ["A. Lee", "Ann Lee"],
    "answerable": True,
    "paragraphs": [
        {"idx": 0, "title": "Town", "paragraph_text": "It has  a hymn.", "is_supporting": True},
        {"idx": 1, "title": "Hymn", "paragraph_text": "By Ann Lee.", "is_supporting": True},
    ],
}
TRIVIA = {
    "QuestionId": "tc_2",
    "Question": "Who was born in York?",
    "Answer": {"Value": "Ann Lee", "Aliases": ["A. Lee", "Ann Lee"], "NormalizedAliases": []},
}
WIKI2 = {
    "_id": "13f",
    "type": "comparison",
    "question": "Which is older?",
    "answer": "Gallu",
    "context": [["Gallu", ["Old."]]],
    "evidences": [],
}
POPQA = (
    'id\tsubj\tquestion\tpossible_answers\n42\tAnn\t"What is ""Ann""?"\t"[""poet"", ""bard""]"\n'
)
# layout: content of a file, and what it gives: id without its prefix, text, golds, hops
CASES: dict[Layout, tuple[str, tuple[str | None, str, list[str], Any]]] = {
    "musique": (
        json.dumps(MUSIQUE) + "\n",
        ("3hop1__1_2_3", "Who wrote the hymn of the town?", ["Ann Lee", "A. Lee"], 3),
    ),
    "2wikimultihopqa": (json.dumps([WIKI2]), ("13f", "Which is older?", ["Gallu"], "multi")),
    "nq-open": (
        '{"question": "who wrote it", "answer": ["Ann Lee", "A. Lee"]}\n',
        (None, "who wrote it", ["Ann Lee", "A. Lee"], 1),
    ),
    "triviaqa": (
        json.dumps({"Data": [TRIVIA], "Version": 1.0}),
        ("tc_2", "Who was born in York?", ["Ann Lee", "A. Lee"], 1),
    ),
    "popqa": (POPQA, ("42", 'What is "Ann"?', ["poet", "bard"], 1)),
    "bamboogle": (
        'Question,Answer\n"Who led, in York?",Ann Lee\n',
        (None, "Who led, in York?", ["Ann Lee"], 2),
    ),
    "flashrag": (
        json.dumps(
            {
                "id": "dev_0",
                "dataset": "musique",
                "question": "q?",
                "golden_answers": ["a", "b"],
                "metadata": {"type": "x"},
            }
        )
        + "\n",
        ("dev_0", "q?", ["a", "b"], "multi"),
    ),
}


@pytest.mark.parametrize("layout", CASES)
def test_a_layout_keeps_text_golds_and_hops(tmp_path: Path, layout: Layout) -> None:
    content, (name, text, golds, hops) = CASES[layout]
    path = tmp_path / "file"
    path.write_text(content, encoding="utf-8")
    (question,) = READERS[layout](path, None).questions
    assert (question.text, question.golds, question.hops) == (text, golds, hops)
    assert question.id == f"{question.source}-{name}" or name is None


@pytest.mark.parametrize("layout", ["musique", "2wikimultihopqa"])
def test_paragraphs_of_a_question_are_its_evidence(tmp_path: Path, layout: Layout) -> None:
    path = tmp_path / "file"
    path.write_text(CASES[layout][0], encoding="utf-8")
    source = READERS[layout](path, None)
    assert list(source.evidence.values()) == [[passage.id for passage in source.passages]]


def test_ids_made_from_content_are_stable(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(CASES["nq-open"][0], encoding="utf-8")
    first, second = (READERS["nq-open"](path, None).questions[0].id for _ in range(2))
    assert first == second
    assert first.startswith("nq-")


@pytest.mark.parametrize(
    ("layout", "content", "message"),
    [
        ("musique", json.dumps({**MUSIQUE, "answerable": False}), "cannot be answered"),
        ("musique", json.dumps({**MUSIQUE, "paragraphs": [{}]}), "'title' is missing"),
        ("musique", "3\n", "line 1: the record is a number"),
        ("nq-open", '{"question": "q", "answer": []}', "'answer' is no list of answers"),
        ("triviaqa", "[]", "the record is a list"),
        ("triviaqa", '{"Data": [{"Answer": 3}]}', "record 1: 'Answer' is a number"),
        ("popqa", "id\tquestion\tpossible_answers\n1\tq\tx\n", "line 2: 'possible_answers' is no"),
        ("popqa", "id\tquestion\n1\tq\n", "'possible_answers' is missing"),
        ("bamboogle", "Question,Answer\nq\n", "line 2: 'Answer' is missing"),
        ("bamboogle", "Question,Answer\nq,a,b\n", "line 2: it has more fields than the first"),
        ("bamboogle", 'Question,Answer\n"q,a\n', "no valid CSV"),
    ],
)
def test_a_record_that_does_not_fit_is_named(
    tmp_path: Path, layout: Layout, content: str, message: str
) -> None:
    path = tmp_path / "file"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="file") as caught:
        READERS[layout](path, None)
    assert message in str(caught.value)


def test_the_wikipedia_dump_is_read_compressed(tmp_path: Path) -> None:
    path = tmp_path / "blob"
    row = {"id": "7", "contents": '"Ann Lee"\nborn in York'}
    path.write_bytes(gzip.compress((json.dumps(row) + "\n").encode()))
    (passage,) = sources.iter_passages(path, compressed=True)
    assert (passage.id, passage.title, passage.text) == ("wiki18-7", "Ann Lee", "born in York")


@pytest.mark.parametrize(
    "harm",
    [
        lambda whole: whole[:40],
        lambda whole: whole[:20] + b"\xff" * 20 + whole[40:],
        lambda whole: b"no gzip " + whole,
    ],
    ids=["cut", "damaged", "plain"],
)
def test_a_damaged_compressed_file_is_an_error(
    tmp_path: Path, harm: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "x.gz"
    rows = [json.dumps({"id": i, "title": "T", "text": "x" * i}) for i in range(1, 500)]
    path.write_bytes(harm(gzip.compress("\n".join(rows).encode())))
    with pytest.raises(InputError, match=r"x\.gz is no whole gzip file .*: download it again"):
        sources.read_passages(path)


def test_reader_and_table_agree_on_single_and_multi_hop() -> None:
    def word(hops: object) -> str:
        return "unknown" if hops is None else "single" if hops == 1 else "multi"

    for dataset in read().values():
        assert word(sources.HOPS.get(dataset.source)) == dataset.hops, dataset.name


def test_rows_of_a_flashrag_file_are_those_of_the_datasets_library(tmp_path: Path) -> None:
    datasets: Any = pytest.importorskip("datasets")
    path = tmp_path / "test.jsonl"
    rows = [
        {"id": f"test_{i}", "question": f"q{i}?", "golden_answers": [f"a{i}", "x"], "metadata": {}}
        for i in range(5)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    load: Callable[..., Any] = datasets.load_dataset
    table = load("json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    ours = sources.read_questions(path, dataset="nq").questions
    assert [(q.text, q.golds) for q in ours] == [
        (row["question"], row["golden_answers"]) for row in table
    ]
