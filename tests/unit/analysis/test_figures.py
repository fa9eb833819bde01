import pytest

from mem1 import render_figures
from mem1.analysis import figures
from mem1.analysis.curves import metric_files, read_curve
from mem1.analysis.statistics import Interval
from mem1.errors import InputError
from mem1.records import StepMetrics, write_jsonl


def synthetic_series(label="A", group="mem1", scale=1.0):
    at = {h: Interval(scale * h, 0.9 * scale * h, 1.1 * scale * h, 5) for h in (1, 2, 4, 16)}
    return figures.Series(label, group, at, at)


def draw():
    series = [synthetic_series(), synthetic_series("B", "full", 0.5)]
    return figures.figure4(series, [1, 2, 4, 16], 12, 2)


@pytest.mark.parametrize("kind", figures.FORMATS)
def test_bytes_depend_on_the_data_alone(kind):
    assert figures.render(draw(), kind) == figures.render(draw(), kind)


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


def test_systems_of_one_policy_share_a_colour_and_differ_in_dash():
    first, second, third = figures.styles(["mem1", "mem1", "full"])
    assert first["color"] == second["color"] != third["color"]
    assert first["linestyle"] != second["linestyle"]


def test_running_mean_by_hand():
    assert list(figures.running_mean([2, 4, 6, 8], 2)) == [2, 3, 5, 7]


def test_a_step_logged_twice_counts_as_logged_last(tmp_path, analysis):
    path = tmp_path / "metrics.jsonl"
    write_jsonl(
        path, [StepMetrics(step=s, values={"em": v}) for s, v in [(1, 5.0), (2, 6.0), (1, 7.0)]]
    )
    assert read_curve(path, "r", analysis.runs["rl-mem1"]).values == {"em": [(1, 7.0), (2, 6.0)]}


def test_only_panels_with_data_are_drawn():
    curve = figures.Curve("r", "mem1", "rl", {"reward": [(1, 0.5), (2, 0.7)]})
    assert [p.title for p in figures.panels_of([curve])] == ["RL: reward"]
    assert len(figures.training([curve]).axes) == 1


def test_no_curve_at_all_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no metrics.jsonl of a, b"):
        metric_files(tmp_path, ["a", "b"])


def test_the_command_writes_both_figures_in_all_formats(synthetic_results, root):
    out = synthetic_results / "figures"
    render_figures.main(
        [
            *("--config", str(synthetic_results / "analysis.json")),
            *("--records-dir", str(synthetic_results / "eval")),
            *("--train-dir", str(synthetic_results / "train")),
            *("--expected", str(root / "config" / "expected.yaml")),
            *("--output-dir", str(out)),
        ]
    )
    names = {f"{stem}.{kind}" for stem in ("figure4", "training") for kind in figures.FORMATS}
    assert {p.name for p in out.iterdir()} == names | {"manifest.json"}
