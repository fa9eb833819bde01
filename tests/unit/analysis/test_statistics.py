import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem1.analysis.statistics import difference, mean_interval, mean_intervals, ratio
from mem1.errors import InputError


def rng(seed=0):
    return np.random.default_rng(seed)


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
    first, second = mean_intervals(np.stack([column, column + 1], axis=1), 300, rng())
    assert second.low - first.low == pytest.approx(1)


def test_no_task_is_refused():
    with pytest.raises(InputError, match="no task"):
        mean_interval([], 100, rng())


def test_pairing_removes_the_spread_between_tasks():
    first = {f"t{i}": float(i) for i in range(20)}
    second = {task: value - 1 for task, value in first.items()}
    unpaired = {f"u{task}": value for task, value in second.items()}
    paired = difference(first, second, 300, rng())
    assert (paired.mean, paired.low, paired.high) == pytest.approx((1, 1, 1))
    assert difference(first, unpaired, 300, rng()).low < 0


def test_ratio_of_proportional_systems_is_exact():
    first = {f"t{i}": 3.0 * i + 3 for i in range(10)}
    second = {f"t{i}": 1.0 * i + 1 for i in range(10)}
    got = ratio(first, second, 300, rng())
    assert (got.mean, got.low, got.high, got.n) == pytest.approx((3, 3, 3, 10))


def test_ratio_over_zero_is_infinite():
    got = ratio({"a": 1.0, "b": 2.0}, {"a": 0.0, "b": 0.0}, 200, rng())
    assert (got.mean, got.low, got.high) == (math.inf, math.inf, math.inf)


def test_zero_over_zero_says_nothing():
    got = ratio({"a": 0.0}, {"a": 0.0}, 200, rng())
    assert math.isnan(got.mean)
    assert (got.low, got.high) == (0, math.inf)


@given(st.lists(st.tuples(st.floats(0, 9), st.floats(0, 9)), min_size=1, max_size=12))
def test_bounds_are_ordered_and_never_nan(pairs):
    first = {str(i): a for i, (a, _) in enumerate(pairs)}
    second = {str(i): b for i, (_, b) in enumerate(pairs)}
    got = ratio(first, second, 100, rng())
    assert 0 <= got.low <= got.high
