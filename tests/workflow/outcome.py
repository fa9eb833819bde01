"""What a run of the workflow ended with: digests of its results, whatever it took to make them."""

import csv
import json
from pathlib import Path
from typing import Any

from mem1.provenance import file_digest, json_digest, text_digest

MEASURED = ("seconds", "retrieval_seconds")  # names of what a clock said


def digests(results: Path) -> dict[str, str]:
    """Digest of each result below ``results/<preset>``, by relative path; times do not count.

    Records and tables are read without their times. Left out: logs, benchmarks, checkpoints, what
    is about the tracker, and what is drawn from times as well or says when it was made.
    """
    kinds = {"eval/*/*.jsonl": _records, "tables/*.csv": _table}
    kinds |= dict.fromkeys(("config/*.json", "tokenizer/*", "tasks/*", "train/*/*"), file_digest)
    kinds |= dict.fromkeys(("train/*/model/*", "world/*/*", "webshop/*/*"), file_digest)
    kinds |= dict.fromkeys(("index/*/manifest.json", "verified.json"), file_digest)
    return {
        path.relative_to(results).as_posix(): digest(path)
        for pattern, digest in kinds.items()
        for path in sorted(results.glob(pattern))
        if path.is_file() and not path.name.startswith(".")
    }


def _records(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    return json_digest([_timeless(json.loads(line)) for line in lines])


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _timeless(v) for name, v in value.items() if name not in MEASURED}
    return [_timeless(v) for v in value] if isinstance(value, list) else value


def _table(path: Path) -> str:
    rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    return text_digest(repr([row for row in rows if not _measured(row)]))


def _measured(row: dict[str, str]) -> bool:
    """Whether a clock said it; ratios name what is divided in words."""
    return row.get("metric") in MEASURED or row.get("quantity", "").startswith("time, ")
