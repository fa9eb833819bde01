import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem1.analysis.statistics import (
    Sample,
    compound,
    mean_interval,
    seeded_difference,
    seeded_intervals,
)
from mem1.errors import InputError


def rng(seed=0):
    return np.random.default_rng(seed)


def sample(*seeds, system="a", tasks="t"):
    """One row of values for each seed, over tasks named after ``tasks``."""
    values = np.array(seeds, dtype=float)
    trained = tuple(f"{system}{i}" for i in range(len(values)))
    return Sample(trained, tuple(f"{tasks}{i}" for i in range(values.shape[1])), values)


def difference(first, second, resamples, rng):
    return compound([first, second], lambda a, b: a - b, resamples, rng)


def ratio(top, bottom, resamples, rng):
    return compound([top, bottom], lambda a, b: a / b, resamples, rng, least=0.0)


def test_the_same_seed_gives_the_same_interval():
    values = [0.0, 1.0, 1.0, 2.0]
    assert mean_interval(values, 500, rng()) == mean_interval(values, 500, rng())


def test_95_percent_of_the_intervals_hold_the_true_mean():
    source = rng(1)
    hits = 0
    for number in range(400):
        got = mean_interval(source.exponential(2.0, size=80), 400, rng(number))
        hits += got.low <= 2.0 <= got.high
    assert 0.90 <= hits / 400 <= 0.98


def test_equal_values_give_an_interval_of_no_width():
    got = mean_interval([0.7] * 9, 300, rng())
    assert (got.mean, got.low, got.high) == pytest.approx((0.7, 0.7, 0.7))
    assert got.n == 9


def test_width_is_that_of_the_normal_approximation():
    values = rng(3).normal(5, 2, size=400)
    got = mean_interval(values, 4000, rng())
    assert got.high - got.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.08)


def test_columns_are_resampled_together():
    column = rng(4).normal(size=30)
    values = np.stack([column, column + 1], axis=1)
    first, second = seeded_intervals(values[None], 300, rng())
    assert second.low - first.low == pytest.approx(1)


def test_no_task_is_refused():
    with pytest.raises(InputError, match="no task"):
        mean_interval([], 100, rng())


def test_pairing_removes_the_spread_between_tasks():
    first, second = sample(range(20)), sample(range(-1, 19), system="b")
    unpaired = sample(range(-1, 19), system="b", tasks="u")
    paired = difference(first, second, 300, rng())
    assert (paired.mean, paired.low, paired.high) == pytest.approx((1, 1, 1))
    assert difference(first, unpaired, 300, rng()).low < 0


def test_ratio_of_proportional_systems_is_exact():
    one = np.arange(1.0, 11)
    got = ratio(sample(3 * one), sample(one, system="b"), 300, rng())
    assert (got.mean, got.low, got.high, got.n) == pytest.approx((3, 3, 3, 10))


def test_ratio_over_zero_is_infinite():
    got = ratio(sample([1.0, 2.0]), sample([0.0, 0.0], system="b"), 200, rng())
    assert (got.mean, got.low, got.high) == (math.inf, math.inf, math.inf)


def test_zero_over_zero_says_nothing():
    got = ratio(sample([0.0]), sample([0.0], system="b"), 200, rng())
    assert math.isnan(got.mean)
    assert (got.low, got.high) == (0, math.inf)


def test_a_ratio_is_over_seeds_as_well():
    flat, spread = sample([2.0] * 30), sample([1.0] * 30, [2.0] * 30, [6.0] * 30, system="b")
    got = ratio(spread, flat, 2000, rng())
    assert (got.mean, got.low, got.high) == pytest.approx((1.5, 0.5, 3))
    assert (got.n, got.seeds) == (30, 1)


def test_seeds_of_the_same_trainings_are_drawn_together_and_those_of_others_apart():
    few, many = sample([1.0] * 9, [5.0] * 9), sample([2.0] * 9, [10.0] * 9, tasks="u")
    other = Sample(("b0", "b1"), many.tasks, many.values)
    growth, apart = ratio(many, few, 500, rng()), ratio(other, few, 500, rng())
    assert (growth.low, growth.high) == pytest.approx((2, 2))
    assert apart.low < 1 < 5 < apart.high


def test_a_ratio_of_ratios_is_compounded_from_its_means():
    samples = [sample([value] * 4, system=str(value)) for value in (12.0, 2.0, 8.0, 4.0)]
    got = compound(samples, lambda a, b, c, d: a / b / (c / d), 100, rng())
    assert (got.mean, got.low, got.high) == pytest.approx((3, 3, 3))


def test_intervals_of_a_ratio_hold_the_true_one():
    source, hits = rng(11), 0
    for number in range(200):
        first, second = (source.exponential(mean, size=(8, 40)) for mean in (6.0, 2.0))
        first *= source.uniform(0.7, 1.3, size=(8, 1))
        got = ratio(sample(*first), sample(*second, system="b"), 300, rng(number))
        hits += got.low <= 3.0 <= got.high
    assert 0.88 <= hits / 200 <= 0.99


def test_nothing_to_compare_is_refused():
    with pytest.raises(InputError, match="no task to compare"):
        ratio(sample([1.0]), Sample((), (), np.zeros((0, 0))), 100, rng())


def seeded(values, number=0):
    return seeded_intervals(np.asarray(values, dtype=float)[:, :, None], 2000, rng(number))[0]


def test_one_seed_has_the_interval_over_tasks():
    values = rng(5).normal(size=40)
    got, over_tasks = seeded([values]), mean_interval(values, 2000, rng())
    assert (got.mean, got.n) == pytest.approx((over_tasks.mean, 40))
    assert (got.low, got.high) == pytest.approx((over_tasks.low, over_tasks.high))


def test_spread_between_seeds_alone_gives_the_range_of_three_seeds():
    got = seeded([[0.0] * 20, [1.0] * 20, [5.0] * 20])
    assert (got.mean, got.low, got.high) == pytest.approx((2, 0, 5))


def test_variance_between_seeds_is_that_of_their_mean():
    offsets = rng(6).normal(size=(12, 1))
    got = seeded(np.repeat(offsets, 5, axis=1))
    normal = 2 * 1.96 * offsets.std(ddof=1) / math.sqrt(12)
    assert got.high - got.low == pytest.approx(normal, rel=0.08)


def test_seeds_without_spread_leave_that_of_the_tasks():
    values = rng(7).normal(size=60)
    one, three = seeded([values]), seeded([values] * 3)
    assert three.high - three.low == pytest.approx(one.high - one.low, rel=0.1)


def test_intervals_over_ten_seeds_hold_the_true_mean():
    source, hits = rng(8), 0
    for number in range(300):
        shape = source.normal(size=(1, 30)), source.normal(size=(10, 30))
        values = source.normal(size=(10, 1)) + sum(shape)
        got = seeded_intervals(values[:, :, None], 300, rng(number))[0]
        hits += got.low <= 0 <= got.high
    assert 0.85 <= hits / 300 <= 0.98


def test_difference_of_arms_shares_the_tasks():
    tasks = rng(9).normal(scale=9, size=(1, 30))
    got = seeded_difference(tasks - 1.0, np.repeat(tasks, 3, axis=0), 300, rng())
    assert (got.mean, got.low, got.high, got.n) == pytest.approx((-1, -1, -1, 30))


def test_an_arm_of_one_seed_is_given_the_spread_of_the_other():
    alone, others = np.zeros((1, 20)), np.array([[-1.0] * 20, [0.0] * 20, [1.0] * 20])
    for got in (
        seeded_difference(alone, others, 2000, rng()),
        seeded_difference(others, alone, 2000, rng()),
    ):
        assert got.low < -1.5  # the range of the mean alone would end at -1
        assert got.high > 1.5
    assert seeded_difference(alone, alone + 1, 300, rng()).high == -1


def test_arms_without_common_tasks_are_refused():
    with pytest.raises(InputError, match="no common tasks"):
        seeded_difference(np.zeros((1, 3)), np.zeros((1, 4)), 100, rng())
    with pytest.raises(InputError, match="no task"):
        seeded_intervals(np.zeros((0, 0, 2)), 100, rng())


@given(st.lists(st.tuples(st.floats(0, 9), st.floats(0, 9)), min_size=1, max_size=12))
def test_bounds_are_ordered_and_never_nan(pairs):
    top, bottom = zip(*pairs, strict=True)
    got = ratio(sample(top), sample(bottom, system="b"), 100, rng())
    assert 0 <= got.low <= got.high
