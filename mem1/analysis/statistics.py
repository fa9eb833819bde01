"""Means, differences and ratios of means with 95 % bootstrap intervals over tasks.

The paper prints +/- without saying of what. Here every interval is a percentile bootstrap:
tasks are drawn with replacement. Two systems evaluated on the same tasks are resampled
together (paired), which removes the spread that comes from the tasks themselves.

Where a training was repeated with several seeds, these are drawn too, independently of the
tasks, since every seed plays all of them (Owen 2007, "The pigeonhole bootstrap"). One seed
fewer than there are is drawn, which gives the mean its right variance (Rao and Wu 1988); with
S drawn of S it would be too small by (S - 1) / S. Two or three seeds still tell little: where
the spread between seeds outweighs that between tasks, the interval is the range of the seeds,
which holds the mean of all seeds that there could be 50 % of the time with two and 75 % with
three.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mem1.errors import InputError

LEVEL = (2.5, 97.5)  # percentiles of a 95 % interval


@dataclass(frozen=True)
class Interval:
    """A statistic with its 95 % interval.

    ``mean`` is the statistic of the whole sample (a mean, a difference or ratio of means).
    A ratio over a mean of 0 is ``inf``, and ``nan`` when both means are 0.
    """

    mean: float
    low: float
    high: float
    n: int  # tasks


def _draw(n: int, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """How often each of ``n`` tasks is drawn [resamples, n]; each row sums to ``n``."""
    return rng.multinomial(n, np.full(n, 1 / n), size=resamples)


def mean_intervals(values: np.ndarray, resamples: int, rng: np.random.Generator) -> list[Interval]:
    """An interval for the mean of each column of ``values`` [tasks, columns].

    All columns share the drawn tasks.

    Raises:
        InputError: there is no task.
    """
    n = len(values)
    if n == 0:
        raise InputError("There is no task to average over: evaluate at least one.")
    draws = _draw(n, resamples, rng) @ values / n  # [resamples, columns]
    low, high = np.percentile(draws, LEVEL, axis=0)
    means = values.mean(axis=0)
    return [
        Interval(float(m), float(lo), float(hi), n)
        for m, lo, hi in zip(means, low, high, strict=True)
    ]


def mean_interval(
    values: Sequence[float] | np.ndarray, resamples: int, rng: np.random.Generator
) -> Interval:
    """The mean of ``values`` (one per task) with its interval."""
    return mean_intervals(np.asarray(values, dtype=float)[:, None], resamples, rng)[0]


def _paired_draws(
    first: Mapping[str, float],
    second: Mapping[str, float],
    resamples: int,
    rng: np.random.Generator,
) -> tuple[float, float, np.ndarray, np.ndarray, int]:
    """Both means, their resampled means [resamples] each, and the number of tasks.

    The same tasks are drawn for both when both have the same task ids; otherwise each is
    resampled by itself.
    """
    if not first or not second:
        raise InputError("There is no task to compare: evaluate both systems.")
    a = np.array([first[key] for key in sorted(first)], dtype=float)
    b = np.array([second[key] for key in sorted(second)], dtype=float)
    drawn_a = _draw(len(a), resamples, rng)
    drawn_b = drawn_a if first.keys() == second.keys() else _draw(len(b), resamples, rng)
    means = float(a.mean()), float(b.mean())
    return *means, drawn_a @ a / len(a), drawn_b @ b / len(b), min(len(a), len(b))


def difference(
    first: Mapping[str, float],
    second: Mapping[str, float],
    resamples: int,
    rng: np.random.Generator,
) -> Interval:
    """Mean of ``first`` minus mean of ``second``, both from task id to value."""
    mean_a, mean_b, draws_a, draws_b, n = _paired_draws(first, second, resamples, rng)
    low, high = np.percentile(draws_a - draws_b, LEVEL)
    return Interval(mean_a - mean_b, float(low), float(high), n)


def ratio(
    top: Mapping[str, float],
    bottom: Mapping[str, float],
    resamples: int,
    rng: np.random.Generator,
) -> Interval:
    """Mean of ``top`` over mean of ``bottom``, both non-negative, from task id to value.

    Order statistics are used as they are (no interpolation), because a resample may divide
    by 0. A resample of 0 / 0 says nothing: it widens the interval at both ends.
    """
    mean_a, mean_b, draws_a, draws_b, n = _paired_draws(top, bottom, resamples, rng)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        draws = draws_a / draws_b
        mean = float(np.float64(mean_a) / np.float64(mean_b))
    low = np.percentile(np.where(np.isnan(draws), 0, draws), LEVEL[0], method="lower")
    high = np.percentile(np.where(np.isnan(draws), np.inf, draws), LEVEL[1], method="higher")
    return Interval(mean, float(low), float(high), n)


def _seed_means(values: np.ndarray, tasks: np.ndarray) -> np.ndarray:
    """Means [resamples, seeds, columns] of ``values`` [seeds, tasks, columns] over drawn tasks."""
    return np.moveaxis(np.tensordot(values, tasks, axes=(1, 1)), 2, 0) / values.shape[1]


def _over_seeds(means: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Means [resamples, columns] of ``means`` [resamples, seeds, columns] over drawn seeds."""
    resamples, seeds, _ = means.shape
    if seeds == 1:
        return means[:, 0]
    drawn = rng.multinomial(seeds - 1, np.full(seeds, 1 / seeds), size=resamples)
    return (drawn[:, :, None] * means).sum(axis=1) / (seeds - 1)


def seeded_intervals(
    values: np.ndarray, resamples: int, rng: np.random.Generator
) -> list[Interval]:
    """An interval for the mean of each column of ``values`` [seeds, tasks, columns].

    Tasks and seeds are drawn, and shared by all columns. One seed leaves the tasks alone:
    then the spread between seeds is not in the interval.

    Raises:
        InputError: there is no seed or no task.
    """
    if 0 in values.shape[:2]:
        raise InputError("There is no task to average over: evaluate at least one.")
    n = values.shape[1]
    draws = _over_seeds(_seed_means(values, _draw(n, resamples, rng)), rng)
    low, high = np.percentile(draws, LEVEL, axis=0)
    return [
        Interval(float(m), float(lo), float(hi), n)
        for m, lo, hi in zip(values.mean(axis=(0, 1)), low, high, strict=True)
    ]


def seeded_difference(
    first: np.ndarray, second: np.ndarray, resamples: int, rng: np.random.Generator
) -> Interval:
    """Mean of ``first`` minus mean of ``second``, each [seeds, tasks] over the same tasks.

    The drawn tasks are shared; seeds are drawn for each. Where one side has one seed only, it
    is given the spread of the other: what one seed there is off the mean, with the variance of
    a single seed. With one seed on both sides the spread between seeds is not in the interval.

    Raises:
        InputError: there is no seed or no task, or the numbers of tasks differ.
    """
    if 0 in first.shape or 0 in second.shape or first.shape[1] != second.shape[1]:
        raise InputError("There are no common tasks to compare: evaluate both on the same panel.")
    n = first.shape[1]
    tasks = _draw(n, resamples, rng)
    means = [_seed_means(side[:, :, None], tasks) for side in (first, second)]
    draws = [_over_seeds(side, rng)[:, 0] for side in means]
    for one, other in ((0, 1), (1, 0)):
        seeds = means[other].shape[1]
        if means[one].shape[1] == 1 and seeds > 1:
            off = means[other][:, :, 0] - means[other][:, :, 0].mean(axis=1, keepdims=True)
            drawn = off[np.arange(resamples), rng.integers(seeds, size=resamples)]
            draws[one] = draws[one] + drawn * (seeds / (seeds - 1)) ** 0.5
    low, high = np.percentile(draws[0] - draws[1], LEVEL)
    return Interval(float(first.mean() - second.mean()), float(low), float(high), n)
