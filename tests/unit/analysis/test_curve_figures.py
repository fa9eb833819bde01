import pytest

from mem1.analysis import curve_figures
from mem1.analysis.curves import Curve, metric_files, ordered, read_curve
from mem1.analysis.grouping import rank
from mem1.errors import InputError
from mem1.records import StepMetrics, write_jsonl


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


def test_seeds_of_a_run_are_one_line(tmp_path, seeded):
    path = tmp_path / "metrics.jsonl"
    write_jsonl(path, [StepMetrics(step=1, values={"em": 1.0})])
    labels = {read_curve(path, run, seeded).label for run in ("rl-mem1", "rl-mem1@1")}
    assert labels == {"rl-mem1"}


def test_arms_come_first_then_runs_by_policy(analysis, ablation):
    def order(section):
        return list(ordered({run: synthetic_curve(run) for run in section.runs}, section))

    policies = [analysis.runs[run].policy for run in order(analysis)]
    assert policies == sorted(policies, key=rank)
    a_frozen_file = analysis.model_copy(update={"runs": dict(sorted(analysis.runs.items()))})
    assert order(a_frozen_file)[:2] == ["rl-mem1", "rl-format"]
    in_arms = [run for arm in ablation.arms for run in arm.runs]
    assert order(ablation) == [*in_arms, "sft-mem1"]


def test_lines_differ_in_dash_and_marker_where_they_share_a_panel():
    curves = [synthetic_curve(label, reward=[1.0, 2.0]) for label in "abc"]
    looks = curve_figures.looks(curves).values()
    assert len({str(look["linestyle"]) for look in looks}) == 3
    assert len({look["marker"] for look in looks}) == 3


def test_the_csv_has_what_is_drawn_as_logged():
    curves = {"run": synthetic_curve("arm", reward=[1.0, 2.0], other=[3.0])}
    rows = curve_figures.curves_csv(curves, curve_figures.FIGURE6).splitlines()
    assert rows == ["line,run,metric,step,value", "arm,run,reward,1,1", "arm,run,reward,2,2"]
