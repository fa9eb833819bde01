"""Questions and passages of real data sets, read from local JSON and JSONL files.

Layouts, as the sets are published:

=====================  ====================================================================
HotpotQA, official     list of ``{_id, question, answer, context: [[title, [sentence]]]}``
HotpotQA, Hub          the same with ``context: {title: [...], sentences: [[...]]}``
title -> sentences     one object, for the passages alone
passages JSONL         ``{id, title, text}``, or ``{id, contents}`` with the title on line 1
questions JSONL        ``{id, question, golden_answers}``; ``dataset`` and
                       ``retrieved_passage_ids`` are used where they are given
=====================  ====================================================================

Ids come from the files, or from the content where there are none. Departure from the paper's
code: a record that does not fit its layout is an error with its place, never a skipped row.
Which questions are used is decided elsewhere (``tasks.selection``).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from mem1 import provenance
from mem1.errors import InputError
from mem1.records import Passage, Question
from mem1.tasks.rows import Row, content_id, json_kind, json_rows, jsonl_rows

WIKI = "wiki18"  # prefix of the ids of passages of the Wikipedia dump of 2018

# Facts a question of a set needs; "multi": several, and the numbers are mixed.
HOPS: dict[str, int | Literal["multi"]] = {
    "nq": 1,
    "triviaqa": 1,
    "popqa": 1,
    "hotpotqa": 2,
    "bamboogle": 2,
    "2wikimultihopqa": "multi",
    "musique": "multi",
}


@dataclass(frozen=True)
class Source:
    """What one file gave.

    ``evidence`` maps a question's id to the ids of the passages that its set gives with it;
    a question that is not in it may be answered from any passage.
    """

    questions: list[Question] = field(default_factory=list)
    passages: list[Passage] = field(default_factory=list)
    evidence: dict[str, list[str]] = field(default_factory=dict)


def sentences_passage(prefix: str, title: Any, sentences: Any, row: Row) -> Passage:
    """One paragraph; its id is made of its content, so equal paragraphs have equal ids."""
    if not (
        isinstance(title, str)
        and isinstance(sentences, list)
        and all(isinstance(sentence, str) for sentence in sentences)
    ):
        raise row.bad(
            f"the paragraph {str(title)[:40]!r} is no title with a list of sentences",
            "correct its context",
        )
    text = " ".join(" ".join(sentences).split())
    return Passage(id=content_id(prefix, title, text), title=title, text=text)


def _paragraphs(row: Row) -> list[tuple[Any, Any]]:
    """(title, sentences) of a record in either HotpotQA layout."""
    context = row.get("context", (list, dict), "paragraphs with titles and sentences")
    if isinstance(context, list):
        if not all(isinstance(pair, list) and len(pair) == 2 for pair in context):
            raise row.bad("'context' is no list of [title, sentences]", "correct it")
        return [(title, sentences) for title, sentences in context]
    inner = row.inner("context")
    titles = inner.get("title", list, "a list of titles")
    sentences = inner.get("sentences", list, "a list of lists of sentences")
    if len(titles) != len(sentences):
        raise row.bad(
            f"'context' has {len(titles)} titles and {len(sentences)} lists of sentences",
            "make them equally many",
        )
    return list(zip(titles, sentences, strict=True))


def read_hotpotqa(path: Path, dataset: str = "hotpotqa", max_passages: int | None = None) -> Source:
    """Questions with their paragraphs, in either HotpotQA layout.

    Args:
        path: a JSON file.
        dataset: name of the set; prefix of ids.
        max_passages: keep the first paragraphs only; questions are all read.

    Raises:
        InputError: naming file, record, field and fix.
    """
    source = Source()
    kept: dict[str, Passage] = {}
    for row in json_rows(path):
        text, answer = row.text("question"), row.text("answer")
        named = row.value.get("_id", row.value.get("id"))
        question = Question(
            id=f"{dataset}-{named}" if named else content_id(dataset, text, answer),
            text=text,
            golds=[answer],
            source=dataset,
            hops=HOPS.get(dataset),
        )
        source.questions.append(question)
        evidence = source.evidence.setdefault(question.id, [])
        for title, sentences in _paragraphs(row):
            passage = sentences_passage(dataset, title, sentences, row)
            if max_passages is None or len(kept) < max_passages:
                kept.setdefault(passage.id, passage)
            evidence.append(passage.id)
    source.passages.extend(kept.values())
    return source


def read_titles(path: Path, max_passages: int | None = None) -> list[Passage]:
    """Passages of a JSON object that maps a title to its sentences, as of HotpotQA.

    Raises:
        InputError: naming file, record (by its title) and fix.
    """
    values = provenance.read_json(path)
    if not isinstance(values, dict):
        raise InputError(f"{path} holds {json_kind(values)}: give an object of title -> sentences.")
    return [
        sentences_passage("hotpotqa", title, sentences, Row(sentences, f"{path}, {title!r}"))
        for title, sentences in islice(values.items(), max_passages)
    ]


def read_passages(
    path: Path, dataset: str = WIKI, max_passages: int | None = None
) -> list[Passage]:
    """Passages of a JSONL file with ``id`` and either ``title`` and ``text`` or ``contents``.

    Raises:
        InputError: naming file, line, field and fix.
    """
    return list(iter_passages(path, dataset, max_passages))


def iter_passages(
    path: Path,
    dataset: str = WIKI,
    max_passages: int | None = None,
    compressed: bool | None = None,
) -> Iterator[Passage]:
    """``read_passages``, one at a time, for files that do not fit into memory.

    ``compressed`` says whether the file is a gzip file; by default its name does.
    """
    for row in islice(jsonl_rows(path, compressed), max_passages):
        yield _passage(row, dataset)


def _passage(row: Row, dataset: str) -> Passage:
    name = f"{dataset}-{row.get('id', (int, str), 'a number or a text')}"
    if "contents" in row.value and "text" not in row.value:
        title, _, text = row.get("contents", str, "the title, a line break, the text").partition(
            "\n"
        )
        return Passage(id=name, title=title.strip().strip('"'), text=" ".join(text.split()))
    return Passage(id=name, title=row.get("title", str, "a text"), text=row.text("text"))


def read_questions(path: Path, dataset: str = "questions") -> Source:
    """Questions of a JSONL file with ``question`` and ``golden_answers``.

    Args:
        path: the file.
        dataset: name of the set for rows without a ``dataset`` of their own.

    Raises:
        InputError: naming file, line, field and fix.
    """
    source = Source()
    for row in jsonl_rows(path):
        text = row.text("question")
        name = row.text("dataset") if "dataset" in row.value else dataset
        golds = row.answers("golden_answers")
        named = row.get("id", (int, str), "a number or a text")
        question = Question(
            id=f"{name}-{named}",
            text=text,
            golds=golds,
            source=name,
            hops=HOPS.get(name),
        )
        source.questions.append(question)
        if "retrieved_passage_ids" in row.value:
            source.evidence[question.id] = [
                f"{WIKI}-{part}" for part in row.ids("retrieved_passage_ids")
            ]
    return source
