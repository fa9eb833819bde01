"""Tables and claims, made again from the records of a run and compared with what lies there."""

import argparse
import csv
import io
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

from mem1.analysis import claim_registry, material, rendered
from mem1.analysis.chain import Break
from mem1.dependencies import code_digest
from mem1.errors import InputError

TABLES = "tables/manifest.json"
CLAIMS = "claims.manifest.json"


def breaks(
    folder: Path, base: Path, found: Mapping[str, Mapping[str, Any]]
) -> tuple[int, list[Break]]:
    """Number of cells that follow from the records; of tables and claims the first that do not.

    Texts are compared only where the code that wrote them is that of now: other words do not break
    what lies there. Numbers have to follow from the records with any code.
    """
    tables = found[TABLES]
    expected = next((p for p in tables["inputs"] if Path(p).name == "expected.yaml"), None)
    if expected is None:
        what = "nothing says which numbers of the paper the tables were made with"
        return 0, [Break(TABLES, "file", what)]
    arguments = argparse.Namespace(
        config=folder / "config" / "analysis.json",
        records_dir=folder / "eval",
        expected=base / expected,
        train_dir=folder / "train",
    )
    try:
        evidence = material.read(arguments).evidence
        texts = {TABLES: rendered.tables_of(evidence)}
        if CLAIMS in found:
            results = claim_registry.results(evidence)
            texts[CLAIMS] = rendered.claims_of(results, evidence)
    except InputError as error:
        return 0, [Break(TABLES, "file", f"the tables cannot be made again: {error}")]
    cells, different = 0, []
    for manifest_name, made in texts.items():
        place, recorded = Path(manifest_name).parent, found[manifest_name]
        command = recorded.get("command")
        same_code = command is not None and recorded.get("code") == code_digest(command)
        for name in sorted(recorded["outputs"]):
            if not (same_code or name.endswith(".csv")):
                continue
            unlike = _unlike(folder / place / name, made.get(name))
            if unlike:
                what = f"{(place / name).as_posix()}{unlike}"
                different.append(Break(manifest_name, "file", what))
                break
            cells += count(made[name]) if name.endswith(".csv") else 0
    return cells, different


def _unlike(path: Path, made: str | None) -> str | None:
    """How the file at ``path`` is unlike what the records give; None if it is not."""
    if made is None:
        return " is not made any more"
    if not path.is_file():
        return " does not exist"
    text = path.read_text(encoding="utf-8")
    if text == made:
        return None
    different = _first_difference(text, made) if path.suffix == ".csv" else None
    return f": {different or _first_line(text, made)}"


def _first_line(there: str, made: str) -> str:
    """The first line that is another one in the text made from the records."""
    pairs = zip_longest(there.split("\n"), made.split("\n"))
    number = next(n for n, (one, other) in enumerate(pairs, start=1) if one != other)
    return f"line {number} is another one by the records"


def _rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def count(text: str) -> int:
    """Cells below the first row."""
    return sum(map(len, _rows(text)[1:]))


def _first_difference(there: str, made: str) -> str | None:
    """The first cell of a table that is another one in the table made from the records."""
    old, new = _rows(there), _rows(made)
    head = new[0] if new else []
    for number, (left, right) in enumerate(zip(old, new, strict=False), start=1):
        for column, (one, other) in enumerate(zip(left, right, strict=False)):
            if one != other:
                name = head[column] if column < len(head) else str(column + 1)
                return (
                    f"row {number} ({', '.join(right[:3])}), {name}: {one!r}, records say {other!r}"
                )
        if len(left) != len(right):
            return f"row {number} has {len(left)} cells, and {len(right)} by the records"
    if len(old) != len(new):
        return f"{len(old)} rows, and {len(new)} by the records"
    return None
