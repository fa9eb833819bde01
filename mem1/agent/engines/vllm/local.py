"""Decoding with vLLM in this process: continuous batching for as many threads as ask.

One thread steps the engine. What is asked for joins the running batch at the next step, and
whoever asked goes on as soon as its own output is done.

vLLM changes things of this process when it starts: it reseeds all random generators and
replaces ``torch.set_num_threads``. Both are put back.
"""

import contextlib
import itertools
import os
import queue
import random
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mem1.agent.engines.base import Output, Sampling, cut
from mem1.agent.engines.vllm import arguments
from mem1.agent.engines.vllm.base import (
    FIRST,
    MOST_ABORTS,
    aborted,
    check_length,
    check_weights,
    parameters,
)
from mem1.agent.text import Codec
from mem1.config_vllm import Vllm
from mem1.errors import InputError


@dataclass
class _Request:
    """A context on its way through the engine."""

    context: list[int]
    sampling: Sampling
    seed: int
    done: Future[Any]
    aborts: int = 0


@dataclass
class _Act:
    """Something to do in the thread of the engine."""

    act: Callable[[], Any]
    done: Future[Any]

    def run(self) -> None:
        """Do it, and say what came of it."""
        try:
            self.done.set_result(self.act())
        except Exception as error:  # it is raised where it was asked for
            self.done.set_exception(error)


class VLLMEngine:
    """vLLM in this process.

    Args:
        settings: the section.
        model: arguments of vLLM's engine (``arguments.engine_arguments``).
        codec: the tokenizer of the model.
        threads: of its computations.
        processes: how many processes compute together, each with an engine of its own.

    Raises:
        InputError: vLLM is not installed here, is another version, or does not start.
    """

    continuous = True

    def __init__(
        self,
        settings: Vllm,
        model: dict[str, Any],
        codec: Codec,
        *,
        threads: int = 1,
        processes: int = 1,
    ) -> None:
        gpu = torch.cuda.is_available()
        arguments.check_settings(settings, gpu)
        os.environ.update(arguments.environment(settings, threads, gpu))
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
        try:
            import vllm
        except ImportError as error:
            raise InputError(
                "vLLM is not installed here: install the extra vllm, or let a server run in "
                "another environment (vllm-server; docs/vllm.md)."
            ) from error
        arguments.check_version(vllm.__version__, "This Python")
        from vllm import exceptions

        if processes > 1:
            model = {**model, "distributed_executor_backend": "external_launcher"}
        with _undisturbed(), _hidden("llvmlite.binding.ffi"):
            try:
                made = vllm.EngineArgs(**model)
                self._engine = vllm.LLMEngine.from_engine_args(made)
            except (ValueError, RuntimeError, exceptions.VLLMError) as error:
                said = " ".join(str(error).split())[:300]
                raise InputError(
                    f"vLLM does not start ({said}): correct the section vllm."
                ) from error
        self.version = FIRST
        self.most_tokens = int(model["max_model_len"])
        self._codec = codec
        self._params = vllm.SamplingParams
        self._kind = vllm.sampling_params.RequestOutputKind.FINAL_ONLY
        self._refusals = ValueError, exceptions.VLLMClientError
        self._numbers = itertools.count()
        self._waiting: queue.SimpleQueue[_Request | _Act | None] = queue.SimpleQueue()
        self._running: dict[str, _Request] = {}
        self._delayed: list[_Act] = []  # until nothing is running
        self._gpu = torch.cuda.current_device() if gpu else None  # the engine has chosen it here
        self._thread = threading.Thread(
            target=self._work, args=(threads,), name="vllm", daemon=True
        )
        self._thread.start()

    def generate(
        self, contexts: Sequence[Sequence[int]], sampling: Sampling, seeds: Sequence[int]
    ) -> list[Output]:
        """Continue each context; see :class:`mem1.agent.engines.base.Engine`.

        Raises:
            LostError: it has other weights than it was given.
            InputError: a context is too long, or vLLM refuses it.
        """
        for context in contexts:
            check_length(len(context), sampling, self.most_tokens)
        asked = [
            _Request(list(context), sampling, seed, Future())
            for context, seed in zip(contexts, seeds, strict=True)
        ]
        for one in asked:
            self._waiting.put(one)
        return [self._output(one.done.result(), sampling) for one in asked]

    def load(self, weights: Iterable[tuple[str, Tensor]], version: str) -> None:
        """Take ``weights``, by the names of the checkpoint, as ``version``.

        Nothing is sampled meanwhile; ``weights`` are read in the thread of the engine.
        """
        core = self._engine

        def take() -> None:
            core.collective_rpc("mem1_load", args=(weights,))
            if not core.reset_prefix_cache():
                raise RuntimeError("vLLM keeps keys and values of old weights")
            core.set_weight_version(version)

        self._do(take)
        self.version = version

    def sleep(self) -> None:
        """Give memory of the GPU back until ``wake``."""
        self._do(lambda: self._engine.sleep(level=1))

    def wake(self) -> None:
        """Take the memory again."""
        self._do(lambda: self._engine.wake_up())

    def close(self) -> None:
        """Stop; what is under way is not finished."""
        self._waiting.put(None)
        self._thread.join()
        with contextlib.suppress(AttributeError):
            self._engine.engine_core.shutdown()

    def _do(self, act: Callable[[], Any]) -> Any:
        """Run ``act`` in the thread of the engine, when nothing else runs there."""
        one = _Act(act, Future())
        self._waiting.put(one)
        return one.done.result()

    def _output(self, finished: Any, sampling: Sampling) -> Output:
        check_weights([span.version for span in finished.weight_versions or []], self.version)
        ids = list(finished.token_ids)
        logprobs = [place[i].logprob for i, place in zip(ids, finished.logprobs, strict=True)]
        return cut(ids, logprobs, self._codec, sampling)

    def _work(self, threads: int) -> None:
        """Step the engine until it is closed or fails; then all that is asked for fails."""
        torch.set_num_threads(threads)  # each thread has its own number
        if self._gpu is not None:
            torch.cuda.set_device(self._gpu)  # and its own GPU
        try:
            self._steps()
        except BaseException as error:  # it is raised where something was asked for
            lost: list[_Request | _Act] = [*self._running.values(), *self._delayed]
            for one in lost:
                one.done.set_exception(error)
            while (late := self._waiting.get()) is not None:
                late.done.set_exception(error)

    def _steps(self) -> None:
        """Step the engine for as long as there is something to do, until it is closed."""
        while True:
            idle = not self._running
            if idle and self._delayed:
                self._delayed.pop(0).run()
                continue
            for one in self._asked(wait=idle):
                if one is None:
                    return
                if isinstance(one, _Request):
                    self._add(one)
                else:
                    self._delayed.append(one)
            if self._running:
                for finished in self._engine.step():
                    self._finish(finished)

    def _asked(self, wait: bool) -> "Iterator[_Request | _Act | None]":
        """What waits to be done; with ``wait`` at least one thing."""
        if wait:
            yield self._waiting.get()
        with contextlib.suppress(queue.Empty):
            while True:
                yield self._waiting.get_nowait()

    def _add(self, one: _Request) -> None:
        number = str(next(self._numbers))
        self._running[number] = one
        try:
            wanted = self._params(**parameters(one.sampling, one.seed), output_kind=self._kind)
            self._engine.add_request(number, {"prompt_token_ids": one.context}, wanted)
        except self._refusals as error:  # of this request alone: the others go on
            del self._running[number]
            one.done.set_exception(InputError(f"vLLM refuses a request ({error})."))

    def _finish(self, finished: Any) -> None:
        if not finished.finished:
            return
        one = self._running.pop(finished.request_id)
        output = finished.outputs[0]
        if output.finish_reason != "abort":
            one.done.set_result(output)
        elif one.aborts + 1 < MOST_ABORTS:
            one.aborts += 1
            self._add(one)
        else:
            one.done.set_exception(aborted(MOST_ABORTS))


@contextlib.contextmanager
def _hidden(name: str) -> Iterator[None]:
    """The module ``name`` is not among those that are loaded.

    On a CPU vLLM 0.32 looks at the attributes of all loaded modules, and fails at an object of
    llvmlite that answers to every name. That is loaded with numba, and so with bm25s.
    """
    module = sys.modules.pop(name, None)
    try:
        yield
    finally:
        if module is not None:
            sys.modules[name] = module


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Random generators and functions of torch are afterwards what they were before."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    set_threads, count = torch.set_num_threads, torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads = set_threads
        torch.set_num_threads(count)
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
