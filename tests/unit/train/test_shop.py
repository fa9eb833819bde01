"""Demonstrations of shopping: always new, decided by the seed, and what is learned from them."""

from pathlib import Path

import pytest

from mem1 import config_files, stages
from mem1.agent import protocol
from mem1.agent.formats.shop import vocabulary
from mem1.agent.text import Codec
from mem1.tasks.tokenizer import word_level
from mem1.train.base import optimizers
from mem1.train.model import load_model
from mem1.train.shop import Demonstrations, ShopTraining
from mem1.train.trainee import PlainTrainee

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec(word_level(vocabulary()))


@pytest.fixture(scope="module")
def small():
    """A function: the run of preset smoke in shops, under a policy."""
    config = config_files.load(ROOT / "config/config.yaml", ROOT / "config/smoke.yaml")
    return lambda policy: stages.frozen(config, f"run-shop-sft-{policy}")


def ids(trees) -> list[list[int]]:
    return [tree.ids.tolist() for tree in trees]


@pytest.mark.parametrize("policy", ["mem1", "full"])
def test_a_training_that_goes_on_sees_the_rows_of_one_that_never_stopped(small, codec, policy):
    whole = Demonstrations(small(policy), 5, codec)
    every = [ids(whole.at(step)) for step in range(1, 5)]
    assert ids(Demonstrations(small(policy), 5, codec).at(4)) == every[3]
    assert ids(Demonstrations(small(policy), 6, codec).at(4)) != every[3]


def test_a_step_holds_no_more_tokens_than_it_may(small, codec):
    run = small("mem1")
    made = Demonstrations(run, 5, codec)
    for step in range(1, 6):
        trees = made.at(step)
        assert max(map(len, trees)) * len(trees) <= run.sft.tokens


def test_turns_are_rows_under_mem1_and_trajectories_under_full(small, codec):
    turns, whole = (Demonstrations(small(p), 5, codec).at(1) for p in ("mem1", "full"))
    assert max(map(len, turns)) < min(map(len, whole))


def test_what_was_written_earlier_is_not_learned_as_a_beginning(small, codec):
    trees = Demonstrations(small("mem1"), 5, codec).at(1)
    begin, end = (codec.encode(tag)[0] for tag in (protocol.THINK, protocol.INFO))
    earlier = 0
    for tree in trees:
        chosen = set(tree.sampled[tree.trajectory < 0].tolist())
        said = set(
            range(tree.ids.tolist().index(begin), int(tree.sampled[tree.trajectory >= 0].min()))
        )
        said -= set(range(tree.ids.tolist().index(end), len(tree))) if end in tree.ids else set()
        earlier += len(said)
        assert chosen
        assert not chosen & said
    assert earlier


def test_the_base_model_learns_to_shop(small, codec):
    run = small("mem1")
    model, _ = load_model(ROOT / "models/base")
    sft = run.sft.model_copy(
        update={"steps": 6, "optimizer": run.sft.optimizer.model_copy(update={"warmup": 0})}
    )
    trainee = PlainTrainee(model, optimizers(model.train(), sft.optimizer, sft.muon_lr), 1.0)
    training = ShopTraining(run.model_copy(update={"sft": sft}), 3, trainee, codec)
    losses = [training.step(number)["loss"] for number in range(1, 7)]
    assert losses[-1] < 0.7 * losses[0]


def test_passes_are_in_the_precision_of_the_settings(small, codec):
    run = small("mem1")

    def loss(precision: str) -> float:
        model, _ = load_model(ROOT / "models/base")
        sft = run.sft.model_copy(update={"precision": precision})
        trainee = PlainTrainee(model, optimizers(model.train(), sft.optimizer, sft.muon_lr), 1.0)
        training = ShopTraining(run.model_copy(update={"sft": sft}), 3, trainee, codec)
        return training.step(1)["loss"]

    whole, half = loss("fp32"), loss("bf16")
    assert whole != half
    assert half == pytest.approx(whole, rel=1e-2)
