"""Reinforcement learning with vLLM: exact, the same in both placements, and after a fault."""

import os
import signal
import subprocess
import sys
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
from mem1.records import StepMetrics, read_jsonl
from mem1.retrieval import bm25
from mem1.tracking import Live
from mem1.train import session
from mem1.train.checkpoint import Checkpoints
from mem1.train.collect import Arena
from mem1.train.model import load_model
from mem1.train.placement import InProcess, Served
from mem1.train.players import players
from mem1.train.processes import ALONE, Processes
from mem1.train.rl import RlTraining
from mem1.train.rollouts import WithVllm
from tests.unit.agent.engines.openai_server import BASE
from tests.unit.agent.engines.test_http import TASKS, WORLD
from tests.unit.train.conftest import PPO
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
    make: Callable[[Codec], Any],
    folder: Path,
    disturb: Callable[[Any], Any] = lambda it: it,
    engine: str = "plain",
    processes: Processes = ALONE,
) -> Trained:
    model, codec = load_model(BASE)
    settings = RL.model_copy(update={"engine": engine})
    ready = players(model, settings, processes)
    retriever = bm25.in_memory(WORLD.passages, Retrieval(k=3, k1=1.5, b=0.75))
    arena = Arena(SearchEnvironment(retriever, 3, AGENT, codec), codec, AGENT, "mem1")
    form = arena.forms["mem1"]
    rollouts = WithVllm(
        make(codec), ready.policy, SETTINGS, processes,
        [form.prompt(task, codec) for task in TASKS[: SETTINGS.probes]],
        arena.sampling(settings), 0,
    )  # fmt: skip
    training = RlTraining(settings, 0, ready, TASKS, arena, processes, disturb(rollouts))
    checkpoints = Checkpoints(folder, {"is": "x"}, processes=processes)
    metrics = session.train(
        "test", STEPS, training.step, ready.resumable, checkpoints, 1, lambda _: Live(),
        processes=processes,
    )  # fmt: skip
    ready.sync()
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


@pytest.mark.slow
def test_two_processes_with_parts_of_the_model_share_a_server(
    undisturbed: Trained, server, tmp_path: Path
) -> None:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    launcher += ["--nproc-per-node=2", "-m", "tests.vllm.shared", server.root, str(tmp_path)]
    environment = {**os.environ, "KEY_OF_THE_TEST": server.key, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(launcher, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    rows = read_jsonl(tmp_path / "metrics.jsonl", StepMetrics)
    for row, other in zip(rows, undisturbed.metrics, strict=True):
        assert row.values["logprob_gap_max"] < 1e-3
        assert row.values["probe_gap_max"] < 1e-3
        assert row.values["output_tokens"] == other.values["output_tokens"]
        assert row.values["policy"] == pytest.approx(other.values["policy"], abs=1e-4)


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
