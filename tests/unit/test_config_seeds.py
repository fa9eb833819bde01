from pathlib import Path

import pytest

from mem1 import stages
from mem1.config_files import load, merge, parse
from mem1.errors import InputError

FILE = Path(__file__).parents[2] / "config" / "config.yaml"


def with_seeds(seeds, **overlay):
    return parse(merge(load(FILE).model_dump(), {"seeds": seeds, **overlay}))


def test_every_run_and_system_is_there_for_every_seed():
    one, three = load(FILE), with_seeds([0, 1, 7])
    trained = {name for name, system in one.systems.items() if system.run is not None}
    assert set(three.runs) == {n + s for n in one.runs for s in ("", "@1", "@7")}
    assert {n for n in three.systems if "@" in n} == {n + s for n in trained for s in ("@1", "@7")}


def test_a_run_starts_from_the_weights_of_its_own_seed():
    config = with_seeds([0, 5])
    assert (config.runs["rl-mem1@5"].seed, config.runs["sft-mem1@5"].seed) == (5, 5)
    assert config.runs["rl-mem1@5"].start == "sft-mem1@5"
    assert config.runs["sft-mem1@5"].start == "base"
    assert config.systems["mem1-rl@5"].run == "rl-mem1@5"


def test_seeds_are_added_to_those_of_the_runs():
    config = with_seeds([0, 2], runs={"rl-mem1": {"seed": 3}})
    assert (config.runs["rl-mem1"].seed, config.runs["rl-mem1@2"].seed) == (3, 5)


def test_a_teacher_is_the_one_of_the_same_seed():
    taught = {"stage": "sft", "policy": "mem1", "start": "base", "seed": 0}
    runs = {"taught": {**taught, "changes": {"teacher": "mem1-rl"}}}
    config = with_seeds([0, 1], runs=runs)
    assert config.settings_of("taught").teacher == "mem1-rl"
    assert config.settings_of("taught@1").teacher == "mem1-rl@1"


def test_the_first_seed_keeps_every_frozen_section():
    one, two = load(FILE), with_seeds([0, 1])
    names = [
        *("world", "sources", "retrieval", "base", "mask_gap", "tasks-train-2", "tasks-test-16"),
        *(f"run-{name}" for name in one.runs),
        *(f"eval-{name}" for name in one.systems),
    ]
    for name in names:
        assert stages.frozen(two, name) == stages.frozen(one, name), name


def test_seeds_play_the_same_tasks_in_the_same_way():
    config = with_seeds([0, 1])
    assert stages.frozen(config, "eval-mem1-rl@1") == stages.frozen(config, "eval-mem1-rl")
    first, second = (stages.frozen(config, f"run-rl-mem1{s}") for s in ("", "@1"))
    assert (first.run.seed, second.run.seed) == (0, 1)
    assert second.rl == first.rl


def test_a_system_over_fixed_weights_stays_one():
    oracle = {
        **load(FILE).systems["mem1-rl"].model_dump(),
        **{"engine": "oracle-reader", "run": None},
    }
    config = with_seeds([0, 1], systems={"oracle": oracle})
    assert [name for name in config.systems if name.startswith("oracle")] == ["oracle"]


def test_expanding_twice_changes_nothing():
    config = with_seeds([0, 1])
    assert parse(config.model_dump()) == config


@pytest.mark.parametrize("seeds", [[], [1], [0, 1, 1], [1, 0]])
def test_seeds_start_with_the_runs_as_they_are_and_repeat_none(seeds):
    with pytest.raises(InputError, match="seeds"):
        with_seeds(seeds)


def test_a_name_that_looks_like_a_seed_is_refused():
    run = load(FILE).runs["rl-mem1"].model_dump()
    with pytest.raises(InputError, match=r"runs.rl@2: @ marks what `seeds` makes"):
        with_seeds([0], runs={"rl@2": run})
