import csv
import io
import math

import numpy as np
import pytest

from mem1.analysis import drawing, gap

TURNS = [np.array([0, 0, 1]), np.array([0, 1, 2])]
DELTAS = [np.array([0.0, 0.1, -0.4]), np.array([0.0, 0.2, -3.0])]


def synthetic_rows(horizons=(2, 8)):
    return [
        row
        for horizon in horizons
        for scale, variant in zip((1e-7, 0.5, 1.0), gap.VARIANTS, strict=True)
        for row in gap.gaps(horizon, variant, TURNS, [scale * delta for delta in DELTAS])
    ]


def test_numbers_by_hand():
    first, second, third, whole = gap.gaps(2, "stitched", TURNS, DELTAS)
    assert [row.turn for row in (first, second, third, whole)] == [1, 2, 3, None]
    assert [row.tokens for row in (first, second, third, whole)] == [3, 2, 1, 6]
    assert [row.trajectories for row in (first, second, third, whole)] == [2, 2, 1, 2]
    assert (second.mean, second.largest) == pytest.approx((0.3, 0.4))
    assert (whole.mean, whole.largest) == pytest.approx((3.7 / 6, 3.0))
    assert [row.outside for row in (first, second, third, whole)] == [0.0, 1.0, 1.0, 0.5]


@pytest.mark.parametrize(
    ("ratio", "outside"), [(1.19, 0), (1.21, 1), (0.81, 0), (0.79, 1), (1, 0), (0.01, 1)]
)
def test_the_clip_is_one_of_ratios_not_of_differences(ratio, outside):
    delta = [np.array([math.log(ratio)])]
    assert gap.gaps(1, "stitched", [np.array([0])], delta)[0].outside == outside


def test_trajectories_without_sampled_tokens_are_refused():
    with pytest.raises(ValueError, match="4 objectives have no sampled token"):
        gap.gaps(4, "views", [np.array([])], [np.array([])])


def test_csv_has_a_line_for_each_turn_and_one_for_all():
    rows = list(csv.DictReader(io.StringIO(gap.to_csv(synthetic_rows()))))
    assert len(rows) == 2 * 3 * 4
    assert [row["turn"] for row in rows[:4]] == ["1", "2", "3", "all"]
    assert float(rows[-1]["largest"]) == 3.0


def test_markdown_shows_all_turns_and_names_what_was_measured():
    text = gap.to_markdown(synthetic_rows(), "mem1-rl")
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(lines) == 2 + 2 * 3
    assert "| 8 | stitched, restarted positions | 6 | 0.617 | 3.000 | 50.00% |" in lines
    assert "| 2 | each view alone (control) | 6 | 6e-08 | 3e-07 | 0.00% |" in lines
    assert "`mem1-rl` (2 of 2 objectives, 2 of 8 objectives)" in text


@pytest.mark.parametrize("kind", drawing.FORMATS)
def test_bytes_depend_on_the_data_alone(kind):
    draw = gap.figure
    rows = synthetic_rows()
    assert drawing.render(draw(rows), kind) == drawing.render(draw(rows), kind)


def test_a_panel_for_each_number_of_objectives_with_a_log_axis():
    axes = gap.figure(synthetic_rows()).axes
    assert [a.get_title(loc="left") for a in axes] == ["2 objectives", "8 objectives"]
    assert {a.get_yscale() for a in axes} == {"log"}
    assert {a.get_xlabel() for a in axes} == {"turn"}


def test_zero_is_drawn_at_the_floor():
    rows = gap.gaps(2, "stitched", [np.array([0, 1])], [np.array([0.0, 0.5])])
    heights = [line.get_ydata() for line in gap.figure(rows).axes[0].lines]
    drawn = [list(ys) for ys in heights if list(ys) == [gap.FLOOR, 0.5]]
    assert len(drawn) == 2  # the mean and the largest
