"""Each setting of learning reaches what it is for.

The parts have tests of their own. Here a step of RL, or of SFT, is looked at: a term that is left
out, or a setting that is not handed on, shows.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from mem1.train import rl
from mem1.train import sft as supervised
from mem1.train.ppo import CriticStep
from tests.unit.train.conftest import OPTIMIZER, PPO, RL, Make, flat

FLAT = OPTIMIZER.model_copy(update={"weight_decay": 0.0, "warmup": 0, "final_lr": 1.0})
Monkey = pytest.MonkeyPatch


def moved(trainee: Any) -> None:
    """Let the policy differ from what it started as, and from its reference."""
    generator = torch.Generator().manual_seed(0)
    for value in trainee.state()["policy"]["model"].values():
        value.add_(0.05 * torch.randn(value.shape, generator=generator))


def rewarding(monkeypatch: Monkey, reward: Callable[[int], torch.Tensor]) -> None:
    """``reward`` gives the rewards of so many trajectories."""
    monkeypatch.setattr(rl, "rewards", lambda played: reward(len(played)))


def unequal(count: int) -> torch.Tensor:
    return torch.arange(count).float() ** 2 % 5


def weights(trainee: Any) -> dict[str, torch.Tensor]:
    found = flat(trainee.state()).items()
    return {name: value.clone() for name, value in found if "model/" in name}


@pytest.mark.parametrize("kl_in", ["loss", "reward"])
def test_the_loss_is_the_sum_of_the_terms_that_are_logged(
    kl_in: str, reinforce: Make, monkeypatch: Monkey
) -> None:
    rewarding(monkeypatch, unequal)
    base = RL if kl_in == "loss" else PPO
    trainee, step = reinforce(base.model_copy(update={"kl": 0.5, "entropy": 0.1}))
    moved(trainee)
    values = step(0)
    assert values["kl"] > 1e-3
    penalty = 0.5 * values["kl"] if kl_in == "loss" else 0.0
    expected = values["policy"] + penalty - 0.1 * values["entropy"]
    assert values["loss"] == pytest.approx(expected, abs=1e-5)


def test_the_penalty_in_the_reward_is_that_of_each_token(
    reinforce: Make, monkeypatch: Monkey
) -> None:
    rewarding(monkeypatch, torch.zeros)
    given: list[torch.Tensor] = []
    begin = CriticStep.begin

    def noted(*of: Any) -> CriticStep:
        given.append(of[-1])
        return begin(*of)

    monkeypatch.setattr(CriticStep, "begin", noted)
    trainee, step = reinforce(PPO.model_copy(update={"kl": 0.5, "minibatches": 1}))
    moved(trainee)
    values = step(0)
    ratio = -given[0] / 0.5  # log-probability now minus that of the reference
    assert values["kl"] > 1e-3
    k3 = torch.exp(-ratio) - 1 + ratio
    assert float(k3.mean()) == pytest.approx(values["kl"], rel=1e-3)


def test_importance_weights_weigh(reinforce: Make, monkeypatch: Monkey) -> None:
    rewarding(monkeypatch, unequal)
    settings = RL.model_copy(update={"importance_cap": 2.0})
    whole = reinforce(settings)[1](0)["policy"]
    weigh = rl.importance
    monkeypatch.setattr(rl, "importance", lambda *of: 0.5 * weigh(*of))
    assert whole != 0
    assert reinforce(settings)[1](0)["policy"] == pytest.approx(0.5 * whole, rel=1e-3)


def test_the_clip_of_the_ratio_is_the_configured_one(reinforce: Make, monkeypatch: Monkey) -> None:
    seen: list[float] = []
    loss = rl.rl_loss

    def noted(*of: Any, **named: Any) -> Any:
        seen.append(named["clip_ratio"])
        return loss(*of, **named)

    monkeypatch.setattr(rl, "rl_loss", noted)
    reinforce(RL.model_copy(update={"clip_ratio": 0.07}))[1](0)
    assert set(seen) == {0.07}


def test_the_critic_learns_the_return(reinforce: Make, monkeypatch: Monkey) -> None:
    rewarding(monkeypatch, torch.ones)
    assert PPO.critic is not None
    steep = FLAT.model_copy(update={"lr": 1e-2})
    critic = PPO.critic.model_copy(update={"optimizer": steep})
    _, step = reinforce(PPO.model_copy(update={"critic": critic, "kl": 0.0}))
    losses = [step(number)["critic/loss"] for number in range(6)]
    assert losses[-1] < 0.3 * losses[0]


@pytest.mark.parametrize("passes", [1, 3])
def test_the_critic_passes_so_often(passes: int, reinforce: Make, monkeypatch: Monkey) -> None:
    rewarding(monkeypatch, torch.ones)
    assert PPO.critic is not None
    critic = PPO.critic.model_copy(update={"passes": passes, "optimizer": FLAT})
    trainee, step = reinforce(PPO.model_copy(update={"critic": critic, "minibatches": 1}))
    step(0)
    [state, *_] = trainee.state()["critic"]["optimizers"][0]["state"].values()
    assert int(state["step"]) == passes


def test_a_rate_of_nothing_moves_nothing(reinforce: Make, monkeypatch: Monkey) -> None:
    rewarding(monkeypatch, unequal)
    assert PPO.critic is not None
    ending = OPTIMIZER.model_copy(update={"final_lr": 0.0})
    critic = PPO.critic.model_copy(update={"optimizer": ending})
    settings = {"steps": 2, "optimizer": ending, "critic": critic}
    trainee, step = reinforce(PPO.model_copy(update=settings))
    step(0)
    before = weights(trainee)
    step(1)
    after = weights(trainee)
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_another_temperature_is_that_of_engine_and_trainer(
    reinforce: Make, monkeypatch: Monkey
) -> None:
    rewarding(monkeypatch, torch.zeros)
    found = []
    for temperature in (0.5, 1.0):
        trainee, step = reinforce(RL.model_copy(update={"temperature": temperature}))
        moved(trainee)
        found.append(step(0))
    assert found[0]["logprob_gap_max"] < 1e-4
    assert found[0]["entropy"] < found[1]["entropy"] - 0.01


def test_each_collection_samples_anew(reinforce: Make, monkeypatch: Monkey) -> None:
    seeds: list[int] = []
    play = rl.Arena.play

    def noted(self: rl.Arena, engine: Any, tasks: Any, settings: Any, seed: int) -> Any:
        seeds.append(seed)
        return play(self, engine, tasks, settings, seed)

    monkeypatch.setattr(rl.Arena, "play", noted)
    _, step = reinforce()
    step(0), step(1)
    assert len(set(seeds)) == 2


def test_rows_of_demonstrations_begin_at_other_positions(sft: Make, monkeypatch: Monkey) -> None:
    first: list[int] = []
    collate = supervised.collate

    def noted(*of: Any, **named: Any) -> Any:
        batch = collate(*of, **named)
        first.extend(batch.position_ids[:, 0].tolist())
        return batch

    monkeypatch.setattr(supervised, "collate", noted)
    _, step = sft()
    step(0), step(1)
    assert len(set(first)) > 1
