import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem1.analysis.metrics import METRICS, dependency, of
from mem1.errors import InputError


def test_metrics_of_a_trajectory_by_hand(synthetic_trajectory):
    got = of(synthetic_trajectory(sizes=((10, 4), (20, 6)), prompt=8, right=1, seconds=2.5))
    assert (got.em, got.f1, got.question_em) == (1, 1, 0.5)
    assert got.peak == 26
    assert got.peak_without_prompt == 18
    assert got.dependency == (2 * 10 + 4) * 4 / 2 + (2 * 20 + 6) * 6 / 2
    assert (got.seconds, got.turns, got.searches) == (2.5, 2, 1)


def test_peak_is_the_longest_turn_not_the_last(synthetic_trajectory):
    assert of(synthetic_trajectory(sizes=((50, 9), (20, 6)))).peak == 59


def test_turns_past_the_tenth_count(synthetic_trajectory):
    got = of(synthetic_trajectory(sizes=((10, 5),) * 19 + ((500, 5),)))
    assert (got.turns, got.peak) == (20, 505)


def test_a_trajectory_without_turns_has_the_prompt_as_peak(synthetic_trajectory):
    got = of(synthetic_trajectory(sizes=(), prompt=8))
    assert (got.peak, got.peak_without_prompt, got.dependency, got.turns) == (8, 0, 0, 0)


@pytest.mark.parametrize(("zero", "by_format", "by_count"), [("format", 1, 0), ("count", 0, 1)])
def test_zeros_are_told_apart(synthetic_trajectory, zero, by_format, by_count):
    got = of(synthetic_trajectory(right=2, zero=zero))
    assert (got.zero_format, got.zero_count) == (by_format, by_count)


def test_score_per_question_ignores_the_count(synthetic_trajectory):
    got = of(synthetic_trajectory(horizon=4, right=3, zero="count"))
    assert (got.em, got.question_em) == (0, 0.75)


def test_an_unscored_trajectory_is_refused(synthetic_trajectory):
    with pytest.raises(InputError, match="'t0' has no score"):
        of(synthetic_trajectory().model_copy(update={"score": None}))


def test_a_score_of_another_horizon_is_refused(synthetic_trajectory):
    with pytest.raises(InputError, match="covers 2 questions, not 3"):
        of(synthetic_trajectory().model_copy(update={"horizon": 3}))


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=9))
def test_dependency_counts_attended_pairs(sizes):
    """Each output token sees the context and the output up to itself, half of itself."""
    pairs = sum(prefix + place + 0.5 for prefix, output in sizes for place in range(output))
    assert dependency(sizes) == pytest.approx(pairs)


def test_every_metric_is_a_field(synthetic_trajectory):
    got = of(synthetic_trajectory())
    assert all(isinstance(getattr(got, name), int | float) for name in METRICS)


def test_metrics_import_no_torch():
    code = "import sys, mem1.analysis.metrics; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
