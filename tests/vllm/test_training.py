"""Reinforcement learning with vLLM: exact, the same in both placements, and after a fault."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mem1.agent.text import Codec
from mem1.config import Agent
from mem1.config_retrieval import Retrieval
from mem1.envs.search import SearchEnvironment
from mem1.provenance import json_digest
from mem1.records import StepMetrics
from mem1.retrieval import bm25
from mem1.tracking import Live
from mem1.train import session
from mem1.train.checkpoint import Checkpoints
from mem1.train.collect import Arena
from mem1.train.model import load_model
from mem1.train.placement import InProcess, Served
from mem1.train.players import players
from mem1.train.processes import ALONE
from mem1.train.rl import RlTraining
from mem1.train.rollouts import WithVllm
from tests.unit.agent.engines.openai_server import BASE
from tests.unit.agent.engines.test_http import TASKS, WORLD
from tests.unit.train.test_training import PPO
from tests.vllm.conftest import MOST, SETTINGS

AGENT = Agent(max_context=4096, max_new_tokens=64, max_info=192, truncate_budget=400)
STEPS = 2
RL = PPO.model_copy(update={"steps": STEPS, "tasks": 2, "group": 2, "minibatches": 1})


@dataclass
class Trained:
    """What a training leaves behind."""

    metrics: list[StepMetrics]
    weights: str  # digest
    rollouts: WithVllm


def train(
    make: Callable[[Codec], Any], folder: Path, disturb: Callable[[Any], Any] = lambda it: it
) -> Trained:
    model, codec = load_model(BASE)
    ready = players(model, RL, ALONE)
    retriever = bm25.in_memory(WORLD.passages, Retrieval(k=3, k1=1.5, b=0.75))
    arena = Arena(SearchEnvironment(retriever, 3, AGENT, codec), codec, AGENT, "mem1")
    form = arena.forms["mem1"]
    rollouts = WithVllm(
        make(codec), ready.policy, SETTINGS, ALONE,
        [form.prompt(task, codec) for task in TASKS[: SETTINGS.probes]],
        arena.sampling(RL), 0,
    )  # fmt: skip
    training = RlTraining(RL, 0, ready, TASKS, arena, ALONE, disturb(rollouts))
    metrics = session.train(
        "test", STEPS, training.step, ready.resumable, Checkpoints(folder, {"is": "x"}), 1,
        lambda _: Live(),
    )  # fmt: skip
    weights = {name: value.tolist() for name, value in model.named_parameters()}
    return Trained(metrics, json_digest(weights), rollouts)


@pytest.fixture(scope="module")
def undisturbed(server, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("undisturbed")
    return train(lambda codec: Served(SETTINGS, codec, ALONE, server, MOST, folder), folder)


def test_engine_and_trainer_agree_throughout(undisturbed: Trained) -> None:
    assert len(undisturbed.metrics) == STEPS
    for row in undisturbed.metrics:
        assert row.values["logprob_gap_max"] < 1e-3
        assert row.values["probe_gap_max"] < 1e-3
    assert undisturbed.metrics[0].values["gradient_norm"] > 0  # the weights did move
    assert undisturbed.rollouts.measures()["machine/restarts"] == 0


def test_in_process_trains_to_the_same_bytes(undisturbed: Trained, local, tmp_path: Path) -> None:
    placement = InProcess.__new__(InProcess)  # around the engine that is there
    placement.engine = local
    trained = train(lambda codec: placement, tmp_path)
    assert trained.metrics == undisturbed.metrics
    assert trained.weights == undisturbed.weights


class Fatal:
    """Rollouts whose server is killed in the middle of the second collection."""

    def __init__(self, rollouts: WithVllm, pid: Callable[[], int]) -> None:
        self._rollouts = rollouts
        self._pid = pid
        self._collections = 0
        self.measures = rollouts.measures

    def collect(self, play: Callable[[Any], Any]) -> Any:
        self._collections += 1
        calls = 0

        def disturbed(engine: Any) -> Any:
            nonlocal calls

            class Dying:
                continuous = True

                def generate(self, *arguments: Any) -> Any:
                    nonlocal calls
                    calls += 1
                    if calls == 3:
                        os.kill(fatal._pid(), signal.SIGKILL)
                    return engine.generate(*arguments)

            fatal = self
            return play(Dying() if self._collections == 2 else engine)

        return self._rollouts.collect(disturbed)


def test_a_killed_server_changes_nothing(undisturbed: Trained, server, tmp_path: Path) -> None:
    def child_of_guard() -> int:
        guard = server._guard.pid
        return int(Path(f"/proc/{guard}/task/{guard}/children").read_text().split()[0])

    trained = train(
        lambda codec: Served(SETTINGS, codec, ALONE, server, MOST, tmp_path),
        tmp_path,
        lambda rollouts: Fatal(rollouts, child_of_guard),
    )
    assert trained.rollouts.measures()["machine/restarts"] == 1
    assert trained.metrics == undisturbed.metrics
    assert trained.weights == undisturbed.weights
