import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mem1.analysis import drawing, figures
from mem1.analysis.grouping import POLICIES
from mem1.analysis.series import Series
from mem1.analysis.statistics import Interval


def synthetic_series(label="A", group="mem1", scale=1.0):
    at = {h: Interval(scale * h, 0.9 * scale * h, 1.1 * scale * h, 5) for h in (1, 2, 4, 16)}
    return Series(label, group, (label,), {"em": at, "peak": at})


def draw():
    series = [synthetic_series(), synthetic_series("B", "full", 0.5)]
    return figures.figure4(series, [1, 2, 4, 16], 12, 2)


@pytest.mark.parametrize("kind", drawing.FORMATS)
def test_bytes_depend_on_the_data_alone(kind):
    assert drawing.render(draw(), kind) == drawing.render(draw(), kind)


def test_horizons_are_the_ticks_of_a_log_axis():
    axes = draw().axes[0]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["1", "2", "4", "16"]
    assert axes.get_xscale() == "log"


def test_both_panels_name_their_units():
    assert [a.get_ylabel() for a in draw().axes] == [
        "exact match (questions per task)",
        "peak tokens (longest sequence)",
    ]


def test_the_shade_is_said_to_be_beyond_the_warm_start():
    texts = [t.get_text() for t in draw().axes[0].texts]
    assert texts == ["shaded: beyond the warm start (up to 12)"]


def test_nothing_is_shaded_when_the_warm_start_covered_all():
    assert not figures.figure4([synthetic_series()], [1, 16], 16, None).axes[0].texts


def test_headline_marks_stand_where_the_ratios_put_them():
    mark = figures.Headline(16, "B", em=2.0, em_ratio=3.5, peak=370.0, peak_ratio=3.7)
    drawn = figures.figure4([synthetic_series()], [1, 16], None, None, mark)
    heights = [
        line.get_ydata()[0] for a in drawn.axes for line in a.lines if len(line.get_xdata()) == 1
    ]
    assert heights == pytest.approx([7.0, 100.0])


@pytest.mark.parametrize(("lines", "bands"), [(6, 6), (7, 0)])
def test_many_lines_have_bars_in_place_of_bands(lines, bands):
    series = [synthetic_series(str(n)) for n in range(lines)]
    axes = figures.figure4(series, [1, 2, 4, 16], None, None).axes[0]
    filled = [c for c in axes.collections if type(c).__name__ == "FillBetweenPolyCollection"]
    assert len(filled) == bands
    assert len(axes.collections) == lines


def test_who_has_one_point_has_no_line():
    line = synthetic_series()
    at = {1: Interval(1, 1, 1, 5)}
    point = Series("P", "full", ("P",), {"em": at, "peak": at})
    assert figures.with_lines([point, line]) == [line]
    assert figures.with_lines([point]) == [point]


def test_a_system_looks_the_same_in_each_figure():
    first, second = synthetic_series(), synthetic_series("B")
    alone = figures.figure4([second], [1, 16], None, None, None, [first, second])
    label = alone.axes[0].lines[0]
    assert (label.get_marker(), label.get_linestyle()) == ("s", "--")


def test_the_csv_has_every_point_with_its_interval():
    rows = figures.figure4_csv([synthetic_series()]).splitlines()
    assert rows[0] == "line,records,objectives,metric,value,low,high,n"
    assert rows[1] == "A,A,1,em,1,0.9,1.1,5"
    assert len(rows) == 1 + 2 * 4


def test_systems_of_one_policy_share_a_colour_and_differ_in_dash():
    first, second, third = drawing.styles(["mem1", "mem1", "full"])
    assert first["color"] == second["color"] != third["color"]
    assert first["linestyle"] != second["linestyle"]


def test_ten_lines_are_told_apart_without_colour():
    looks = drawing.styles([*("mem1", "full") * 2, *POLICIES])
    assert len({(str(look["linestyle"]), look["marker"]) for look in looks}) == 10


def test_a_policy_has_its_colour_whatever_else_is_drawn():
    alone = drawing.colours(["truncate"])["truncate"]
    assert drawing.colours(["an arm", "truncate", "mem1"])["truncate"] == alone


def test_what_is_no_policy_takes_no_colour_of_one_that_is_drawn():
    got = drawing.colours(["an arm", "mem1", "full"])
    assert len(set(got.values())) == 3


@pytest.mark.parametrize(("length", "columns"), [(5, 4), (20, 2), (90, 1)])
def test_a_legend_has_the_columns_that_fit(length, columns):
    handles = [Line2D([], [], label="x" * length) for _ in range(8)]
    assert drawing.legend_columns(handles, Figure(figsize=(6.6, 3))) == columns


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colour", [*drawing.PALETTE, drawing.GREY])
def test_lines_have_contrast_to_white(colour):
    assert 1.05 / (luminance(colour) + 0.05) >= 3


def test_files_of_a_figure_lie_beside_each_other(tmp_path):
    drawn = drawing.Drawn(draw(), {"csv": "a\n"})
    paths = drawing.save(drawn, tmp_path / "figure4")
    assert [path.name for path in paths] == [
        f"figure4.{kind}" for kind in ("png", "svg", "pdf", "csv")
    ]
    again = drawing.save(drawing.Drawn(draw(), {"csv": "a\n"}), tmp_path / "again")
    assert [p.read_bytes() for p in paths] == [p.read_bytes() for p in again]
