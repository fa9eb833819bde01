"""A small world with everything a training needs."""

from pathlib import Path

import pytest

from mem1.agent.text import Codec
from mem1.config import Agent, Model, World
from mem1.config_learning import Imperfections
from mem1.config_retrieval import Retrieval
from mem1.retrieval import bm25
from mem1.tasks import atlas, tokenizer
from mem1.tasks.atlas_solver import PERFECT
from mem1.train.demonstrations import Teacher

AGENT = Agent(max_context=4096, max_new_tokens=192, max_info=192, truncate_budget=400)
MODEL = Model(layers=1, hidden=32, heads=2, intermediate=64, max_position=8192)
TURNS = {1: 12, 2: 20, 3: 30}


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
