"""Means, and quantities made of means, with 95 % bootstrap intervals over tasks and seeds.

The paper prints +/- without saying of what. Here every interval is a percentile bootstrap:
tasks are drawn with replacement. Two systems evaluated on the same tasks are resampled
together (paired), which removes the spread that comes from the tasks themselves.

Where a training was repeated with several seeds, these are drawn too, independently of the
tasks, since every seed plays all of them (Owen 2007, "The pigeonhole bootstrap"). Two systems
over the same trainings, or of which one was trained on from the other, share the drawn seeds
likewise. One seed fewer than there are is drawn, which gives the mean its right variance (Rao
and Wu 1988); with S drawn of S it would be too small by (S - 1) / S. Two or three seeds still
tell little: where the spread between seeds outweighs that between tasks, the interval is the
range of the seeds, which holds the mean of all seeds that there could be 50 % of the time with
two and 75 % with three.
"""

from collections.abc import Callable, Sequence
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
    seeds: int = 1  # trainings


@dataclass(frozen=True)
class Sample:
    """One metric of one system on one panel."""

    trained: tuple[str, ...]  # of each seed; samples of the same trainings share the drawn seeds
    tasks: tuple[str, ...]  # samples of the same tasks share the drawn tasks
    values: np.ndarray  # [seeds, tasks]


def _draw(n: int, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """How often each of ``n`` tasks is drawn [resamples, n]; each row sums to ``n``."""
    return rng.multinomial(n, np.full(n, 1 / n), size=resamples)


def _draw_seeds(seeds: int, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Weights [resamples, seeds] of drawn seeds, each row summing to 1."""
    if seeds == 1:
        return np.ones((resamples, 1))
    return rng.multinomial(seeds - 1, np.full(seeds, 1 / seeds), size=resamples) / (seeds - 1)


def mean_interval(
    values: Sequence[float] | np.ndarray, resamples: int, rng: np.random.Generator
) -> Interval:
    """The mean of ``values`` (one per task) with its interval.

    Raises:
        InputError: there is no task.
    """
    return seeded_intervals(np.asarray(values, dtype=float)[None, :, None], resamples, rng)[0]


def compound(
    samples: Sequence[Sample],
    combine: Callable[..., np.ndarray],
    resamples: int,
    rng: np.random.Generator,
    least: float = -np.inf,
) -> Interval:
    """A quantity made of the means of several samples, with its interval.

    Args:
        samples: tasks are drawn once for those that share them, seeds once for those that share
            their trainings; other trainings count as independent.
        combine: from the samples' means, one array [k] each and in their order, to the
            quantity [k].
        resamples: how often to draw.
        rng: the stream to draw from.
        least: the quantity is never below this.

    Order statistics are used as they are (no interpolation), because a resample may divide
    by 0. A resample that is no number (0 / 0) says nothing: it widens the interval at both ends.

    Raises:
        InputError: a sample has no seed or no task.
    """
    if any(0 in sample.values.shape for sample in samples):
        raise InputError("There is no task to compare: evaluate both systems.")
    tasks: dict[tuple[str, ...], np.ndarray] = {}
    seeds: dict[tuple[str, ...], np.ndarray] = {}
    means = []
    for sample in samples:
        trained, n = len(sample.values), len(sample.tasks)
        if sample.tasks not in tasks:
            tasks[sample.tasks] = _draw(n, resamples, rng)
        if sample.trained not in seeds:
            seeds[sample.trained] = _draw_seeds(trained, resamples, rng)
        per_seed = tasks[sample.tasks] @ sample.values.T / n  # [resamples, seeds]
        means.append((per_seed * seeds[sample.trained]).sum(axis=1))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        draws = combine(*means)
        mean = float(combine(*(np.array([sample.values.mean()]) for sample in samples))[0])
    unknown = np.isnan(draws)
    return Interval(
        mean,
        float(np.percentile(np.where(unknown, least, draws), LEVEL[0], method="lower")),
        float(np.percentile(np.where(unknown, np.inf, draws), LEVEL[1], method="higher")),
        min(len(sample.tasks) for sample in samples),
        min(len(sample.values) for sample in samples),
    )


def _seed_means(values: np.ndarray, tasks: np.ndarray) -> np.ndarray:
    """Means [resamples, seeds, columns] of ``values`` [seeds, tasks, columns] over drawn tasks."""
    return np.moveaxis(np.tensordot(values, tasks, axes=(1, 1)), 2, 0) / values.shape[1]


def _over_seeds(means: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Means [resamples, columns] of ``means`` [resamples, seeds, columns] over drawn seeds."""
    resamples, seeds, _ = means.shape
    return (_draw_seeds(seeds, resamples, rng)[:, :, None] * means).sum(axis=1)


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
    seeds, n = values.shape[:2]
    draws = _over_seeds(_seed_means(values, _draw(n, resamples, rng)), rng)
    low, high = np.percentile(draws, LEVEL, axis=0)
    return [
        Interval(float(m), float(lo), float(hi), n, seeds)
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
    seeds = min(len(first), len(second))
    return Interval(float(first.mean() - second.mean()), float(low), float(high), n, seeds)
