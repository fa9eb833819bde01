"""Supervised training on a GPU: the losses of the CPU."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mem1 import config_files, stages
from mem1.agent.formats.shop import vocabulary
from mem1.agent.text import Codec
from mem1.config import World
from mem1.config_retrieval import Retrieval
from mem1.retrieval import bm25
from mem1.tasks import atlas, tokenizer
from mem1.tasks.atlas_solver import PERFECT
from mem1.train.base import optimizers
from mem1.train.demonstrations import Scripted, Teacher
from mem1.train.forward import Actor
from mem1.train.model import load_model, new_model
from mem1.train.players import plain
from mem1.train.sft import SftTraining
from mem1.train.shop import ShopTraining
from mem1.train.trainee import PlainTrainee
from tests.unit.train.conftest import AGENT, MODEL, SFT, TURNS

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
ROOT = Path(__file__).resolve().parents[2]


def questions(device: str) -> list[float]:
    words = Codec(tokenizer.word_level())
    world = atlas.generate(World(entities_per_type=8, hops={1: 0.5, 2: 0.5}), 1, "train")
    retriever = bm25.in_memory(world.passages, Retrieval(k=3, k1=1.5, b=0.75))
    teacher = Teacher(retriever, 3, words, AGENT, "mem1", PERFECT)
    source = Scripted(teacher, world.questions, SFT.horizons, TURNS, seed=0)
    trainee = plain(Actor(new_model(MODEL, words.size, 0).to(device)), SFT.optimizer)
    training = SftTraining(SFT, 0, trainee, source)
    return [training.step(number)["loss"] for number in range(2)]


def shop(device: str) -> list[float]:
    config = config_files.load(ROOT / "config/config.yaml", ROOT / "config/smoke.yaml")
    run = stages.frozen(config, "run-shop-sft-full")
    assert isinstance(run, stages.ShopRun)
    assert run.sft is not None
    model, _ = load_model(ROOT / "models/base")
    made = optimizers(model.to(device).train(), run.sft.optimizer, run.sft.muon_lr)
    codec = Codec(tokenizer.word_level(vocabulary()))
    training = ShopTraining(run, 3, PlainTrainee(model, made, run.sft.optimizer.clip), codec)
    return [training.step(number)["loss"] for number in range(2)]


@pytest.mark.parametrize(("train", "tolerance"), [(questions, 1e-3), (shop, 0.1)])
def test_first_steps_are_those_of_the_cpu(
    train: Callable[[str], list[float]], tolerance: float
) -> None:
    assert train("cuda") == pytest.approx(train("cpu"), abs=tolerance)  # shops: in bfloat16
