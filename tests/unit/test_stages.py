import json
from pathlib import Path

import pytest

from mem1 import config, config_files, freeze, stages
from mem1.errors import InputError

MINI = Path(__file__).parents[2] / "config" / "config.yaml"


@pytest.fixture(scope="module")
def mini() -> config.Config:
    return config_files.load(MINI)


def changed(values: config.Config, **sections: dict) -> config.Config:
    return config_files.parse(config_files.merge(values.model_dump(), sections))


def names(values: config.Config) -> list[str]:
    horizons = values.tasks.test_horizons
    return [
        *("world", "sources", "retrieval", "base", "analysis"),
        *(f"run-{run}" for run in values.runs),
        *(f"eval-{system}" for system in values.systems),
        f"tasks-train-{values.tasks.train_horizon}",
        *(f"tasks-test-{horizon}" for horizon in horizons),
    ]


def differing(before: config.Config, after: config.Config) -> set[str]:
    return {n for n in names(before) if stages.frozen(before, n) != stages.frozen(after, n)}


def test_rl_learning_rate_concerns_rl_runs_only(mini):
    after = changed(mini, rl={"optimizer": {"lr": 0.03}})
    assert differing(mini, after) == {"run-rl-mem1", "run-rl-full", "run-rl-format"}


def test_format_reward_concerns_training_and_no_evaluation(mini):
    alone = changed(mini, runs={"rl-format": None}, systems={"mem1-format": None})
    after = changed(alone, rl={"format_reward": True})
    assert differing(alone, after) == {"run-rl-mem1", "run-rl-full"}


def test_a_setting_that_trainings_are_compared_in_concerns_the_analysis_too(mini):
    after = changed(mini, rl={"format_reward": True})
    assert differing(mini, after) == {"run-rl-mem1", "run-rl-full", "analysis"}


def test_number_of_test_tasks_concerns_test_panels_only(mini):
    after = changed(mini, tasks={"test_count": 32})
    expected = {f"tasks-test-{horizon}" for horizon in mini.tasks.test_horizons}
    assert differing(mini, after) == expected


def test_another_test_horizon_leaves_the_other_panels_alone(mini):
    horizons = [*mini.tasks.test_horizons, 5]
    assert differing(mini, changed(mini, tasks={"test_horizons": horizons})) == {"analysis"}


def test_number_of_resamples_concerns_analysis_only(mini):
    assert differing(mini, changed(mini, evaluation={"bootstrap": 500})) == {"analysis"}


def test_shape_of_the_model_concerns_no_run_that_starts_from_the_base_model(mini):
    assert differing(mini, changed(mini, model={"layers": 3})) == {"base"}


def test_shape_of_the_model_concerns_a_run_from_scratch(mini):
    scratch = changed(mini, runs={"sft-mem1": {"start": "scratch"}})
    after = changed(scratch, model={"layers": 3})
    assert differing(scratch, after) == {"base", "run-sft-mem1"}


def test_world_concerns_all_trainings(mini):
    after = changed(mini, world={"entities_per_type": 8})
    assert differing(mini, after) == {"world", "base", *(f"run-{run}" for run in mini.runs)}


def test_a_run_holds_the_settings_of_its_own_stage_only(mini):
    sft, rl = (stages.training_run(mini, name) for name in ("sft-mem1", "rl-mem1"))
    assert (sft.rl, sft.sft) == (None, mini.sft)
    assert rl.sft is None
    assert rl.rl == mini.rl


def test_a_run_without_a_critic_does_not_depend_on_its_settings(mini):
    other = changed(mini, rl={"estimator": "grpo", "kl_in": "loss"})
    run = stages.training_run(other, "rl-mem1")
    assert run.rl == other.rl.model_copy(update={"critic": None})


def test_changes_of_a_run_are_in_its_settings(mini):
    other = changed(mini, runs={"rl-mem1": {"changes": {"optimizer": {"clip": 0.5}}}})
    run = stages.training_run(other, "rl-mem1")
    assert run.rl is not None
    assert run.rl.optimizer == mini.rl.optimizer.model_copy(update={"clip": 0.5})
    assert run.run.changes == {}


def test_budgets_of_a_run_are_those_of_its_objectives(mini):
    assert stages.training_run(mini, "sft-mem1").max_turns == {
        horizon: mini.tasks.turns_for(horizon) for horizon in mini.sft.horizons
    }
    assert stages.training_run(mini, "rl-mem1").max_turns == {2: mini.tasks.turns_for(2)}


def test_a_missing_budget_is_refused(mini):
    with pytest.raises(InputError, match=r"no budget for 60 objectives"):
        stages.budgets(mini.tasks, [60])


def test_settings_of_vllm_concern_only_what_runs_with_it(mini):
    with_it = changed(mini, rl={"rollout": "vllm-server"}, systems={"mem1-sft": {"engine": "vllm"}})
    concerned = {"run-rl-mem1", "run-rl-full", "run-rl-format", "eval-mem1-sft"}
    assert differing(mini, with_it) - {"analysis"} == concerned  # it knows the systems
    assert differing(mini, changed(mini, vllm={"max_num_seqs": 3})) == set()
    after = changed(with_it, vllm={"max_num_seqs": 3})
    assert differing(with_it, after) == concerned
    run = stages.frozen(after, "run-rl-mem1")
    assert run.vllm.max_num_seqs == stages.frozen(after, "eval-mem1-sft").vllm.max_num_seqs == 3


def test_sections_without_vllm_do_not_mention_it(mini):
    for stage in ("run-rl-mem1", "run-sft-mem1", "eval-mem1-rl"):
        text = json.dumps(stages.frozen(mini, stage).model_dump(mode="json"))
        assert not any(name in text for name in ("vllm", "rollout", "importance_cap"))


@pytest.mark.parametrize("stage", ["wrold", "run-nobody", "eval-nobody", "tasks-test-many", ""])
def test_unknown_stage_is_refused(mini, stage):
    with pytest.raises(InputError, match="There is no stage"):
        stages.frozen(mini, stage)


def test_every_section_survives_its_file(mini):
    for name in names(mini):
        section = stages.frozen(mini, name)
        written = json.dumps(section.model_dump(mode="json"))
        assert type(section).model_validate_json(written) == section


def test_freeze_writes_the_section(mini, tmp_path):
    output = tmp_path / "run.json"
    freeze.main(["--config", str(MINI), "--stage", "run-rl-full", "--output", str(output)])
    read = stages.TrainingRun.model_validate_json(output.read_text(encoding="utf-8"))
    assert read == stages.training_run(mini, "rl-full")
