"""Claims as ``claims.md`` and ``claims.json``."""

import json
from collections import Counter
from collections.abc import Sequence

from pydantic import BaseModel

from mem1.analysis.claims import Printed, Result, ResultPart, number_text
from mem1.analysis.expected import TITLES, Expected
from mem1.analysis.markdown import escape, pipe_table, plain_number
from mem1.analysis.settings import Analysis

SCHEMA = 1  # of claims.json; a field that is added leaves it, one that changes does not


class Inconsistency(BaseModel):
    """Something in the paper that does not fit together."""

    where: list[str]
    text: str


class Report(BaseModel):
    """``claims.json``."""

    version: int = SCHEMA
    paper: str
    preset: str
    limits: list[str]
    sources: dict[str, str]
    claims: list[Result]
    inconsistencies: list[Inconsistency]


def report(results: Sequence[Result], analysis: Analysis, expected: Expected) -> Report:
    """All claims, with what a reader must know beside them."""
    return Report(
        paper=expected.paper,
        preset=analysis.preset,
        limits=analysis.limits(),
        sources={str(label): text for label, text in expected.sources.items()},
        claims=list(results),
        inconsistencies=[
            Inconsistency(where=[TITLES[name] for name in note.where], text=note.text)
            for note in expected.notes
        ],
    )


def to_json(found: Report) -> str:
    """``claims.json``: keys in order, strict JSON."""
    values = json.loads(found.model_dump_json())
    return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _printed(number: Printed) -> str:
    """A number of the paper with the label of its source."""
    label = "" if number.source == "P" else f" [{number.source}]"
    return f"*{plain_number(number.value, 3).rstrip('0').rstrip('.')}*{label}"


def _measured(result: Result) -> str:
    """The number that stands for the claim, and which of several it is."""
    part = result.deciding()
    if part is None or part.value is None or not part.decides:
        return "not run"
    several = sum(p.decides and p.value is not None for p in result.parts) > 1
    return number_text(part) + (f" ({escape(part.what)})" if several else "")


def _paper(result: Result) -> str:
    part = result.deciding()
    if part is not None and part.paper is not None:
        return _printed(part.paper)
    return ", ".join(_printed(number) for number in result.paper[:2])


def _bound(part: ResultPart) -> str:
    holds = {True: "holds", False: "does not hold", None: "not run"}[part.holds]
    return f"{part.side} {part.bound:.4g}: {holds}" if part.decides else "shown only"


def summary_table(results: Sequence[Result]) -> str:
    """One row for each claim."""
    body = [
        [
            f"[{result.id}](#{result.id})",
            escape(result.statement),
            _measured(result),
            _paper(result),
            f"**{result.verdict}**",
        ]
        for result in results
    ]
    return pipe_table(["claim", "the paper says", "measured", "paper", "verdict"], body, left=2)


def _detail(result: Result) -> list[str]:
    """The claim's own section."""
    out = [f"### {result.id}", ""]
    source = "" if result.source == "P" else f", second-hand [{result.source}]"
    out += [f"{result.statement} ({result.where}{source})", ""]
    out += [f"- Test: {escape(result.test)}.", f"- Verdict: **{result.verdict}**."]
    if result.note:
        out.append(f"- Note: {escape(result.note)}.")
    shown = [number for number in result.paper if number not in [p.paper for p in result.parts]]
    out += [f"- Paper ({number.where}): {number.what}: {_printed(number)}." for number in shown]
    if result.parts:
        body = [
            [
                escape(part.what),
                number_text(part),
                "" if part.n is None else str(part.n),
                "" if part.paper is None else _printed(part.paper),
                _bound(part),
            ]
            for part in result.parts
        ]
        out += ["", pipe_table(["of", "measured", "tasks", "paper", "the claim"], body)]
    return [*out, ""]


def to_markdown(found: Report) -> str:
    """``claims.md``: limits, a row for each claim, then its numbers, then inconsistencies."""
    counts = Counter(result.verdict for result in found.claims)
    totals = ", ".join(
        f"{counts[verdict]} {verdict}"
        for verdict in ("supported", "not supported", "not run")
        if counts[verdict]
    )
    out = [f"# Claims of the paper, preset `{found.preset}`", ""]
    out += [f"{len(found.claims)} statements: {totals}.", ""]
    out += [f"- {text}" for text in found.limits]
    out += [
        "",
        "*Supported*: every number that decides was measured and has its whole 95 % interval on "
        "the claim's side. *Not supported*: one was measured and has not, wherever its mean lies. "
        "*Not run*: something that decides was not measured in this preset. Where several numbers "
        "decide, the table shows the one least on the claim's side. *Italic*: the paper's numbers, "
        "or ratios and differences of numbers in its tables; [S]: from second-hand notes on its "
        "appendix.",
        "",
        summary_table(found.claims),
        "",
        "## The numbers",
        "",
    ]
    for result in found.claims:
        out += _detail(result)
    out += ["## What does not fit together in the paper", ""]
    out += [f"- {', '.join(note.where)}: {note.text}" for note in found.inconsistencies]
    return "\n".join(out) + "\n"
