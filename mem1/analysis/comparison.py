"""How far a run is from the committed one of its preset.

Whether it agrees is decided by the numbers of the sheets that ``config/tolerances.yaml`` names, by
the verdicts on the paper's claims, and by no file being missing. Equal bytes are reported, and so
is another configuration, code or library: these explain a difference and are none.
"""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mem1.analysis.reference import Made, Reference, differences
from mem1.config_learning import Section
from mem1.errors import InputError
from mem1.provenance import file_digest, read_json

CLAIMS = "claims.json"


class Allowed(Section):
    """How far one metric may be from the reference; exactly one of these."""

    of_objectives: float | None = Field(default=None, ge=0)
    absolute: float | None = Field(default=None, ge=0)
    relative: float | None = Field(default=None, ge=0)
    ignored: str | None = None

    @model_validator(mode="after")
    def _one(self) -> "Allowed":
        if sum(value is not None for value in self.model_dump().values()) != 1:
            raise ValueError("give one of of_objectives, absolute, relative and ignored")
        return self

    def distance(self, reference: float, objectives: float | None) -> float | None:
        """The largest distance to ``reference`` that is allowed; None if it is not compared."""
        if self.ignored is not None:
            return None
        if self.relative is not None:
            return self.relative * abs(reference)
        return (self.absolute or 0.0) + (self.of_objectives or 0.0) * (objectives or 1)


class Sheet(Section):
    """A CSV whose numbers are compared."""

    file: str
    key: list[str] = Field(description="columns that name a number")
    metric: str | None = Field(default=None, description="column of the metric; null: values are")
    values: list[str] = Field(min_length=1, description="columns of numbers")
    only: dict[str, str] = Field(default={}, description="column to the text that rows must have")


class Tolerances(Section):
    """``config/tolerances.yaml``."""

    sheets: list[Sheet]
    metrics: dict[str, Allowed]
    may_turn: dict[str, str] = Field(
        default={}, description="claim to why its verdict may be another one"
    )


class _Numbers(BaseModel):
    """A number of ``claims.json``; ratios over 0 are the text Infinity."""

    model_config = ConfigDict(extra="ignore")
    low: float | None
    high: float | None


class _Part(_Numbers):
    what: str
    decides: bool


class _Claim(BaseModel):
    model_config = ConfigDict(extra="ignore")
    id: str
    verdict: str
    parts: list[_Part]


class _Claims(BaseModel):
    model_config = ConfigDict(extra="ignore")
    claims: list[_Claim]


@dataclass(frozen=True)
class Number:
    """One number of a sheet, with its 95 % interval where it has one."""

    value: float
    low: float
    high: float
    objectives: float | None


STATES = ("same bytes", "other bytes", "missing")
Verdict = Literal["same", "within", "differs", "missing", "not compared"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


@dataclass(frozen=True)
class Check:
    """One number, or one claim, of the reference and what became of it."""

    where: str  # file
    metric: str
    key: str
    reference: str
    new: str
    verdict: Verdict


def load_tolerances(path: Path) -> Tolerances:
    """The tolerances in ``path``.

    Raises:
        InputError: missing, or not what the schema says.
    """
    try:
        return Tolerances.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist: correct the path.") from error
    except (yaml.YAMLError, ValidationError) as error:
        first = str(error).splitlines()
        raise InputError(f"{path}: {' '.join(first[:3])}; correct it.") from error


def numbers(path: Path, sheet: Sheet) -> dict[tuple[str, str], Number]:
    """By metric and key: the numbers of a sheet; empty cells are none.

    Raises:
        InputError: a column is missing, or a cell is no number.
    """
    found: dict[tuple[str, str], Number] = {}
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            try:
                if any(row[column] != text for column, text in sheet.only.items()):
                    continue
                key = " ".join(row[column] for column in sheet.key)
                for column in sheet.values:
                    if row[column] == "":
                        continue
                    value = float(row[column])
                    low, high = (float(row.get(side) or value) for side in ("low", "high"))
                    objectives = row.get("horizon") or row.get("objectives") or ""
                    number = float(objectives) if objectives.isdecimal() else None
                    metric = row[sheet.metric] if sheet.metric else column
                    found[metric, key] = Number(value, low, high, number)
            except (KeyError, ValueError, TypeError) as error:
                raise InputError(
                    f"{path}: no sheet with the columns of the tolerances ({error}): make it again."
                ) from error
    return found


def judge(reference: Number, new: Number | None, allowed: Allowed) -> Verdict:
    """What became of one number."""
    distance = allowed.distance(reference.value, reference.objectives)
    if distance is None:
        return "not compared"
    if new is None:
        return "missing"
    if new == reference:
        return "same"
    overlap = new.low <= reference.high and reference.low <= new.high
    apart = abs(new.value - reference.value)
    near = apart <= distance or math.isclose(apart, distance)
    return "within" if overlap or near else "differs"


def check_sheets(
    folder: Path, results: Path, reference: Reference, tolerances: Tolerances
) -> Iterator[Check]:
    """Every number of the reference's sheets against the new ones below ``results``.

    Raises:
        InputError: a metric of the reference has no tolerance.
    """
    for sheet in tolerances.sheets:
        kept = reference.files.get(sheet.file)
        if kept is None:
            continue
        path = results / kept.source
        new = numbers(path, sheet) if path.is_file() else {}
        for (metric, key), number in numbers(folder / sheet.file, sheet).items():
            allowed = tolerances.metrics.get(metric)
            if allowed is None:
                raise InputError(
                    f"The tolerances have no entry for {metric!r} of {sheet.file}: add how far it "
                    f"may be from the reference."
                )
            got = new.get((metric, key))
            yield Check(
                sheet.file,
                metric,
                key,
                f"{number.value:g}",
                "" if got is None else f"{got.value:g}",
                judge(number, got, allowed),
            )


def _claims(path: Path) -> dict[str, _Claim]:
    try:
        found = _Claims.model_validate(read_json(path))
    except ValidationError as error:
        raise InputError(f"{path} holds no claims: make it again.") from error
    return {claim.id: claim for claim in found.claims}


def _overlap(first: _Part, second: _Part) -> bool:
    ends = (first.low, first.high, second.low, second.high)
    if any(end is None for end in ends):
        return ends[:2] == ends[2:]
    low, high, other_low, other_high = (float(end or 0) for end in ends)
    return low <= other_high and other_low <= high


def check_claims(
    folder: Path, results: Path, reference: Reference, tolerances: Tolerances
) -> Iterator[Check]:
    """Every claim: the same verdict, one whose numbers have overlapping intervals, or one that
    may turn.
    """
    kept = reference.files.get(CLAIMS)
    if kept is None:
        return
    path = results / kept.source
    new = _claims(path) if path.is_file() else {}
    for name, claim in _claims(folder / CLAIMS).items():
        got = new.get(name)
        if got is None or (got.verdict == "not run" != claim.verdict):
            verdict: Verdict = "missing"
        elif got.verdict == claim.verdict:
            verdict = "same"
        else:
            parts = {part.what: part for part in got.parts}
            near = all(
                part.what in parts and _overlap(part, parts[part.what])
                for part in claim.parts
                if part.decides
            )
            verdict = "within" if near or name in tolerances.may_turn else "differs"
        shown = "" if got is None else got.verdict
        yield Check(CLAIMS, "verdict", name, claim.verdict, shown, verdict)


def check_files(results: Path, reference: Reference) -> dict[str, str]:
    """Name to what became of each file: same bytes, other bytes, or missing."""
    found = {}
    for name, kept in reference.files.items():
        path = results / kept.source
        if not path.is_file():
            found[name] = "missing"
        else:
            same = file_digest(path) == kept.sha256
            found[name] = "same bytes" if same else "other bytes"
    return found


def agrees(files: Mapping[str, str], checks: Sequence[Check]) -> bool:
    """Whether nothing is missing and nothing differs by more than is allowed."""
    verdicts = {check.verdict for check in checks}
    return "missing" not in {*files.values(), *verdicts} and "differs" not in verdicts


def to_markdown(
    reference: Reference, made: Made, files: Mapping[str, str], checks: Sequence[Check]
) -> str:
    """The comparison as ``reference.md``."""
    agree = "agrees" if agrees(files, checks) else "does not agree"
    counted = {state: sum(found == state for found in files.values()) for state in STATES}
    states = ", ".join(f"{n} {state}" for state, n in counted.items() if n)
    changed = differences(reference.made, made)
    out = [
        f"# Preset `{reference.preset}` against the committed run",
        "",
        f"This run **{agree}** with it. Files: {states}.",
        "",
        *(f"- {text}" for text in changed),
        *([""] if changed else []),
        "A number is *within* where its 95 % interval overlaps that of the committed run, or where "
        "it is no further from it than `config/tolerances.yaml` allows; a verdict, where the "
        "intervals behind it overlap, or where that file says why it may turn.",
        "",
        "| file | metric | same | within | differs | missing | not compared |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    groups = dict.fromkeys((check.where, check.metric) for check in checks)
    for where, metric in groups:
        mine = [c.verdict for c in checks if (c.where, c.metric) == (where, metric)]
        cells = " | ".join(str(mine.count(verdict) or "") for verdict in VERDICTS)
        out.append(f"| {where} | {metric} | {cells} |")
    for verdict in ("differs", "missing"):
        rows = [check for check in checks if check.verdict == verdict]
        if rows:
            out += ["", f"## {verdict.capitalize()}", ""]
            out += ["| file | metric | of | committed | this run |", "|---|---|---|---:|---:|"]
            out += [f"| {c.where} | {c.metric} | {c.key} | {c.reference} | {c.new} |" for c in rows]
    turned = [c for c in checks if c.where == CLAIMS and c.verdict == "within"]
    if turned:
        out += ["", "## Verdicts that turned, as they may", ""]
        out += [f"- {c.key}: {c.reference} then, {c.new} now." for c in turned]
    absent = [name for name, state in files.items() if state == "missing"]
    if absent:
        out += ["", f"Files that this run does not have: {', '.join(absent)}."]
    return "\n".join(out) + "\n"
