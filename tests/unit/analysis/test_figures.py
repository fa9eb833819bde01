import pytest

from mem1 import render_figures
from mem1.analysis import ablations, curve_figures, figures, summary
from mem1.analysis.curves import Curve, metric_files, read_curve
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
    assert list(curve_figures.running_mean([2, 4, 6, 8], 2)) == [2, 3, 5, 7]


def test_a_step_logged_twice_counts_as_logged_last(tmp_path, analysis):
    path = tmp_path / "metrics.jsonl"
    write_jsonl(
        path, [StepMetrics(step=s, values={"em": v}) for s, v in [(1, 5.0), (2, 6.0), (1, 7.0)]]
    )
    assert read_curve(path, "rl-mem1", analysis).values == {"em": [(1, 7.0), (2, 6.0)]}


def synthetic_curve(label="r", **values):
    return Curve(label, label, "rl", {n: list(enumerate(v, 1)) for n, v in values.items()})


def lines(axes):
    return [list(line.get_ydata()) for line in axes.lines]


def test_only_panels_with_data_are_drawn():
    drawn = curve_figures.curve_figure(
        [synthetic_curve(reward=[0.5, 0.7])], [*curve_figures.FIGURE6, *curve_figures.TRAINING]
    )
    assert [axes.get_title(loc="left") for axes in drawn.axes if axes.axison] == ["Reward"]


def test_figure_6_has_the_four_panels_of_the_paper():
    names = ("entropy", "reward", "valid_actions", "valid_searches")
    drawn = curve_figures.curve_figure(
        [synthetic_curve(**{name: [0.5, 0.7] for name in names})], curve_figures.FIGURE6
    )
    assert [axes.get_title(loc="left") for axes in drawn.axes] == [
        "Valid searches",
        "Valid actions",
        "Reward",
        "Entropy",
    ]


def test_seeds_of_an_arm_are_thin_lines_around_their_mean():
    seeds = [synthetic_curve(reward=[1.0, 2.0]), synthetic_curve(reward=[3.0, 6.0])]
    drawn = curve_figures.curve_figure(seeds, [curve_figures.REWARD])
    assert lines(drawn.axes[0]) == [[1, 2], [3, 6], [2, 4]]
    assert [text.get_text() for text in drawn.legends[0].get_texts()] == ["r"]


def test_explained_variance_is_cut_where_it_means_nothing():
    curve = synthetic_curve(**{"critic/explained_variance": [-90.0, 0.5]})
    assert (
        curve_figures.curve_figure([curve], [curve_figures.EXPLAINED]).axes[0].get_ylim()[0] == -1
    )


def test_mean_over_seeds_covers_the_rounds_that_a_seed_has():
    assert curve_figures.mean_curve([[(1, 1.0), (2, 2.0)], [(1, 3.0)]]) == [(1, 2.0), (2, 2.0)]


def test_a_run_looks_the_same_in_each_figure():
    one, two = synthetic_curve("a", reward=[1.0]), synthetic_curve("b", reward=[1.0])
    colours = [
        curve_figures.curve_figure(shown, [curve_figures.REWARD], among=[one, two])
        .axes[0]
        .lines[-1]
        .get_color()
        for shown in ([one, two], [two])
    ]
    assert colours[0] == colours[1]


def test_no_curve_at_all_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no metrics.jsonl of a, b"):
        metric_files(tmp_path, ["a", "b"])


def drawn_by_command(results, root):
    out = results / "figures"
    render_figures.main(
        [
            *("--config", str(results / "analysis.json")),
            *("--records-dir", str(results / "eval")),
            *("--train-dir", str(results / "train")),
            *("--expected", str(root / "config" / "expected.yaml")),
            *("--output-dir", str(out)),
        ]
    )
    return {path.name for path in out.iterdir()} - {"manifest.json"}


def names_of(*stems):
    return {f"{stem}.{kind}" for stem in stems for kind in figures.FORMATS}


def test_the_command_writes_all_figures_in_all_formats(synthetic_results, root):
    drawn = drawn_by_command(synthetic_results, root)
    assert drawn == names_of("figure4", "figure6", "training")


def test_ablations_have_figure_7_and_the_estimators(synthetic_ablation, root):
    drawn = drawn_by_command(synthetic_ablation, root)
    assert drawn == names_of("figure4", "figure6", "figure7", "estimators", "training")


def test_arms_of_ablations_are_one_line_each_in_figure_4(synthetic_ablation, ablation):
    measured = summary.load(synthetic_ablation / "eval", ablation)
    got = render_figures.series(
        ablation, summary.summarize(measured, ablation), ablations.summarize(measured, ablation)
    )
    assert [one.label for one in got] == [*(arm.name for arm in ablation.arms), "MEM1 (SFT)"]
