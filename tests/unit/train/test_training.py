"""Supervised and reinforcement steps: they learn, they log, and they resume bit for bit."""

from functools import partial
from pathlib import Path
from random import Random

import pytest
import torch

from mem1.agent.text import Codec
from mem1.config_learning import Rl
from mem1.errors import InputError, StoppedError
from mem1.records import StepMetrics, read_jsonl
from mem1.tasks.atlas import World
from mem1.tracking import Live
from mem1.train import collect, rl, session
from mem1.train.checkpoint import Checkpoints
from mem1.train.demonstrations import mixed_tasks
from mem1.train.forward import Actor
from mem1.train.model import new_model
from mem1.train.players import plain
from mem1.train.trainee import rate
from tests.unit.train.conftest import MODEL, OPTIMIZER, PPO, RL, SHORT, TURNS, Make, flat


def run(make: Make, steps: int, folder: Path, stop: int | None = None) -> dict[str, torch.Tensor]:
    trainee, step = make()

    def interrupted(number: int) -> dict[str, float]:
        if number == stop:
            raise KeyboardInterrupt
        return step(number)

    session.train(
        "test", steps, interrupted, trainee, Checkpoints(folder, {"is": "x"}), 1, lambda _: Live()
    )
    return flat(trainee.state())


def test_a_run_that_goes_on_with_another_learning_rate_uses_it(words: Codec) -> None:
    def trainee(lr: float):
        settings = OPTIMIZER.model_copy(update={"lr": lr, "weight_decay": 0.0})
        return plain(Actor(new_model(MODEL, words.size, 0)), settings)

    first, second = trainee(1e-2), trainee(0.0)
    for value in first.module.parameters():
        value.grad = torch.ones_like(value)
    first.update(1.0)
    second.restore([first.state()])
    before = {name: value.clone() for name, value in second.weights()}
    for value in second.module.parameters():
        value.grad = torch.ones_like(value)
    second.update(1.0)
    assert all(torch.equal(before[name], value) for name, value in second.weights())


def test_a_checkpoint_of_another_kind_of_training_is_one_sentence(
    reinforce: Make, ppo: Make, tmp_path: Path
) -> None:
    def train(make: Make, steps: int, accepted: list[str]) -> None:
        trainee, step = make()
        checkpoints = Checkpoints(tmp_path, {"is": "x"}, accepted)
        session.train("test", steps, step, trainee, checkpoints, 1, lambda _: Live())

    train(reinforce, 1, [])
    with pytest.raises(InputError, match="another kind of training"):
        train(ppo, 2, ["configuration"])


@pytest.mark.parametrize("kind", ["sft", "reinforce", "ppo"])
@pytest.mark.parametrize("stop", [1, 2])
def test_interrupted_run_ends_with_the_same_bytes(
    kind: str,
    stop: int,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make = request.getfixturevalue(kind)
    monkeypatch.setattr(rl, "rewards", lambda played: torch.arange(len(played)).float() % 3)
    steps = 3
    whole = run(make, steps, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(make, steps, tmp_path / "cut", stop)

    resumed = run(make, steps, tmp_path / "cut")

    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    metrics = (tmp_path / "cut" / session.METRICS).read_text()
    assert metrics == (tmp_path / "whole" / session.METRICS).read_text()


def test_supervised_loss_falls(sft: Make) -> None:
    _, step = sft()
    losses = [step(number)["loss"] for number in range(4)]

    assert losses[-1] < losses[0] - 0.1


@pytest.mark.parametrize("settings", [RL, PPO], ids=["grpo", "ppo"])
def test_engine_and_trainer_agree_on_logprobs(
    settings: Rl, reinforce: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rl, "rewards", lambda played: torch.arange(len(played)).float() % 3)
    _, step = reinforce(settings)
    for number in range(2):
        values = step(number)
        assert values["logprob_gap_max"] < 1e-4
        assert values["mean_ratio"] == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("estimator", ["grpo", "reinforce++", "ppo"])
def test_rewarded_outputs_get_likelier(
    estimator: str, reinforce: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The scorer gives an untrained model 0, so another reward: the share of even ids.
    def even(played):
        ids = [[i for turn in one.turns for i in turn.output] for one in played]
        return torch.tensor([sum(i % 2 == 0 for i in one) / len(one) for one in ids])

    seen: list[float] = []

    def watched(played):
        seen.append(float(even(played).mean()))
        return even(played)

    monkeypatch.setattr(rl, "rewards", watched)
    steeper = OPTIMIZER.model_copy(update={"lr": 1e-2, "final_lr": 1.0})
    longer = {"tasks": 4, "group": 16, "minibatches": 1, "kl": 0.0, "entropy": 0.0}
    base = PPO if estimator == "ppo" else RL
    settings = base.model_copy(update={**longer, "estimator": estimator, "optimizer": steeper})
    short = SHORT.model_copy(update={"max_new_tokens": 8})
    _, step = reinforce(settings, short)
    for number in range(30):
        step(number)

    assert sum(seen[-3:]) / 3 > sum(seen[:3]) / 3 + 0.15


@pytest.mark.parametrize("packing", ["stitched", "stitched-restarted"])
def test_stitched_rows_are_trained_against_their_own_logprobs(
    packing: str, reinforce: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rl, "rewards", lambda played: torch.arange(len(played)).float() % 3)
    settings = PPO.model_copy(update={"packing": packing, "minibatches": 1})
    _, step = reinforce(settings, turns=4)
    values = step(0)

    assert values["mean_ratio"] == pytest.approx(1, abs=1e-5)
    assert values["logprob_gap_max"] > 1e-3  # what the engine recorded is something else
    assert values["gradient_norm"] > 0


def test_only_the_critic_learns_in_its_warm_up(
    reinforce: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rl, "rewards", lambda played: torch.arange(len(played)).float() % 3)
    assert PPO.critic is not None
    still = OPTIMIZER.model_copy(update={"weight_decay": 0.0})  # which moves weights all alone
    critic = PPO.critic.model_copy(update={"warmup": 1, "optimizer": still})
    trainee, step = reinforce(PPO.model_copy(update={"critic": critic}))

    def weights(part: str) -> torch.Tensor:
        return torch.cat([value.flatten() for value in trainee.state()[part]["model"].values()])

    before = weights("policy"), weights("critic")
    assert step(0)["rate"] == 0.0
    assert torch.equal(weights("policy"), before[0])
    assert not torch.equal(weights("critic"), before[1])
    step(1)
    assert not torch.equal(weights("policy"), before[0])


def test_speeds_are_measured_but_are_no_metrics(ppo: Make, tmp_path: Path) -> None:
    run(ppo, 2, tmp_path)
    machine = read_jsonl(tmp_path / session.MACHINE, StepMetrics)
    metrics = read_jsonl(tmp_path / session.METRICS, StepMetrics)

    assert [row.step for row in machine] == [1, 2]
    assert all(value > 0 for row in machine for value in row.values.values())
    assert machine[0].values["machine/peak_bytes"] > 2**20
    assert not any(name.startswith(session.MEASURED) for row in metrics for name in row.values)


def test_gradient_that_is_no_number_stops_the_run_before_it_is_applied(
    reinforce: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(rl, "rewards", lambda played: torch.full((len(played),), torch.nan))
    trainee, step = reinforce()
    before = {name: value.clone() for name, value in flat(trainee.state()).items()}
    with pytest.raises(StoppedError, match=r"test stopped at step 1: the gradient's norm is nan"):
        session.train(
            "test", 2, step, trainee, Checkpoints(tmp_path, {"is": "x"}), 1, lambda _: Live()
        )
    assert all(torch.equal(before[name], value) for name, value in flat(trainee.state()).items())


def test_collapsed_policy_stops_the_run_with_a_checkpoint(reinforce: Make, tmp_path: Path) -> None:
    # An untrained model writes no valid action.
    settings = RL.model_copy(update={"least_valid": 0.5, "patience": 2})
    trainee, step = reinforce(settings)
    checkpoints = Checkpoints(tmp_path, {"is": "x"})
    for steps in (2, 2, 9):  # in its last step; started again; started again with more steps
        with pytest.raises(StoppedError, match=r"test stopped after step 2: fewer than 50%"):
            session.train(
                "test", steps, step, trainee, checkpoints, 9, lambda _: Live(),
                partial(collect.collapsed, settings=settings),
            )  # fmt: skip
    latest = checkpoints.latest()
    assert latest is not None
    assert latest[0] == 2


@pytest.mark.parametrize(("shares", "stops"), [([0.1, 0.2], True), ([0.1, 0.4, 0.1], False)])
def test_policy_counts_as_collapsed_after_rounds_in_a_row(shares: list[float], stops: bool) -> None:
    settings = RL.model_copy(update={"least_valid": 0.3, "patience": 2})
    metrics = [
        StepMetrics(step=i, values={"valid_actions": share}) for i, share in enumerate(shares)
    ]
    assert (collect.collapsed(metrics, settings) is not None) == stops
    assert collect.collapsed(metrics[:1], settings) is None


def test_tasks_are_passed_over_in_whole_epochs(world: World) -> None:
    tasks = mixed_tasks(world.questions, [1], TURNS, Random(1), count=6)

    played = [task for step in range(3) for task in collect.order(tasks, 4, step, seed=0)]
    seen = [task.questions[0].id for task in played]

    assert sorted(seen[:6]) == sorted(seen[6:]) == sorted(t.questions[0].id for t in tasks)
    assert seen[:6] != seen[6:]


def test_a_step_can_be_longer_than_the_panel(world: World) -> None:
    tasks = mixed_tasks(world.questions, [1], TURNS, Random(1), count=4)

    one, more = (collect.order(tasks, count, 0, seed=0) for count in (4, 10))

    assert one == more[:4]
    prompts = [[task.questions for task in more[place : place + 4]] for place in (0, 4)]
    expected = [task.questions for task in tasks]
    assert all(sorted(found, key=str) == sorted(expected, key=str) for found in prompts)


def test_a_task_that_is_there_twice_samples_other_outputs(world: World) -> None:
    tasks = mixed_tasks(world.questions, [1], TURNS, Random(1), count=4)

    ids = [task.id for task in collect.order(tasks, 10, 0, seed=0)]

    assert len(set(ids)) == 10  # random numbers belong to the id


def test_rate_warms_up_and_decays() -> None:
    settings = OPTIMIZER.model_copy(update={"warmup": 4})
    rates = [rate(step, 100, settings) for step in range(100)]

    assert rates[0] == pytest.approx(0.2, abs=0.01)
    assert max(rates) == pytest.approx(1, abs=0.02)
    assert rates[-1] == pytest.approx(0.1)


def test_importance_weights_of_an_exact_engine_change_nothing(
    reinforce: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rl, "rewards", lambda played: torch.arange(len(played)).float() % 3)
    _, plain_step = reinforce()
    _, weighted_step = reinforce(RL.model_copy(update={"importance_cap": 2.0}))
    without, weighted = plain_step(0), weighted_step(0)
    assert weighted.pop("importance_truncated") == 0
    assert weighted.pop("importance_mean") == pytest.approx(1, abs=1e-5)
    for name in ("loss", "policy", "gradient_norm"):
        assert weighted[name] == pytest.approx(without[name], abs=1e-4)
