"""Recorded answers of a retriever: what it found for queries that agents once asked."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mem1.errors import InputError


@dataclass(frozen=True)
class Call:
    """One query with the passages that were found."""

    source: str  # data set of the question behind it
    query: str
    passages: tuple[str, ...]  # ids, best first


def read_calls(path: Path, passages: str = "wiki18") -> list[Call]:
    """The calls in a JSONL file with ``dataset``, ``query`` and ``ranked_passage_ids``.

    A query that occurs again in its data set counts once, with its first answer.

    Args:
        path: the file.
        passages: prefix of the ids of passages.

    Raises:
        InputError: naming file, line, field and fix.
    """
    found: dict[tuple[str, str], Call] = {}
    try:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                call = _call(line, f"{path}, line {number}", passages)
                found.setdefault((call.source, call.query), call)
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist: make it first, or correct the path.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text ({error.reason}): rebuild it.") from error
    return list(found.values())


def _call(line: str, where: str, passages: str) -> Call:
    try:
        row: Any = json.loads(line)
        source, query, ids = row["dataset"], row["query"], row["ranked_passage_ids"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise InputError(
            f"{where}: no object with dataset, query and ranked_passage_ids; correct or remove it."
        ) from error
    if not isinstance(ids, list) or not ids:
        raise InputError(f"{where}: 'ranked_passage_ids' is no list of ids; correct or remove it.")
    return Call(str(source), str(query), tuple(f"{passages}-{name}" for name in ids))
