"""A small world with everything a training needs."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
import torch

from mem1.agent.text import Codec
from mem1.config import Agent, Model, World
from mem1.config_learning import Critic, Imperfections, Optimizer, Rl, Sft
from mem1.config_retrieval import Retrieval
from mem1.envs.search import SearchEnvironment
from mem1.retrieval import bm25
from mem1.tasks import atlas, tokenizer
from mem1.tasks.atlas_solver import PERFECT
from mem1.train import collect, rl, session
from mem1.train.demonstrations import Scripted, Teacher, mixed_tasks
from mem1.train.forward import Actor
from mem1.train.model import new_model
from mem1.train.players import plain, players
from mem1.train.processes import ALONE
from mem1.train.sft import SftTraining

AGENT = Agent(max_context=4096, max_new_tokens=192, max_info=192, truncate_budget=400)
MODEL = Model(layers=1, hidden=32, heads=2, intermediate=64, max_position=8192)
TURNS = {1: 12, 2: 20, 3: 30}
OPTIMIZER = Optimizer(lr=3e-3, weight_decay=0.01, warmup=1, final_lr=0.1, clip=1.0)
SFT = Sft(
    steps=4, batch=6, horizons=[1, 2], teacher=None, imperfections=PERFECT,
    optimizer=OPTIMIZER, checkpoint_every=1,
)  # fmt: skip
RL = Rl(
    estimator="grpo", steps=3, tasks=2, group=3, minibatches=2, clip_ratio=0.2, kl=0.01,
    kl_in="loss", engine="plain", packing="tree", format_reward=False,
    precision="fp32", gradient_checkpointing=False,
    critic=None, least_valid=0.0, patience=3, entropy=0.001,
    temperature=1.0, optimizer=OPTIMIZER, checkpoint_every=1,
)  # fmt: skip
PPO = RL.model_copy(
    update={
        "estimator": "ppo",
        "kl_in": "reward",
        "critic": Critic(
            optimizer=OPTIMIZER, gamma=1.0, lam=0.95, value_clip=0.5, warmup=0, passes=1
        ),
    }
)
SHORT = AGENT.model_copy(update={"max_new_tokens": 12})

Make = Callable[..., tuple[session.Resumable, Callable[[int], dict[str, float]]]]


@pytest.fixture(scope="session")
def words() -> Codec:
    return Codec(tokenizer.word_level())


@pytest.fixture(scope="session")
def world() -> atlas.World:
    return atlas.generate(World(entities_per_type=8, hops={1: 0.5, 2: 0.5}), 1, "train")


@pytest.fixture(scope="session")
def retriever(world: atlas.World) -> bm25.BM25Retriever:
    return bm25.in_memory(world.passages, Retrieval(k=3, k1=1.5, b=0.75))


@pytest.fixture
def teach(retriever: bm25.BM25Retriever, words: Codec):
    def make(policy: str = "mem1", imperfections: Imperfections = PERFECT) -> Teacher:
        return Teacher(retriever, 3, words, AGENT, policy, imperfections)

    return make


@pytest.fixture(scope="session")
def tokenizer_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer") / "words"
    tokenizer.save(tokenizer.word_level(), folder)
    return folder


@pytest.fixture
def sft(teach, world: atlas.World, words: Codec) -> Make:
    def make():
        model = new_model(MODEL, words.size, 0)
        trainee = plain(Actor(model), OPTIMIZER)
        source = Scripted(teach(), world.questions, SFT.horizons, TURNS, seed=0)
        return trainee, SftTraining(SFT, 0, trainee, source).step

    return make


@pytest.fixture
def reinforce(world: atlas.World, words: Codec, retriever: bm25.BM25Retriever) -> Make:
    environment = SearchEnvironment(retriever, 3, SHORT, words)

    def make(settings: Rl = RL, agent: Agent = SHORT, turns: int = 1):
        tasks = mixed_tasks(world.questions, [2], {2: turns}, Random(1), count=5)
        model = new_model(MODEL, words.size, 0)
        ready = players(model, settings, ALONE)
        arena = collect.Arena(environment, words, agent, "mem1")
        training = rl.RlTraining(settings, 0, ready, tasks, arena, ALONE)
        return ready.resumable, training.step

    return make


@pytest.fixture
def ppo(reinforce: Make) -> Make:
    return lambda: reinforce(PPO)


def flat(state: dict, prefix: str = "") -> dict[str, torch.Tensor]:
    """The tensors in nested ``state``."""
    found: dict[str, torch.Tensor] = {}
    for name, value in state.items() if isinstance(state, dict) else enumerate(state):
        if isinstance(value, torch.Tensor):
            found[f"{prefix}/{name}"] = value
        elif isinstance(value, dict | list):
            found |= flat(value, f"{prefix}/{name}")
    return found
