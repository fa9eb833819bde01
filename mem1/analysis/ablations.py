"""What an ablation shows: arms with intervals, their differences, the paper's statements.

An arm's numbers are means over its seeds and the tasks of a panel, with intervals over both
(``statistics.seeded_intervals``). Each arm is compared with the first of its family.

The paper says of its format reward that training converges faster, that EM is lower and that
the peak is lower; here are the differences that ``claims_training`` decides it by. Sizes are not
compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mem1.analysis.arms import Arm, firsts, format_pairs
from mem1.analysis.curves import Curve
from mem1.analysis.expected import Expected, Quote
from mem1.analysis.metrics import METRICS, TRAINED
from mem1.analysis.settings import Analysis
from mem1.analysis.statistics import Interval, seeded_difference, seeded_intervals
from mem1.analysis.summary import Measured, Summary, seed_values
from mem1.errors import InputError
from mem1.seeding import array_stream

Curves = Mapping[str, Curve]  # by run
COMPARED: tuple[Literal["em", "peak"], ...] = ("em", "peak")
CLIMB = 0.9  # share of its climb after which a curve counts as converged
LOGGED = {"train_reward": "reward", "train_em": "em"}  # as metrics.jsonl calls them


@dataclass(frozen=True)
class Difference:
    """An arm minus the first of its family, at one horizon."""

    arm: Arm
    first: Arm
    metric: str  # em (questions) or peak (tokens)
    horizon: int
    difference: Interval | None  # None where not run


@dataclass(frozen=True)
class Statement:
    """The paper's claim that one quantity is lower with the format reward."""

    metric: Literal["rounds", "em", "peak"]
    quantity: str  # in words
    horizon: int | None  # objectives of the evaluation; None for a quantity of training
    digits: int  # decimals
    arms: tuple[Arm, Arm]  # with it, without it
    values: tuple[float, float] | None  # of the two; None where not run
    difference: Interval | None
    paper: tuple[Quote, Quote] | None


def arm_values(
    measured: Measured, arm: Arm, horizon: int, metrics: Sequence[str]
) -> tuple[tuple[str, ...], np.ndarray]:
    """The tasks, and values [seeds, tasks, metrics]; both empty where no seed was evaluated.

    Raises:
        InputError: the seeds were evaluated on different tasks.
    """
    names = [system for system in arm.runs.values() if system is not None]
    return seed_values(measured, names, horizon, metrics)


def summarize(measured: Measured, analysis: Analysis) -> Summary:
    """By arm's label and horizon: all metrics. Arms share the drawn tasks of a horizon."""
    found: Summary = {}
    for arm in analysis.arms:
        for horizon in analysis.horizons:
            _, values = arm_values(measured, arm, horizon, list(METRICS))
            if values.size:
                rng = array_stream(analysis.seed, "arms", horizon)
                intervals = seeded_intervals(values, analysis.bootstrap, rng)
                found[arm.label, horizon] = dict(zip(METRICS, intervals, strict=True))
    return found


def last_rounds(rounds: int) -> int:
    """How many rounds at the end of a training say where it came to: a quarter."""
    return max(1, rounds // 4)


def trained(curves: Curves, analysis: Analysis) -> dict[str, dict[str, Interval]]:
    """By arm's label: ``TRAINED``, means over seeds and the last quarter of the rounds."""
    found = {}
    for arm in analysis.arms:
        runs = [curves[run].values for run in arm.runs if run in curves]
        rounds = min((len(run["em"]) for run in runs), default=0)
        if rounds:
            last = [
                [[run[LOGGED[name]][i][1] for name in TRAINED] for i in range(-n, 0)]
                for n in [last_rounds(rounds)]
                for run in runs
            ]
            rng = array_stream(analysis.seed, "rounds", arm.label)
            intervals = seeded_intervals(np.array(last), analysis.bootstrap, rng)
            found[arm.label] = dict(zip(TRAINED, intervals, strict=True))
    return found


def _difference(
    measured: Measured, analysis: Analysis, pair: tuple[Arm, Arm], metric: str, horizon: int
) -> tuple[tuple[float, float], Interval] | None:
    """Both means and the first minus the second; None where one was not run.

    Raises:
        InputError: the two were evaluated on different tasks, which cannot be drawn together.
    """
    (tasks, first), (same, second) = (arm_values(measured, arm, horizon, [metric]) for arm in pair)
    if not first.size or not second.size:
        return None
    if tasks != same:
        raise InputError(
            f"{pair[0].label} was evaluated on other tasks of {horizon} objectives than "
            f"{pair[1].label}: evaluate both again."
        )
    one, other = first[:, :, 0], second[:, :, 0]
    rng = array_stream(analysis.seed, "arm", pair[0].label, pair[1].label, metric, horizon)
    interval = seeded_difference(one, other, analysis.bootstrap, rng)
    return (float(one.mean()), float(other.mean())), interval


def differences(measured: Measured, analysis: Analysis) -> list[Difference]:
    """EM and peak of every arm minus those of the first arm of its family."""
    first = firsts(analysis.arms)
    rows = []
    for arm in analysis.arms:
        pair = arm, first[arm.family]
        for metric in COMPARED if pair[0] is not pair[1] else ():
            for horizon in analysis.horizons:
                got = _difference(measured, analysis, pair, metric, horizon)
                rows.append(Difference(*pair, metric, horizon, None if got is None else got[1]))
    return rows


def rounds_to_converge(curve: Sequence[tuple[int, float]]) -> int:
    """The first round with nine tenths of the climb from the first to the mean of the last.

    The end is the curve's own, so that a curve that ends low can converge fast. A curve that
    does not climb counts as one round more than there were.
    """
    values = [value for _, value in curve]
    end = sum(values[-last_rounds(len(values)) :]) / last_rounds(len(values))
    level = values[0] + CLIMB * (end - values[0])
    if end <= values[0]:
        return len(values) + 1
    return next(number for number, value in enumerate(values, start=1) if value >= level)


def statements(
    measured: Measured, curves: Curves, analysis: Analysis, expected: Expected
) -> list[Statement]:
    """The paper's three statements on its format reward, for each pair of arms that can test it."""
    horizon = expected.format_reward.rows[0].horizon or 0
    rows = []
    for pair in format_pairs(analysis.arms):
        rows.append(_convergence(curves, analysis, pair))
        for metric in COMPARED:
            got = _difference(measured, analysis, pair, metric, horizon)
            with_it, without = (
                expected.cell("format_reward", name, horizon, metric)
                for name in ("with", "without")
            )
            values, difference = (None, None) if got is None else got
            rows.append(
                Statement(
                    metric=metric,
                    quantity=METRICS[metric].heading,
                    horizon=horizon,
                    digits=METRICS[metric].digits,
                    arms=pair,
                    values=values,
                    difference=difference,
                    paper=(with_it, without) if with_it and without else None,
                )
            )
    return rows


def _convergence(curves: Curves, analysis: Analysis, pair: tuple[Arm, Arm]) -> Statement:
    """Rounds until exact matches in training have converged.

    With one training on each side the interval has no width, since tasks play no part.
    """
    one, other = (
        np.array([[rounds_to_converge(curves[r].values["em"])] for r in arm.runs if r in curves])
        for arm in pair
    )
    values = difference = None
    if one.size and other.size:
        values = float(one.mean()), float(other.mean())
        rng = array_stream(analysis.seed, "converge", pair[0].label, pair[1].label)
        difference = seeded_difference(one, other, analysis.bootstrap, rng)
    quantity = "Rounds until training EM has nine tenths of its climb"
    return Statement("rounds", quantity, None, 1, pair, values, difference, None)
