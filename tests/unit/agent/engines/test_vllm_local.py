"""vLLM in this process when it refuses or breaks down; a stand-in is the package."""

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from mem1.agent.engines.base import Sampling
from mem1.agent.engines.vllm.local import VLLMEngine
from mem1.agent.text import Codec
from mem1.errors import InputError
from mem1.tasks import tokenizer
from tests.unit.agent.engines.test_vllm_process import SETTINGS

CODEC = Codec(tokenizer.word_level())
SAMPLING = Sampling(1.0, 4)
EMPTY, FATAL = [], [9]  # contexts that are refused, and that break the engine
LONG = 60  # seconds that nothing here takes


class ClientError(Exception):
    """What vLLM raises at a request that it refuses."""


class Pretended:
    """vLLM's engine: it says the last id again."""

    def __init__(self) -> None:
        self._asked: dict[str, list[int]] = {}

    def add_request(self, number: str, prompt: dict[str, list[int]], wanted: object) -> None:
        if prompt["prompt_token_ids"] == EMPTY:
            raise ClientError("The decoder prompt cannot be empty")
        self._asked[number] = prompt["prompt_token_ids"]

    def step(self) -> Iterator[Any]:
        if FATAL in self._asked.values():
            raise RuntimeError("no memory")
        asked, self._asked = self._asked, {}
        for number, ids in asked.items():
            place = {ids[-1]: SimpleNamespace(logprob=-1.0)}
            output = SimpleNamespace(
                token_ids=ids[-1:],
                logprobs=[place],
                finish_reason="length",
                weight_versions=[SimpleNamespace(version="default")],
            )
            yield SimpleNamespace(finished=True, request_id=number, outputs=[output])


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> VLLMEngine:
    package = ModuleType("vllm")
    package.__version__ = "0.32.0"
    package.EngineArgs = dict
    package.LLMEngine = SimpleNamespace(from_engine_args=lambda made: Pretended())
    package.SamplingParams = dict
    package.sampling_params = SimpleNamespace(RequestOutputKind=SimpleNamespace(FINAL_ONLY=2))
    package.exceptions = SimpleNamespace(VLLMError=ClientError, VLLMClientError=ClientError)
    monkeypatch.setitem(sys.modules, "vllm", package)
    monkeypatch.setattr("os.environ", dict(os.environ))  # it sets what vLLM reads
    return VLLMEngine(SETTINGS, {"max_model_len": 64}, CODEC)


def later(act: Any, *arguments: Any) -> Any:
    """What ``act`` returns, in another thread: it must not wait for ever."""
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(act, *arguments).result(LONG)
    finally:
        pool.shutdown(wait=False)


def test_a_refused_request_is_one_sentence_and_the_others_go_on(engine: VLLMEngine) -> None:
    with pytest.raises(InputError, match=r"vLLM refuses a request \(The decoder prompt cannot be"):
        later(engine.generate, [EMPTY], SAMPLING, [1])
    assert later(engine.generate, [[5]], SAMPLING, [1])[0].ids == [5]
    engine.close()


def test_an_engine_that_breaks_down_fails_whoever_waits_for_it(engine: VLLMEngine) -> None:
    for act in (
        lambda: engine.generate([[5], FATAL, [6]], SAMPLING, [1, 2, 3]),
        lambda: engine.generate([[5]], SAMPLING, [1]),  # and whoever asks afterwards
        engine.wake,
    ):
        with pytest.raises(RuntimeError, match="no memory"):
            later(act)
    engine.close()
