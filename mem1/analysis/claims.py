"""The paper's statements as tests on our records, and the rule that decides them.

A claim is a pure function from the evidence to a finding: numbers with intervals, each with the
side of a bound that the paper's statement puts it on. Which claims there are is in
``claim_registry``.

Verdicts. *Supported*: every number that decides was measured and has its whole 95 % interval on
the claim's side. *Not supported*: one was measured and has not, be it that the interval lies on
the other side or across the bound. *Not run*: otherwise; what was measured in part is shown.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from mem1.analysis.evidence import Evidence
from mem1.analysis.expected import Source
from mem1.analysis.markdown import plain_number
from mem1.analysis.statistics import Interval

Verdict = Literal["supported", "not supported", "not run"]
Side = Literal["at least", "at most", "above", "below"]
ROUNDING = 1e-9  # means of the same values can differ by this


class Printed(BaseModel):
    """A number of the paper, or one that follows from its tables."""

    what: str
    value: float
    source: Source
    where: str  # which table


@dataclass(frozen=True)
class Part:
    """One number and where the claim puts it."""

    what: str
    side: Side
    bound: float
    interval: Interval | None  # None where not run
    paper: Printed | None = None
    decides: bool = True  # false: shown beside those that do
    digits: int = 2
    over_tasks: bool = True  # false: a number of trainings, for which tasks play no part

    @property
    def margin(self) -> float:
        """How far the nearer end of the interval is inside the bound; negative outside."""
        assert self.interval is not None
        if self.side in ("at least", "above"):
            return self.interval.low - self.bound
        return self.bound - self.interval.high

    @property
    def holds(self) -> bool:
        """Whether the whole interval is on the claim's side."""
        strict = self.side in ("above", "below")
        return self.margin > ROUNDING if strict else self.margin >= -ROUNDING

    def note(self) -> str:
        """What a reader must know about the number, or nothing."""
        got = self.interval
        if got is None:
            return "not run"
        if math.isinf(got.mean) or math.isnan(got.mean):
            return "the denominator is 0" if math.isinf(got.mean) else "0 divided by 0"
        if self.holds or not self.decides:
            return ""
        mean = Part(self.what, self.side, self.bound, Interval(got.mean, got.mean, got.mean, got.n))
        return "the mean reaches it, the interval does not" if mean.holds else ""


@dataclass(frozen=True)
class Finding:
    """What the evidence says of a claim."""

    test: str  # what decides it, in words
    parts: Sequence[Part] = ()
    paper: Sequence[Printed] = ()  # the paper's numbers besides those of the parts
    note: str = ""


@dataclass(frozen=True)
class Claim:
    """A statement of the paper, in our words, and how it is tested."""

    id: str
    statement: str
    source: Source
    where: str  # in the paper
    find: Callable[[Evidence], Finding] = field(repr=False)


class Numbers(BaseModel):
    """A number with its interval; null where it was not run. A ratio over 0 is "Infinity"."""

    model_config = ConfigDict(ser_json_inf_nan="strings")

    value: float | None
    low: float | None
    high: float | None
    n: int | None  # tasks


class ResultPart(Numbers):
    """A number behind a verdict."""

    what: str
    side: Side
    bound: float
    decides: bool
    holds: bool | None
    digits: int
    paper: Printed | None


class Result(Numbers):
    """A claim with its verdict: one entry of ``claims.json``.

    Its numbers are those of the part that is least on the claim's side, called ``of``.
    """

    id: str
    statement: str
    source: Source
    where: str
    test: str
    verdict: Verdict
    of: str | None
    paper: list[Printed]
    note: str
    parts: list[ResultPart]

    def deciding(self) -> ResultPart | None:
        """The part whose numbers stand for the claim; where none was run, the first."""
        named = (part for part in self.parts if part.what == self.of)
        return next(named, self.parts[0] if self.parts else None)


def weakest(parts: Sequence[Part]) -> Part | None:
    """The deciding part that is least on the claim's side; None where none was run."""
    run = [part for part in parts if part.decides and part.interval is not None]
    return min(run, key=lambda part: part.margin, default=None)


def judge(parts: Sequence[Part]) -> Verdict:
    """The verdict that ``parts`` give."""
    least = weakest(parts)
    if least is not None and not least.holds:
        return "not supported"
    complete = all(part.interval is not None for part in parts if part.decides)
    return "supported" if least is not None and complete else "not run"


def _notes(finding: Finding) -> str:
    """The finding's own note, then which parts hold, fail and were not run."""
    deciding = [part for part in finding.parts if part.decides]
    notes = [finding.note] if finding.note else []
    run = [part for part in deciding if part.interval is not None]
    if len(deciding) > 1 and run:
        groups = {
            "holds": [part for part in run if part.holds],
            "does not hold": [part for part in run if not part.holds],
            "not run": [part for part in deciding if part.interval is None],
        }
        if len(groups["holds"]) < len(deciding):
            notes += [f"{k}: {', '.join(p.what for p in v)}" for k, v in groups.items() if v]
    least = weakest(finding.parts)
    if least is not None and least.note():
        notes.append(least.note())
    return "; ".join(notes)


def _numbers(part: Part | None) -> dict[str, Any]:
    """The fields of ``Numbers``."""
    if part is None or part.interval is None:
        return {"value": None, "low": None, "high": None, "n": None}
    got = part.interval
    n = got.n if part.over_tasks else None
    return {"value": got.mean, "low": got.low, "high": got.high, "n": n}


def _part(part: Part) -> ResultPart:
    return ResultPart(
        **_numbers(part),
        what=part.what,
        side=part.side,
        bound=part.bound,
        decides=part.decides,
        holds=None if part.interval is None else part.holds,
        digits=part.digits,
        paper=part.paper,
    )


def decide(claim: Claim, evidence: Evidence) -> Result:
    """``claim`` with its verdict on ``evidence``.

    Raises:
        InputError: a number of the paper that the claim is tested against is missing.
    """
    finding = claim.find(evidence)
    least = weakest(finding.parts)
    return Result(
        **_numbers(least),
        id=claim.id,
        statement=claim.statement,
        source=claim.source,
        where=claim.where,
        test=finding.test,
        verdict=judge(finding.parts),
        of=None if least is None else least.what,
        paper=[*(part.paper for part in finding.parts if part.paper), *finding.paper],
        note=_notes(finding),
        parts=[_part(part) for part in finding.parts],
    )


def number_text(part: ResultPart) -> str:
    """Value [low, high]; what was not run says so."""
    if part.value is None or part.low is None or part.high is None:
        return "not run"
    value, low, high = (plain_number(x, part.digits) for x in (part.value, part.low, part.high))
    return f"{value} [{low}, {high}]"


def sentence(result: Result) -> str:
    """A claim with its numbers and its verdict, in one line."""
    part = result.deciding()
    if part is None or result.verdict == "not run":
        return f"{result.test}: **not run**."
    note = f" ({result.note})" if result.note else ""
    return f"{result.test}: {number_text(part)}: **{result.verdict}**{note}."
