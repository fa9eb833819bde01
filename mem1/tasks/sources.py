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

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from mem1 import provenance
from mem1.errors import InputError
from mem1.records import Passage, Question

# Facts a question of a set needs; sets that mix numbers are not listed.
HOPS = {"nq": 1, "triviaqa": 1, "popqa": 1, "hotpotqa": 2, "bamboogle": 2}


@dataclass(frozen=True)
class Source:
    """What one file gave.

    ``evidence`` maps a question's id to the ids of the passages that its set gives with it;
    a question that is not in it may be answered from any passage.
    """

    questions: list[Question] = field(default_factory=list)
    passages: list[Passage] = field(default_factory=list)
    evidence: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Row:
    """One record of a file, with its place for messages."""

    value: Any
    where: str

    def bad(self, what: str, fix: str) -> InputError:
        return InputError(f"{self.where}: {what}; {fix}.")

    def get(self, name: str, kind: type | tuple[type, ...], meaning: str) -> Any:
        if not isinstance(self.value, dict):
            raise self.bad(
                f"the record is a {type(self.value).__name__}", "make it an object with fields"
            )
        if name not in self.value:
            raise self.bad(f"{name!r} is missing", f"add it ({meaning})")
        found = self.value[name]
        if not isinstance(found, kind) or isinstance(found, bool):
            raise self.bad(
                f"{name!r} is a {type(found).__name__}", f"it must be {meaning}: correct it"
            )
        return found

    def text(self, name: str) -> str:
        found = " ".join(self.get(name, str, "a text").split())
        if not found:
            raise self.bad(f"{name!r} is empty", "fill it in or remove the record")
        return found

    def ids(self, name: str) -> list[str]:
        return [str(part) for part in self.get(name, list, "a list of ids")]


def _json_rows(path: Path) -> Iterator[_Row]:
    values = provenance.read_json(path)
    if not isinstance(values, list):
        raise InputError(
            f"{path} holds a {type(values).__name__}: give a list of records in the HotpotQA "
            f"layout."
        )
    for number, value in enumerate(values, start=1):
        yield _Row(value, f"{path}, record {number}")


def _jsonl_rows(path: Path) -> Iterator[_Row]:
    try:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                where = f"{path}, line {number}"
                try:
                    yield _Row(json.loads(line), where)
                except json.JSONDecodeError as error:
                    raise InputError(
                        f"{where}: no valid JSON ({error.msg}); correct or remove the line."
                    ) from error
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist: make it first, or correct the path.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text ({error.reason}): rebuild it.") from error


def _content_id(prefix: str, *parts: str) -> str:
    return f"{prefix}-{provenance.json_digest(parts)[:16]}"


def _sentences_passage(prefix: str, title: Any, sentences: Any, row: _Row) -> Passage:
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
    return Passage(id=_content_id(prefix, title, text), title=title, text=text)


def _paragraphs(row: _Row) -> list[tuple[Any, Any]]:
    """(title, sentences) of a record in either HotpotQA layout."""
    context = row.get("context", (list, dict), "paragraphs with titles and sentences")
    if isinstance(context, list):
        if not all(isinstance(pair, list) and len(pair) == 2 for pair in context):
            raise row.bad("'context' is no list of [title, sentences]", "correct it")
        return [(title, sentences) for title, sentences in context]
    inner = _Row(context, f"{row.where}, 'context'")
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
    for row in _json_rows(path):
        text, answer = row.text("question"), row.text("answer")
        named = row.value.get("_id", row.value.get("id"))
        question = Question(
            id=f"{dataset}-{named}" if named else _content_id(dataset, text, answer),
            text=text,
            golds=[answer],
            source=dataset,
            hops=HOPS.get(dataset),
        )
        source.questions.append(question)
        evidence = source.evidence.setdefault(question.id, [])
        for title, sentences in _paragraphs(row):
            passage = _sentences_passage(dataset, title, sentences, row)
            if max_passages is None or len(kept) < max_passages:
                kept.setdefault(passage.id, passage)
            evidence.append(passage.id)
    source.passages.extend(kept.values())
    return source


def read_titles(
    path: Path, dataset: str = "hotpotqa", max_passages: int | None = None
) -> list[Passage]:
    """Passages of a JSON object that maps a title to its sentences.

    Raises:
        InputError: naming file, record (by its title) and fix.
    """
    values = provenance.read_json(path)
    if not isinstance(values, dict):
        raise InputError(
            f"{path} holds a {type(values).__name__}: give an object of title -> sentences."
        )
    return [
        _sentences_passage(dataset, title, sentences, _Row(sentences, f"{path}, {title!r}"))
        for title, sentences in islice(values.items(), max_passages)
    ]


def read_passages(
    path: Path, dataset: str = "wiki18", max_passages: int | None = None
) -> list[Passage]:
    """Passages of a JSONL file with ``id`` and either ``title`` and ``text`` or ``contents``.

    Raises:
        InputError: naming file, line, field and fix.
    """
    return [_passage(row, dataset) for row in islice(_jsonl_rows(path), max_passages)]


def _passage(row: _Row, dataset: str) -> Passage:
    name = f"{dataset}-{row.get('id', (int, str), 'a number or a text')}"
    if "contents" in row.value and "text" not in row.value:
        title, _, text = row.get("contents", str, "the title, a line break, the text").partition(
            "\n"
        )
        return Passage(id=name, title=title.strip().strip('"'), text=" ".join(text.split()))
    return Passage(id=name, title=row.get("title", str, "a text"), text=row.text("text"))


def read_questions(path: Path, dataset: str = "questions", passages: str = "wiki18") -> Source:
    """Questions of a JSONL file with ``question`` and ``golden_answers``.

    Args:
        path: the file.
        dataset: name of the set for rows without a ``dataset`` of their own.
        passages: prefix of the ids in ``retrieved_passage_ids``.

    Raises:
        InputError: naming file, line, field and fix.
    """
    source = Source()
    for row in _jsonl_rows(path):
        text = row.text("question")
        name = row.text("dataset") if "dataset" in row.value else dataset
        golds = row.get("golden_answers", list, "a list of accepted answers")
        if not golds or not all(isinstance(gold, str) and gold.strip() for gold in golds):
            raise row.bad(
                "'golden_answers' is no list of answers that are texts", "give at least one"
            )
        named = row.get("id", (int, str), "a number or a text")
        question = Question(
            id=f"{name}-{named}",
            text=text,
            golds=[" ".join(gold.split()) for gold in golds],
            source=name,
            hops=HOPS.get(name),
        )
        source.questions.append(question)
        if "retrieved_passage_ids" in row.value:
            source.evidence[question.id] = [
                f"{passages}-{part}" for part in row.ids("retrieved_passage_ids")
            ]
    return source
