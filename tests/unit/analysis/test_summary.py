import numpy as np
import pytest

from mem1.analysis import summary
from mem1.analysis.metrics import METRICS, of
from mem1.errors import InputError
from mem1.records import write_jsonl


@pytest.fixture
def small(analysis):
    return analysis.model_copy(update={"horizons": [2, 16]})


def test_samples_of_a_task_count_once(synthetic_trajectory):
    rows = [of(synthetic_trajectory("a", right=r)) for r in (0, 2)]
    rows.append(of(synthetic_trajectory("b", right=2)))
    assert summary.by_task(rows, "em") == {"a": 1.0, "b": 2.0}


def test_a_system_with_several_seeds_is_one_row(seeded, synthetic_trajectory):
    rights = {"mem1-rl": 0, "mem1-rl@1": 1, "mem1-rl@2": 2}
    measured = {
        (name, 2): [of(synthetic_trajectory(f"t{i}", name, right=right)) for i in range(5)]
        for name, right in rights.items()
    }
    got = summary.summarize(measured, seeded)
    assert set(got) == {("mem1-rl", 2)}
    em = got["mem1-rl", 2]["em"]
    assert (em.mean, em.low, em.high) == pytest.approx((1, 0, 2))
    assert (em.n, em.seeds) == (5, 3)
    assert set(got["mem1-rl", 2]) == set(METRICS)


def test_a_seed_that_was_not_evaluated_is_no_seed(seeded, synthetic_trajectory):
    measured = {("mem1-rl@1", 2): [of(synthetic_trajectory("a", "mem1-rl@1", right=2))]}
    em = summary.summarize(measured, seeded)["mem1-rl", 2]["em"]
    assert (em.mean, em.seeds) == (2, 1)


def test_seeds_on_other_tasks_are_refused(seeded, synthetic_trajectory):
    measured = {
        (name, 2): [of(synthetic_trajectory(task, name))]
        for name, task in (("mem1-rl", "a"), ("mem1-rl@1", "b"))
    }
    with pytest.raises(InputError, match="'mem1-rl@1' was evaluated on other tasks of 2"):
        summary.summarize(measured, seeded)


def test_values_are_by_seed_task_and_metric(synthetic_trajectory):
    measured = {
        ("s", 2): [of(synthetic_trajectory(t, "s", right=r)) for t, r in (("b", 2), ("a", 1))]
    }
    tasks, values = summary.seed_values(measured, ["s"], 2, ["em", "turns"])
    assert tasks == ("a", "b")
    assert np.array_equal(values, [[[1, 2], [2, 2]]])


def test_records_of_another_system_are_refused(small, synthetic_trajectory, tmp_path):
    write_jsonl(tmp_path / "mem1-rl" / "2.jsonl", [synthetic_trajectory(system="full-rl")])
    with pytest.raises(InputError, match="line 1: a trajectory of system 'full-rl'"):
        summary.load(tmp_path, small)


def test_no_evaluation_is_refused(small, tmp_path):
    with pytest.raises(InputError, match="holds no evaluation"):
        summary.load(tmp_path, small)


def test_an_empty_file_is_refused(small, tmp_path):
    write_jsonl(tmp_path / "mem1-rl" / "2.jsonl", [])
    with pytest.raises(InputError, match="holds no trajectory"):
        summary.load(tmp_path, small)


def test_a_task_that_is_there_twice_is_refused(small, synthetic_trajectory, tmp_path):
    write_jsonl(tmp_path / "mem1-rl" / "2.jsonl", [synthetic_trajectory("a")] * 2)
    with pytest.raises(InputError, match="line 2: task 'a' is there a second time"):
        summary.load(tmp_path, small)


def test_a_cut_last_line_is_named(small, synthetic_trajectory, tmp_path):
    path = tmp_path / "mem1-rl" / "2.jsonl"
    write_jsonl(path, [synthetic_trajectory(task) for task in "abc"])
    path.write_text(path.read_text(encoding="utf-8")[:-40], encoding="utf-8")
    with pytest.raises(InputError, match=r"2.jsonl, line 3: .* cut"):
        summary.load(tmp_path, small)


@pytest.mark.parametrize(("version", "said"), [(1, "version 1"), (9, "version 9")])
def test_another_version_is_named_with_ours(small, synthetic_trajectory, tmp_path, version, said):
    path = tmp_path / "mem1-rl" / "2.jsonl"
    write_jsonl(path, [synthetic_trajectory()])
    text = path.read_text(encoding="utf-8")
    without = text.replace('"version":2,', "" if version == 1 else f'"version":{version},')
    assert without != text
    path.write_text(without, encoding="utf-8")
    with pytest.raises(InputError, match=rf"line 1: .*{said}.*version 2"):
        summary.load(tmp_path, small)


def test_records_that_are_not_configured_are_named_and_left_out(
    small, synthetic_trajectory, tmp_path
):
    for name, horizon in (("mem1-rl", 2), ("mem1-rl", 5), ("stranger", 2)):
        rows = [synthetic_trajectory(system=name, horizon=horizon)]
        write_jsonl(tmp_path / name / f"{horizon}.jsonl", rows)
    assert set(summary.load(tmp_path, small)) == {("mem1-rl", 2)}
    assert summary.strangers(tmp_path, small) == [
        tmp_path / "mem1-rl" / "5.jsonl",
        tmp_path / "stranger" / "2.jsonl",
    ]
