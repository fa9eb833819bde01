"""Question sets in the layouts they are published in, and one reader for each.

================  =====================================================================
hotpotqa          HotpotQA, official or Hub layout (``tasks.sources``)
2wikimultihopqa   2WikiMultihopQA, which has the official layout of HotpotQA
musique           JSONL ``{id, question, answer, answer_aliases, answerable, paragraphs}``
nq-open           JSONL ``{question, answer: [...]}``
triviaqa          JSON ``{Data: [{QuestionId, Question, Answer: {Value, Aliases}}]}``
popqa             TSV with ``id``, ``question`` and ``possible_answers`` (a JSON list)
bamboogle         CSV with ``Question`` and ``Answer``
flashrag          JSONL ``{id, question, golden_answers}`` (``tasks.sources``)
titles, wiki18    passages alone (``tasks.sources``)
================  =====================================================================

A question keeps all answers its file accepts, the main one first. HotpotQA, 2WikiMultihopQA and
MuSiQue bring paragraphs; the paragraphs of a question are its evidence.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from mem1 import provenance
from mem1.config_sources import Layout
from mem1.records import Question
from mem1.tasks import sources
from mem1.tasks.rows import Row, content_id, csv_rows, json_rows, jsonl_rows
from mem1.tasks.sources import HOPS, Source, sentences_passage


def _question(
    dataset: str, named: object, text: str, golds: Sequence[str], hops: int | None = None
) -> Question:
    """One question of ``dataset``; without an id of its own it gets one made of its content."""
    return Question(
        id=content_id(dataset, text, *golds) if named is None else f"{dataset}-{named}",
        text=text,
        golds=list(dict.fromkeys(golds)),
        source=dataset,
        hops=HOPS.get(dataset) if hops is None else hops,
    )


def read_musique(path: Path, max_passages: int | None = None) -> Source:
    """MuSiQue; its ids start with the number of hops (``2hop__...``).

    Raises:
        InputError: naming file, line, field and fix; a question that the file says cannot be
            answered is one too (the sets "full" have them).
    """
    source = Source()
    for row in jsonl_rows(path):
        if isinstance(row.value, dict) and row.value.get("answerable") is False:
            raise row.bad("the question cannot be answered", "take the file of the set 'ans'")
        named = row.text("id")
        hops = named.partition("hop")[0][:1]
        golds = [row.text("answer"), *row.get("answer_aliases", list, "a list of answers")]
        question = _question(
            "musique",
            named,
            row.text("question"),
            row.accepted(golds, "answer_aliases"),
            int(hops) if hops.isdecimal() else None,
        )
        source.questions.append(question)
        evidence = source.evidence.setdefault(question.id, [])
        for part in row.get("paragraphs", list, "a list of paragraphs"):
            inner = Row(part, f"{row.where}, 'paragraphs'")
            passage = sentences_passage(
                "musique", inner.text("title"), [inner.text("paragraph_text")], inner
            )
            if max_passages is None or len(source.passages) < max_passages:
                source.passages.append(passage)
            evidence.append(passage.id)
    return source


def read_nq_open(path: Path) -> Source:
    """NQ-open, which has no ids.

    Raises:
        InputError: naming file, line, field and fix.
    """
    rows = jsonl_rows(path)
    return Source(
        [_question("nq", None, row.text("question"), row.answers("answer")) for row in rows]
    )


def read_triviaqa(path: Path) -> Source:
    """TriviaQA in the layout of its releases; the value is the first gold, aliases follow.

    Raises:
        InputError: naming file, record, field and fix.
    """
    source = Source()
    for row in json_rows(path, "Data"):
        answer = row.inner("Answer")
        golds = [answer.text("Value"), *answer.get("Aliases", list, "a list of answers")]
        source.questions.append(
            _question(
                "triviaqa",
                row.text("QuestionId"),
                row.text("Question"),
                answer.accepted(golds, "Aliases"),
            )
        )
    return source


def read_popqa(path: Path) -> Source:
    """PopQA, a TSV whose ``possible_answers`` are JSON.

    Raises:
        InputError: naming file, line, field and fix.
    """
    source = Source()
    for row in csv_rows(path, "\t"):
        try:
            golds = provenance.parse_json(row.text("possible_answers"))
        except ValueError as error:
            raise row.bad(
                f"'possible_answers' is no JSON ({error})", "give a list of answers"
            ) from error
        accepted = row.accepted(golds if isinstance(golds, list) else [], "possible_answers")
        source.questions.append(_question("popqa", row.text("id"), row.text("question"), accepted))
    return source


def read_bamboogle(path: Path) -> Source:
    """Bamboogle, a CSV without ids.

    Raises:
        InputError: naming file, line, field and fix.
    """
    rows = csv_rows(path)
    return Source(
        [_question("bamboogle", None, row.text("Question"), [row.text("Answer")]) for row in rows]
    )


def _hotpotqa(dataset: str) -> Callable[[Path, int | None], Source]:
    return lambda path, limit: sources.read_hotpotqa(path, dataset, limit)


# What reads each layout, given a path and the most passages to keep.
READERS: dict[Layout, Callable[[Path, int | None], Source]] = {
    "titles": lambda path, limit: Source(passages=sources.read_titles(path, max_passages=limit)),
    "wiki18": lambda path, limit: Source(passages=sources.read_passages(path, max_passages=limit)),
    "hotpotqa": _hotpotqa("hotpotqa"),
    "2wikimultihopqa": _hotpotqa("2wikimultihopqa"),
    "musique": read_musique,
    "nq-open": lambda path, limit: read_nq_open(path),
    "triviaqa": lambda path, limit: read_triviaqa(path),
    "popqa": lambda path, limit: read_popqa(path),
    "bamboogle": lambda path, limit: read_bamboogle(path),
    "flashrag": lambda path, limit: sources.read_questions(path),
}
