"""One process of a small training: `zero_worker.py ENGINE STEPS FOLDER CHANGES` (see test_zero).

Rewards are made up, since a random model earns none, and rows are short, so that a step
takes several backward passes and not equally many in each process.
"""

import json
from pathlib import Path
from random import Random

import torch

from mem1 import cli
from mem1.agent.text import Codec
from mem1.config import Model, World
from mem1.config_learning import Critic, Optimizer, Rl
from mem1.config_retrieval import Retrieval
from mem1.envs.search import SearchEnvironment
from mem1.retrieval import bm25
from mem1.tasks import atlas, tokenizer
from mem1.tracking import Live
from mem1.train import experience, rl, session
from mem1.train.checkpoint import Checkpoints
from mem1.train.collect import Arena
from mem1.train.demonstrations import mixed_tasks
from mem1.train.model import new_model
from mem1.train.players import players
from mem1.train.processes import Processes
from tests.unit.train.conftest import AGENT

OPTIMIZER = Optimizer(lr=1e-3, weight_decay=0.01, warmup=2, final_lr=0.1, clip=0.05)
SETTINGS = Rl(
    estimator="ppo", engine="plain", precision="fp32",
    gradient_checkpointing=False, packing="tree", format_reward=False, steps=10, tasks=4,
    group=2, minibatches=2, clip_ratio=0.2, kl=0.01, kl_in="reward", entropy=0.01,
    temperature=1.0, least_valid=0.0, patience=3, optimizer=OPTIMIZER, checkpoint_every=1,
    critic=Critic(optimizer=OPTIMIZER, gamma=1.0, lam=0.95, value_clip=0.5, warmup=1, passes=2),
)  # fmt: skip


def main(engine: str, steps: int, folder: Path, changes: str) -> None:
    torch.set_num_threads(1)
    experience.ROW_TOKENS = 300
    rl.rewards = lambda played: torch.arange(len(played)).float() % 3
    settings = SETTINGS.model_copy(update={"engine": engine, **json.loads(changes)})
    processes = Processes.started(engine)
    words = Codec(tokenizer.word_level())
    world = atlas.generate(World(entities_per_type=8, hops={1: 0.5, 2: 0.5}), 1, "train")
    retriever = bm25.in_memory(world.passages, Retrieval(k=3, k1=1.5, b=0.75))
    agent = AGENT.model_copy(update={"max_new_tokens": 8})
    shape = Model(layers=2, hidden=32, heads=2, intermediate=64, max_position=8192)
    model = new_model(shape, words.size, 0)
    torch.nn.Module.to(model, processes.device)
    ready = players(model, settings, processes)
    training = rl.RlTraining(
        settings,
        0,
        ready,
        mixed_tasks(world.questions, [1, 2, 3], {1: 2, 2: 3, 3: 4}, Random(1), count=9),
        Arena(SearchEnvironment(retriever, 3, agent, words), words, agent, "mem1"),
        processes,
    )
    checkpoints = Checkpoints(folder, {"is": "x"}, processes=processes)
    session.train(
        "test", steps, training.step, ready.resumable, checkpoints, 1, lambda _: Live(),
        processes=processes,
    )  # fmt: skip
    ready.sync()
    if processes.first:
        torch.save(ready.rollout.state_dict(), folder / "weights.pt")


if __name__ == "__main__":
    cli.run(lambda words: main(words[0], int(words[1]), Path(words[2]), words[3]))
