"""Trajectories side by side, each at its own pace: none waits for another at the end of a turn.

For engines that take calls from many threads and batch by themselves what is asked for (vLLM).
Every trajectory goes through the loop (``agent.rollout``) alone, in a thread. Environments are
asked by one thread at a time, for all that wait by then.

What is sampled belongs to (task, sample, turn), so these are the trajectories of the loop with
a batch. Their times are not: a turn's ``seconds`` are the wall time that it took, beside the
others, as the paper measures with ten at once.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from typing import Any

from tqdm import tqdm

from mem1.agent import rollout as loop
from mem1.agent.context import ContextPolicy
from mem1.agent.engines.base import Continuous, Engine, Output, Sampling
from mem1.agent.formats.base import Format
from mem1.agent.text import Codec
from mem1.config import Agent
from mem1.envs.base import Environment, Observation, Request
from mem1.records import Task, Trajectory


def rollout(
    tasks: Sequence[Task],
    engine: Engine,
    policy: ContextPolicy,
    environment: Environment,
    codec: Codec,
    agent: Agent,
    sampling: Sampling,
    *,
    prompt: Format,
    system: str,
    seed: int,
    samples: Sequence[int] = (0,),
    batch: int = 64,
    end_on_malformed: bool = False,
    progress: bool = True,
    on_done: Callable[[Trajectory], None] | None = None,
) -> list[Trajectory]:
    """``agent.rollout.rollout``, with up to ``batch`` trajectories under way.

    An engine that is not ``Continuous`` goes through that loop itself. ``on_done`` is called by
    this thread.

    Raises:
        InputError: a prompt leaves no room for a turn, or what the engine or the environment
            raises; what is under way ends with its turn.
    """
    fixed: dict[str, Any] = {
        "prompt": prompt,
        "system": system,
        "seed": seed,
        "end_on_malformed": end_on_malformed,
    }
    if not isinstance(engine, Continuous) or not engine.continuous:
        return loop.rollout(
            tasks, engine, policy, environment, codec, agent, sampling,
            samples=samples, batch=batch, progress=progress, on_done=on_done, **fixed,
        )  # fmt: skip
    for task in tasks:
        policy.check(len(prompt.prompt(task, codec)))  # before any work
    shared, stoppable = SharedEnvironment(environment), _Stoppable(engine)

    def play(task: Task, sample: int) -> Trajectory:
        try:
            [trajectory] = loop.rollout(
                [task], stoppable, policy, shared, codec, agent, sampling,
                samples=[sample], batch=1, progress=False, **fixed,
            )  # fmt: skip
        except BaseException as error:  # here, since this thread would go on with the next one
            stoppable.stop(error)
            raise
        return trajectory

    pool = ThreadPoolExecutor(batch, thread_name_prefix="trajectory")
    try:
        playing = [pool.submit(play, task, sample) for task in tasks for sample in samples]
        with tqdm(total=len(playing), desc=system, unit="task", disable=not progress) as bar:
            for one in as_completed(playing):
                trajectory = one.result()
                if on_done is not None:
                    on_done(trajectory)
                bar.update()
        return [one.result() for one in playing]
    except StoppedTurnError as stopped:  # it may be seen before what stopped it
        raise stoppable.reason or stopped from None
    finally:
        stoppable.stop()
        pool.shutdown(cancel_futures=True)


class StoppedTurnError(RuntimeError):
    """A trajectory that is not played on, because another one failed."""


class _Stoppable:
    """``engine`` until it is stopped, and the first reason that was given for it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self.reason: BaseException | None = None

    def stop(self, reason: BaseException | None = None) -> None:
        """Refuse all further calls."""
        with self._lock:
            self.reason = self.reason or reason
        self._stopped.set()

    def generate(
        self, contexts: Sequence[Sequence[int]], sampling: Sampling, seeds: Sequence[int]
    ) -> list[Output]:
        """See :class:`mem1.agent.engines.base.Engine`."""
        if self._stopped.is_set():
            raise StoppedTurnError("another trajectory failed")
        return self._engine.generate(contexts, sampling, seeds)


class SharedEnvironment:
    """``environment`` for many threads: one at a time, for all whose requests wait by then.

    Its observations do not depend on what else is in a call.
    """

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._turn = threading.Lock()  # to ask the environment
        self._list = threading.Lock()  # to change what waits
        self._waiting: list[tuple[list[Request], Future[list[Observation]]]] = []

    def begin(self, task: Task) -> Any:
        """The episode that ``task`` starts in."""
        with self._turn:
            return self._environment.begin(task)

    def step(self, requests: Sequence[Request]) -> list[Observation]:
        """One observation for each request, in order."""
        mine: Future[list[Observation]] = Future()
        with self._list:
            self._waiting.append((list(requests), mine))
        with self._turn:
            if not mine.done():  # whoever had the turn before may have asked for this one too
                with self._list:
                    taken, self._waiting = self._waiting, []
                self._ask(taken)
        return mine.result()

    def _ask(self, taken: Sequence[tuple[list[Request], Future[list[Observation]]]]) -> None:
        try:
            found = self._environment.step([one for requests, _ in taken for one in requests])
        except BaseException as error:  # it is raised where the requests came from
            for _, waiting in taken:
                waiting.set_exception(error)
            return
        for requests, waiting in taken:
            own, found = found[: len(requests)], found[len(requests) :]
            waiting.set_result(own)
