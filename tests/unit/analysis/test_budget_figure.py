import csv
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem1.analysis import budget_figure as figure
from mem1.analysis.series import Series, main_horizons
from mem1.analysis.statistics import Interval


def one(label="A", group="mem1", em=3.0, total=500.0):
    def at(value):
        return {h: Interval(value, value, value, 5) for h in (1, 4, 8)}

    values = {"em": at(em), "total_tokens": at(total), "peak": at(total / 10)}
    return Series(label, group, (label,), values)


def test_right_answers_are_a_share_of_the_objectives():
    assert figure.share(Interval(3.0, 2.0, 4.0, 5), 4) == Interval(0.75, 0.5, 1.0, 5)


def test_the_csv_has_both_costs_at_every_number_of_objectives():
    rows = list(csv.DictReader(figure.budget_csv([one()]).splitlines()))
    got = [(row["objectives"], row["right"], row["total_tokens"], row["peak"]) for row in rows]
    assert got == [("1", "3", "500", "50"), ("4", "0.75", "500", "50"), ("8", "0.375", "500", "50")]


@pytest.mark.parametrize(
    ("horizons", "drawn"), [([1, 2, 3, 8, 16], [2, 8, 16]), ([1, 3, 5, 4], [3, 4, 5]), ([1], [1])]
)
def test_panels_are_those_of_table_1_where_there_are_any(horizons, drawn):
    values = {horizon: Interval(1, 1, 1, 5) for horizon in horizons}
    assert main_horizons([Series("A", "mem1", ("A",), {"em": values})]) == drawn


points = st.lists(st.tuples(st.floats(1, 100), st.floats(0, 1)), min_size=1, max_size=8)


@given(points)
def test_no_point_beats_the_frontier_for_less(found):
    best = figure.frontier(found)
    for cost, score in found:
        assert max(s for c, s in best if c <= cost) >= score
    assert set(best) <= set(found)
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(best))


def test_every_line_is_a_point_in_every_panel():
    drawn = figure.budget([one("A"), one("B", "full", 2.0, 900.0)])
    marks = [[line for line in a.lines if line.get_marker() != "None"] for a in drawn.axes]
    assert [len(found) for found in marks] == [2, 2]
