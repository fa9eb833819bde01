"""The paper's headline ratios, and RL against SFT, as tests on our records.

A ratio claim is *supported* only if the whole 95 % interval reaches the paper's ratio. The
paper divides by Qwen2.5-14B-Instruct, untrained; we divide by full history after the same
training, the stricter comparison, since only the memory differs.
"""

import math
from dataclasses import dataclass
from typing import Literal

from mem1.analysis.expected import Expected
from mem1.analysis.settings import Analysis, Comparison
from mem1.analysis.statistics import Interval, difference, ratio
from mem1.analysis.summary import Measured, by_task
from mem1.seeding import array_stream

Verdict = Literal["supported", "not supported", "not run", "no claim"]


@dataclass(frozen=True)
class Ratio:
    """A ratio of means at one horizon; above 1 favours MEM1 for both metrics.

    ``em`` is EM of mem1 over full; ``peak`` is peak tokens of full over mem1.
    """

    comparison: Comparison
    metric: Literal["em", "peak"]
    horizon: int
    ratio: Interval | None  # None where not run
    paper: float | None  # the paper's ratio at this horizon
    claim: float | None  # the headline, at the horizon it is made for
    verdict: Verdict

    def note(self) -> str:
        """What a reader must know about this row, or nothing."""
        if self.ratio is None:
            return ""
        if math.isinf(self.ratio.mean):
            return "the denominator is 0"
        if math.isnan(self.ratio.mean):
            return "both are 0"
        if self.verdict == "not supported" and self.claim and self.ratio.mean >= self.claim:
            return "the mean reaches it, the interval does not"
        return ""


@dataclass(frozen=True)
class Gain:
    """EM after RL minus EM after SFT at one horizon."""

    comparison: Comparison
    horizon: int
    difference: Interval | None  # None where not run


def judge(interval: Interval | None, claim: float | None) -> Verdict:
    """Whether ``interval`` of a ratio supports that it is at least ``claim``."""
    if claim is None:
        return "no claim"
    if interval is None:
        return "not run"
    return "supported" if interval.low >= claim else "not supported"


def paper_ratio(expected: Expected, metric: Literal["em", "peak"], horizon: int) -> float | None:
    """The ratio that the paper's own table gives at ``horizon``, between the headline's rows."""
    first = expected.quote(expected.headline.first, horizon, metric)
    second = expected.quote(expected.headline.second, horizon, metric)
    if first is None or second is None:
        return None
    return first.value / second.value if metric == "em" else second.value / first.value


def ratios(measured: Measured, analysis: Analysis, expected: Expected) -> list[Ratio]:
    """Both headline ratios of every memory comparison, at every horizon and the headline's.

    The headline is tested where both systems had RL. Without training (oracles) only the
    peak is; a supervised arm alone claims nothing.
    """
    headline = expected.headline
    claims = {"em": headline.em_ratio, "peak": headline.peak_ratio}
    rows = []
    for pair in analysis.comparisons:
        if pair.kind != "memory":
            continue
        tested = {"rl": ("em", "peak"), "sft": (), "oracle": ("peak",)}[pair.stage]
        for metric in ("em", "peak"):
            for horizon in sorted({*analysis.horizons, headline.horizon}):
                interval = _ratio(measured, analysis, pair, metric, horizon)
                here = metric in tested and horizon == headline.horizon
                claim = claims[metric] if here else None
                rows.append(
                    Ratio(
                        comparison=pair,
                        metric=metric,
                        horizon=horizon,
                        ratio=interval,
                        paper=paper_ratio(expected, metric, horizon),
                        claim=claim,
                        verdict=judge(interval, claim),
                    )
                )
    return rows


def _ratio(
    measured: Measured, analysis: Analysis, pair: Comparison, metric: str, horizon: int
) -> Interval | None:
    first = measured.get((pair.first, horizon))
    second = measured.get((pair.second, horizon))
    if first is None or second is None:
        return None
    top, bottom = (first, second) if metric == "em" else (second, first)
    rng = array_stream(analysis.seed, "ratio", pair.first, pair.second, metric, horizon)
    return ratio(by_task(top, metric), by_task(bottom, metric), analysis.bootstrap, rng)


def gains(measured: Measured, analysis: Analysis) -> list[Gain]:
    """EM of RL minus EM of SFT for every training comparison and horizon."""
    rows = []
    for pair in analysis.comparisons:
        if pair.kind != "training":
            continue
        for horizon in analysis.horizons:
            first = measured.get((pair.first, horizon))
            second = measured.get((pair.second, horizon))
            interval = None
            if first is not None and second is not None:
                rng = array_stream(analysis.seed, "gain", pair.first, pair.second, horizon)
                interval = difference(
                    by_task(first, "em"), by_task(second, "em"), analysis.bootstrap, rng
                )
            rows.append(Gain(pair, horizon, interval))
    return rows
