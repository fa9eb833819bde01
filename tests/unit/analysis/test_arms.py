import pytest

from mem1.analysis.arms import arms, estimators, format_pairs
from mem1.config_files import load, merge, parse
from tests.unit.analysis.conftest import ONE_FOR_EACH_POLICY


@pytest.fixture
def config(root):
    return load(root / "config/config.yaml", root / "config/ablations.yaml")


def changed(config, runs):
    return parse(merge(config.model_dump(), {"runs": runs}))


def labels(found):
    return [arm.label for arm in found]


def test_runs_that_differ_in_the_seed_are_one_arm(ablation):
    assert {arm.label: list(arm.runs) for arm in ablation.arms} == {
        "PPO": ["rl-ppo-0", "rl-ppo-1", "rl-ppo-2"],
        "GRPO": ["rl-grpo-0", "rl-grpo-1", "rl-grpo-2"],
        "REINFORCE++": ["rl-reinforce-0", "rl-reinforce-1", "rl-reinforce-2"],
        "PPO, format reward": ["rl-format-0", "rl-format-1", "rl-format-2"],
        "PPO, stitched": ["rl-stitched"],
        "PPO, stitched-restarted": ["rl-stitched-restarted"],
    }


def test_every_run_of_the_ablations_is_evaluated(ablation):
    systems = [system for arm in ablation.arms for system in arm.runs.values()]
    assert all(system in ablation.systems for system in systems)


def test_mini_compares_the_format_reward(analysis):
    assert {arm.label: arm.runs for arm in analysis.arms} == {
        "PPO": {"rl-mem1": "mem1-rl"},
        "PPO, format reward": {"rl-format": "mem1-format"},
    }


def test_runs_of_other_policies_or_starts_are_not_compared(root, uncompared):
    assert len([run for run in uncompared.runs.values() if run.stage == "rl"]) == 2
    assert uncompared.arms == []
    two = changed(load(root / "config/config.yaml"), {"rl-mem1": {"start": "base"}})
    assert arms(two) == []


def test_training_seeds_are_no_ablation(root):
    values = merge(load(root / "config/config.yaml").model_dump(), ONE_FOR_EACH_POLICY)
    assert arms(parse({**values, "seeds": [0, 1, 2]})) == []


def test_training_seeds_are_seeds_of_their_arms(config, ablation):
    found = arms(parse({**config.model_dump(), "seeds": [0, 4]}))
    assert labels(found) == labels(ablation.arms)
    grpo = found[1].runs
    assert grpo["rl-grpo-0@4"] == "grpo-0@4"
    assert list(grpo)[:2] == ["rl-grpo-0", "rl-grpo-0@4"]


def test_the_same_changes_in_other_words_are_the_same_arm(config):
    same = {"changes": {"format_reward": False, "estimator": "ppo"}}
    assert labels(arms(changed(config, {"rl-ppo-2": same}))) == labels(arms(config))


def test_critic_settings_tell_no_arms_without_a_critic_apart(config):
    other = {"changes": {"critic": {"lam": 0.9}}}
    assert labels(arms(changed(config, {"rl-grpo-2": other}))) == labels(arms(config))
    assert "PPO, critic.lam 0.9" in labels(arms(changed(config, {"rl-ppo-2": other})))


def test_another_setting_stands_in_the_label(config):
    found = arms(changed(config, {"rl-grpo-2": {"changes": {"kl": 0.5}}}))
    assert "GRPO, kl 0.5" in labels(found)
    assert labels(estimators(found)) == ["PPO", "GRPO", "REINFORCE++"]


def test_two_families_tell_their_starts(config):
    rl = {"stage": "rl", "policy": "mem1", "start": "base", "seed": 0}
    found = arms(changed(config, {"a": rl, "b": {**rl, "changes": {"format_reward": True}}}))
    assert labels(found)[-2:] == [
        "mem1 from base: PPO",
        "mem1 from base: PPO, format reward",
    ]
    assert [pair[1].label for pair in format_pairs(found)] == [
        "mem1 from sft-mem1: PPO",
        "mem1 from base: PPO",
    ]


def test_the_format_reward_is_compared_with_what_differs_in_nothing_else(ablation):
    assert [labels(pair) for pair in format_pairs(ablation.arms)] == [["PPO, format reward", "PPO"]]


def test_estimators_are_compared_where_nothing_else_differs(ablation):
    assert labels(estimators(ablation.arms)) == ["PPO", "GRPO", "REINFORCE++"]
    assert estimators(ablation.arms[3:]) == []
