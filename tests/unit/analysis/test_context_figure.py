import csv

import pytest

from mem1.analysis import context_figure as figure
from mem1.analysis.context_figure import Growth
from mem1.analysis.grouping import rank
from mem1.analysis.metrics import of
from mem1.errors import InputError
from mem1.records import Call, write_jsonl

FULL = Growth("full", "Full", 8.0, {"t0": [10, 30], "t1": [20]})
MEM1 = Growth("mem1", "MEM1", 8.0, {"t0": [10], "t1": [12, 14]})


def test_the_length_of_a_turn_is_that_of_its_longest_sequence(synthetic_trajectory):
    trajectory = synthetic_trajectory(sizes=((10, 4), (20, 6)))
    trajectory.turns[1].calls = [Call(purpose="note", context=[1] * 30, output=[2], text="x")]
    assert figure.lengths(trajectory) == [14, 31]


def test_the_largest_length_is_the_peak(synthetic_trajectory):
    trajectory = synthetic_trajectory(sizes=((10, 4), (25, 6), (20, 2)))
    assert max(figure.lengths(trajectory)) == of(trajectory).peak


def test_only_trajectories_that_still_run_are_averaged():
    assert (FULL.at(0), FULL.at(1), FULL.turns) == ([10, 20], [30], 2)


def test_systems_after_rl_in_the_world_of_the_preset_stand_for_their_policy(analysis):
    order = figure.preferred(analysis)
    policies = [analysis.systems[name].policy for name in order]
    assert policies == sorted(policies, key=rank)
    assert order[0] == "mem1-rl"
    assert order[policies.index("full")] == "full-rl"


def test_another_system_stands_in_where_the_first_was_not_evaluated(
    tmp_path, analysis, synthetic_trajectory
):
    write_jsonl(tmp_path / "mem1-sft" / "2.jsonl", [synthetic_trajectory(system="mem1-sft")])
    assert [one.label for one in figure.read(tmp_path, analysis, 2)] == ["MEM1 (SFT)"]


def test_the_example_has_the_median_number_of_turns_under_the_first():
    three = Growth("mem1", "A", 8.0, {"a": [1, 2, 3], "b": [1], "c": [1, 2]})
    other = Growth("full", "B", 8.0, {"a": [1], "c": [1]})
    assert figure.example([three]) == "c"
    assert figure.example([three, other]) == "c"


def test_tasks_that_nothing_has_in_common_give_no_example():
    assert figure.example([MEM1, Growth("full", "B", 8.0, {"x": [1]})]) is None
    figure.figure2([MEM1, Growth("full", "B", 8.0, {"x": [1]})], 2)


def test_the_csv_has_the_prompt_then_each_turn():
    rows = list(csv.DictReader(figure.figure2_csv([FULL]).splitlines()))
    got = [(row["turn"], row["trajectories"], row["mean"]) for row in rows]
    assert got == [("0", "2", "8"), ("1", "2", "15"), ("2", "1", "30")]


def test_means_running_and_example_are_drawn():
    mean, running, single = figure.figure2([MEM1, FULL], 2).axes
    assert [list(line.get_ydata()) for line in mean.lines] == [[15, 30], [11, 14]]
    assert [list(line.get_ydata()) for line in running.lines] == [[2, 1], [2, 1]]
    assert [list(line.get_ydata()) for line in single.lines] == [[10, 30], [10]]


def test_the_length_of_the_prompt_is_marked():
    long = Growth("full", "Full", 16.0, FULL.lengths)
    for growths, text in (([MEM1, FULL], "8 tokens"), ([MEM1, long], "8 to 16 tokens")):
        drawn = figure.figure2(growths, 2).axes[0]
        assert [note.get_text() for note in drawn.texts] == [f"task prompt: {text}"]


def test_records_without_a_turn_are_refused(tmp_path, analysis, synthetic_trajectory):
    path = tmp_path / "mem1-rl" / "2.jsonl"
    write_jsonl(path, [synthetic_trajectory(sizes=())])
    with pytest.raises(InputError, match="holds no turn"):
        figure.read(tmp_path, analysis, 2)
