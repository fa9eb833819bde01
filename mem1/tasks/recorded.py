"""Recorded answers of a retriever: what it found for queries that agents once asked."""

from dataclasses import dataclass
from pathlib import Path

from mem1.tasks.rows import jsonl_rows
from mem1.tasks.sources import WIKI


@dataclass(frozen=True)
class Call:
    """One query with the passages that were found."""

    source: str  # data set of the question behind it
    query: str
    passages: tuple[str, ...]  # ids, best first


def read_calls(path: Path) -> list[Call]:
    """The calls in a JSONL file with ``dataset``, ``query`` and ``ranked_passage_ids``.

    A query that occurs again in its data set counts once, with its first answer.

    Raises:
        InputError: naming file, line, field and fix.
    """
    found: dict[tuple[str, str], Call] = {}
    for row in jsonl_rows(path):
        source = row.get("dataset", str, "the name of a set")
        query = row.get("query", str, "what was searched for")  # as it was asked, spaces too
        ids = row.ids("ranked_passage_ids")
        if not ids:
            raise row.bad("'ranked_passage_ids' is empty", "remove the record")
        call = Call(source, query, tuple(f"{WIKI}-{name}" for name in ids))
        found.setdefault((source, query), call)
    return list(found.values())
