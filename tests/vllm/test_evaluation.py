"""An evaluation whose server is killed starts it again, and ends with the same records."""

import os
import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mem1 import systems
from mem1.agent import context
from mem1.agent.engines.base import Output
from mem1.agent.engines.hf import HFEngine
from mem1.agent.engines.vllm.opening import OwnServer
from mem1.agent.engines.vllm.process import ServerProcess
from mem1.agent.formats.short import SHORT
from mem1.agent.settings import EvaluationRun
from mem1.agent.text import Codec
from mem1.config import Agent
from mem1.config_retrieval import Retrieval
from mem1.envs.search import SearchEnvironment
from mem1.errors import InputError
from mem1.records import Trajectory
from mem1.retrieval import bm25
from tests.unit.agent.engines.test_http import TASKS, WORLD
from tests.unit.agent.test_continuous import timeless
from tests.vllm.conftest import MOST, SETTINGS

AGENT = Agent(max_context=MOST, max_new_tokens=64, max_info=192, truncate_budget=400)


class Dying(OwnServer):
    """A server that is killed in the middle of an evaluation, at the calls in ``deaths``."""

    def __init__(self, server: ServerProcess, codec: Codec, deaths: Sequence[int]) -> None:
        super().__init__(server, SETTINGS, codec, MOST)
        self._deaths = deaths
        self._calls = 0
        self._lock = threading.Lock()
        self.revived = 0

    def generate(self, *arguments: Any) -> list[Output]:
        with self._lock:
            self._calls += 1
            if self._calls in self._deaths:
                guard = self._server._guard
                assert guard is not None
                children = Path(f"/proc/{guard.pid}/task/{guard.pid}/children").read_text()
                os.kill(int(children.split()[0]), signal.SIGKILL)
        return super().generate(*arguments)

    def revive(self, reason: str) -> None:
        super().revive(reason)
        self.revived += 1


def evaluate(engine: OwnServer, codec: Codec, kept: Path) -> list[Trajectory]:
    retriever = bm25.in_memory(WORLD.passages, Retrieval(k=3, k1=1.5, b=0.75))
    system = systems.System(
        codec, SHORT["mem1"], engine, context.policy("mem1", AGENT), retriever,
        SearchEnvironment(retriever, 3, AGENT, codec), 2, [],
    )  # fmt: skip
    run = EvaluationRun.model_construct(agent=AGENT, temperature=0.0, seed=0)
    return systems.play(system, run, "it", TASKS, kept, {"is": "x"})


@pytest.fixture
def own(server: ServerProcess) -> ServerProcess:
    """A server that has just started: with its first weights."""
    server.start()
    return server


def test_a_killed_server_is_started_again_and_changes_no_record(
    own: ServerProcess, base: tuple[Codec, HFEngine], tmp_path: Path
) -> None:
    codec = base[0]
    calm, dying = Dying(own, codec, []), Dying(own, codec, [7])
    expected = evaluate(calm, codec, tmp_path / "calm")
    assert sum(one.end == "answered" for one in expected) >= 3  # they are worth comparing
    assert timeless(evaluate(dying, codec, tmp_path / "dying")) == timeless(expected)
    assert (calm.revived, dying.revived) == (0, 1)


def test_a_server_that_keeps_dying_ends_the_evaluation_and_keeps_what_is_done(
    own: ServerProcess, base: tuple[Codec, HFEngine], tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    with pytest.raises(InputError, match=r"after 1 new starts \(vllm\.restarts\)"):
        evaluate(Dying(own, base[0], range(9, 100)), base[0], kept)
    assert len(kept.read_text(encoding="utf-8").splitlines()) > 1
    own.start()  # for the tests that follow
