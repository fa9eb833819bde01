import csv
from collections import Counter

import numpy as np
import pytest

from mem1.analysis import behaviour_figure as figure
from mem1.analysis.behaviours import BEHAVIOURS
from mem1.analysis.series import Series
from mem1.analysis.statistics import Interval
from mem1.errors import InputError
from mem1.records import Turn

TASKS = {"t0": ["Who runs Firm?"], "t1": ["Who runs Firm?"]}


def search(state, query):
    return Turn(
        context=[1],
        output=[2],
        logprobs=[0.0],
        text=f"<think> {state} </think> <search> {query} </search>",
        action="search",
        argument=query,
    )


@pytest.fixture
def trajectories(synthetic_trajectory):
    """The first plans, the second refines its query."""
    first, second = (synthetic_trajectory(task, horizon=1) for task in ("t0", "t1"))
    first.turns = [search("I will first look for the Firm.", "Firm")]
    second.turns = [search("", "Firm runs city"), search("", "Firm")]
    return [first, second]


@pytest.fixture
def tallies(trajectories):
    return figure.count("A | b", 1, trajectories, TASKS)


@pytest.mark.parametrize(
    ("shown", "n", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0)],
)
def test_wilson_interval_as_published(shown, n, low, high):
    share = figure.wilson(shown, n)
    assert (share.low, share.high) == pytest.approx((low, high), abs=1e-4)


def of_seeds(*shown, tasks=10):
    names = [f"a@{seed}" for seed in range(len(shown))]
    played = Counter(dict.fromkeys(names, tasks))
    return figure.Tally(
        "a", (2,), BEHAVIOURS[0], Counter(dict(zip(names, shown, strict=True))), played
    )


@pytest.mark.parametrize("shown", [0, 5, 10])
def test_seeds_that_do_the_same_are_worth_one(shown):
    one, three = of_seeds(shown).share, of_seeds(shown, shown, shown).share
    assert (three.low, three.high) == pytest.approx((one.low, one.high))
    assert (one.n, three.n) == (10, 30)


def test_the_spread_between_seeds_is_in_the_interval():
    # shares 0.2, 0.5, 0.8: variance 0.09 of one seed, 0.03 of three; over ten tasks 0.025
    assert of_seeds(2, 5, 8).worth == pytest.approx(0.25 / (0.025 + 0.03))


def test_intervals_over_three_seeds_hold_the_true_share():
    source, hits = np.random.default_rng(0), 0
    for _ in range(400):
        rates = (0.5 + source.normal(scale=0.1, size=3)).clip(0, 1)
        share = of_seeds(*source.binomial(60, rates).tolist(), tasks=60).share
        hits += share.low <= 0.5 <= share.high
    assert hits / 400 >= 0.9


def test_each_trajectory_counts_once(tallies):
    shown = {t.behaviour.key: (t.shown.total(), t.played.total()) for t in tallies}
    assert shown["planning"] == (1, 2)
    assert shown["iterative"] == shown["broadening"] == (1, 2)
    assert shown["verification"] == (0, 2)


def test_one_question_cannot_show_what_takes_two(tallies):
    assert {"slots", "moving_on"}.isdisjoint(tally.behaviour.key for tally in tallies)


def test_the_example_is_the_first_trajectory_that_shows_it(tallies):
    found = {t.behaviour.key: (t.task, t.example.turn) for t in tallies if t.example}
    assert found == {"planning": ("t0", 1), "iterative": ("t1", 2), "broadening": ("t1", 2)}


def test_a_task_without_a_panel_is_refused(trajectories):
    with pytest.raises(InputError, match="'t1' is in the records of mem1-rl and not in its panel"):
        figure.count("A", 1, trajectories, {"t0": ["Who runs Firm?"]})


def test_the_csv_begins_with_sums_over_some_numbers_of_objectives(tallies, trajectories):
    tasks = {"t0": ["Who runs Firm?", "Where?"]}
    more = [row for h in (2, 3) for row in figure.count("A | b", h, trajectories[:1], tasks)]
    rows = list(csv.DictReader(figure.figure5_csv([*tallies, *more], [1, 3]).splitlines()))
    planning = [row for row in rows if row["behaviour"] == "planning"]
    assert [row["objectives"] for row in planning] == ["1 3", "1", "2", "3"]
    assert (planning[0]["shown"], planning[0]["trajectories"]) == ("2", "3")
    assert planning[1]["example"] == "I will first look for the Firm"


def test_the_page_has_every_rule_its_limits_and_what_it_found(tallies):
    page = figure.figure5_markdown(tallies, [1])
    for behaviour in BEHAVIOURS:
        assert behaviour.rule in page
        assert behaviour.limits in page
    assert r"A \| b, task t0, turn 1: I will first look for the Firm" in page
    assert "No trajectory shows it." in page


def line(label, group):
    return Series(label, group, (label,), {"em": {1: Interval(1, 1, 1, 2)}})


def test_the_figure_has_a_panel_for_each_behaviour_and_a_row_for_each_line(tallies):
    drawn = figure.figure5(tallies, [line("other", "full"), line("A | b", "mem1")], [1])
    titles = [axes.get_title(loc="left").replace("\n", " ") for axes in drawn.axes]
    assert titles == [behaviour.name for behaviour in BEHAVIOURS]
    planning = drawn.axes[titles.index("Planning")]
    assert [list(one.get_xdata()) for one in planning.lines] == [[0.5]]
    assert [text.get_text() for text in drawn.axes[0].get_yticklabels()] == ["A | b"]
    assert not drawn.axes[0].lines  # nothing could show it


def test_who_was_evaluated_on_less_says_so(tallies):
    assert figure.named(tallies, [1]) == {"A | b": "A | b"}
    assert figure.named(tallies, [1, 8]) == {"A | b": "A | b: 1 only"}
    assert figure.named(tallies, [8]) == {}
