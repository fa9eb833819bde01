"""Ratios between memories, and gains of RL over SFT, at every number of objectives.

The numbers alone: which of them decides a statement of the paper is in ``claims``. The paper
divides by Qwen2.5-14B-Instruct, untrained; we divide by full history after the same training,
the stricter comparison, since only the memory differs. Intervals are those of ``evidence``, so that
what a claim is decided on and what stands here is one number.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mem1.analysis.csv_text import csv_text
from mem1.analysis.evidence import Evidence
from mem1.analysis.expected import Expected
from mem1.analysis.settings import Comparison
from mem1.analysis.statistics import Interval

RatioMetric = Literal["em", "peak", "seconds"]
QUANTITIES: dict[RatioMetric, str] = {
    "em": "EM, {first} over {second}",
    "peak": "peak tokens, {second} over {first}",
    "seconds": "time, {second} over {first}",
}


@dataclass(frozen=True)
class Ratio:
    """A ratio of means at one horizon; above 1 favours MEM1 for every metric.

    ``em`` is EM of mem1 over full; the others are tokens or seconds of full over mem1.
    """

    comparison: Comparison
    metric: RatioMetric
    horizon: int
    ratio: Interval | None  # None where not run
    paper: float | None  # the paper's ratio at this horizon

    def quantity(self, first: str = "first", second: str = "second") -> str:
        """What is divided by what, in words."""
        return QUANTITIES[self.metric].format(first=first, second=second)

    def note(self) -> str:
        """What a reader must know about this row, or nothing."""
        if self.ratio is None:
            return "not run"
        if math.isinf(self.ratio.mean):
            return "the denominator is 0"
        return "both are 0" if math.isnan(self.ratio.mean) else ""


@dataclass(frozen=True)
class Gain:
    """EM after RL minus EM after SFT at one horizon."""

    comparison: Comparison
    horizon: int
    difference: Interval | None  # None where not run


def paper_ratio(expected: Expected, metric: RatioMetric, horizon: int) -> float | None:
    """The ratio that the paper's own table gives at ``horizon``, between the headline's rows."""
    first = expected.quote(expected.headline.first, horizon, metric)
    second = expected.quote(expected.headline.second, horizon, metric)
    if first is None or second is None:
        return None
    return first.value / second.value if metric == "em" else second.value / first.value


def ratios(evidence: Evidence) -> list[Ratio]:
    """All ratios of every memory comparison, at every horizon and the headline's."""
    analysis, expected = evidence.analysis, evidence.expected
    rows = []
    for pair in analysis.comparisons:
        if pair.kind != "memory":
            continue
        for metric in QUANTITIES:
            for horizon in sorted({*analysis.horizons, expected.headline.horizon}):
                first, second = (pair.first, horizon, metric), (pair.second, horizon, metric)
                order = (first, second) if metric == "em" else (second, first)
                interval = evidence.over(*order, alone=True)
                of_paper = None
                if pair.environment == "wiki":
                    of_paper = paper_ratio(expected, metric, horizon)
                rows.append(Ratio(pair, metric, horizon, interval, of_paper))
    return rows


def gains(evidence: Evidence) -> list[Gain]:
    """EM of RL minus EM of SFT for every training comparison and horizon."""
    rows = []
    for pair in evidence.analysis.comparisons:
        if pair.kind != "training":
            continue
        for horizon in evidence.analysis.horizons:
            both = (pair.first, horizon, "em"), (pair.second, horizon, "em")
            rows.append(Gain(pair, horizon, evidence.minus(*both, alone=True)))
    return rows


def to_csv(ratios: Sequence[Ratio], gains: Sequence[Gain]) -> str:
    """Ratios between memories and gains of training, one line each."""
    head = "quantity,first,second,environment,horizon,value,low,high,n,seeds,paper,note"

    def row(
        quantity: str, pair: Comparison, horizon: int, got: Interval | None, *rest: object
    ) -> list[object]:
        values: list[object] = [None] * 5
        if got is not None:
            values = [got.mean, got.low, got.high, got.n, got.seeds]
        return [quantity, pair.first, pair.second, pair.environment, horizon, *values, *rest]

    rows = [row(r.quantity(), r.comparison, r.horizon, r.ratio, r.paper, r.note()) for r in ratios]
    for g in gains:
        note = "" if g.difference else "not run"
        what = "EM, first minus second"
        rows.append(row(what, g.comparison, g.horizon, g.difference, None, note))
    return csv_text(head.split(","), rows)
