"""Trajectories at their own pace are those of the loop with a batch."""

import threading
import time
from collections.abc import Sequence
from random import Random

import pytest

from mem1.agent import context, continuous
from mem1.agent import rollout as loop
from mem1.agent.continuous import SharedEnvironment
from mem1.agent.engines.base import Output, Sampling
from mem1.agent.engines.oracle_reader import OracleReader
from mem1.agent.formats.short import SHORT
from mem1.agent.protocol import Action
from mem1.agent.text import Codec
from mem1.config import Agent, World
from mem1.config_retrieval import Retrieval
from mem1.envs.base import Observation, Request
from mem1.envs.search import SearchEnvironment
from mem1.errors import InputError
from mem1.records import Task, Trajectory
from mem1.retrieval import bm25
from mem1.tasks import atlas, tokenizer
from mem1.train.demonstrations import mixed_tasks

AGENT = Agent(max_context=4096, max_new_tokens=192, max_info=192, truncate_budget=400)
WORLD = atlas.generate(World(entities_per_type=8, hops={1: 0.5, 2: 0.5}), 7, "test")
TASKS = mixed_tasks(WORLD.questions, [1, 2, 3], {1: 6, 2: 8, 3: 10}, Random(0), count=7)
CODEC = Codec(tokenizer.word_level())
SAMPLING = Sampling(0.0, AGENT.max_new_tokens)
PATIENCE = 60  # seconds, with what happens at once on a machine that is not busy


class Threaded:
    """An oracle that takes calls from many threads; the first is answered behind the third."""

    continuous = True

    def __init__(self, fail: int | None = None) -> None:
        self._reader = OracleReader(TASKS, "mem1", CODEC)
        self._lock = threading.Lock()
        self._fail = fail
        self._third = threading.Event()
        self.calls = self.under_way = self.most = 0

    def generate(
        self, contexts: Sequence[Sequence[int]], sampling: Sampling, seeds: Sequence[int]
    ) -> list[Output]:
        with self._lock:
            self.calls += 1
            number = self.calls
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        if number == 1:
            assert self._third.wait(PATIENCE)
        with self._lock:
            self.under_way -= 1
            if number == 3:
                self._third.set()
            if self._fail is not None and number >= self._fail:
                raise InputError("the engine is gone")
            return self._reader.generate(contexts, sampling, seeds)


def play(engine, roll=continuous.rollout, **more) -> list[Trajectory]:
    retriever = bm25.in_memory(WORLD.passages, Retrieval(k=3, k1=1.5, b=0.75))
    return roll(
        TASKS, engine, context.policy("mem1", AGENT), SearchEnvironment(retriever, 3, AGENT, CODEC),
        CODEC, AGENT, SAMPLING, prompt=SHORT["mem1"], system="it", seed=0, samples=(0, 1),
        progress=False, **more,
    )  # fmt: skip


def timeless(trajectories: Sequence[Trajectory]) -> list[dict]:
    """Without what differs from run to run."""
    rows = [one.model_dump(exclude={"seconds"}) for one in trajectories]
    for row in rows:
        for turn in row["turns"]:
            del turn["seconds"], turn["retrieval_seconds"]
    return rows


def test_the_same_trajectories_come_out_in_the_same_order() -> None:
    engine = Threaded()
    done: list[tuple[str, int]] = []
    thread = threading.get_ident()

    def finished(one: Trajectory) -> None:
        assert threading.get_ident() == thread
        done.append((one.task_id, one.sample))

    played = play(engine, batch=4, on_done=finished)
    assert timeless(played) == timeless(play(engine, loop.rollout))
    assert len({turn.info_text for one in played for turn in one.turns}) > 10
    assert sorted(done) == sorted((one.task_id, one.sample) for one in played)
    assert 2 <= engine.most <= 4


def test_seconds_are_the_trajectorys_own() -> None:
    started = time.perf_counter()
    played = play(Threaded(), batch=14)
    whole = time.perf_counter() - started
    assert all(0 < one.seconds <= whole for one in played)
    assert all(one.seconds == sum(turn.seconds for turn in one.turns) for one in played)


def test_a_failure_ends_all() -> None:
    engine = Threaded(fail=6)
    with pytest.raises(InputError, match="the engine is gone"):
        play(engine, batch=3)
    assert engine.calls <= 6 + 2  # what was under way, and nothing after it


def test_a_prompt_that_does_not_fit_is_refused_before_any_work() -> None:
    engine = Threaded()
    small = AGENT.model_copy(update={"max_context": 300})
    with pytest.raises(InputError, match=r"agent\.max_context"):
        continuous.rollout(
            TASKS, engine, context.policy("mem1", small), None, CODEC, small, SAMPLING,
            prompt=SHORT["mem1"], system="it", seed=0, progress=False,
        )  # fmt: skip
    assert engine.calls == 0


class Narrow:
    """An environment that notices when two threads are in it, and goes on when it is told."""

    def __init__(self) -> None:
        self.entered, self.told = threading.Event(), threading.Event()
        self.inside = 0
        self.sizes: list[int] = []

    def begin(self, task: Task) -> None:
        pass

    def step(self, requests: Sequence[Request]) -> list[Observation]:
        self.inside += 1
        assert self.inside == 1
        self.entered.set()
        assert self.told.wait(PATIENCE)
        self.sizes.append(len(requests))
        self.inside -= 1
        if any(request.turns_left == 99 for request in requests):
            raise InputError("the index is gone")
        return [Observation([request.turns_left], "") for request in requests]


def test_waiting_requests_are_one_call_of_the_environment() -> None:
    narrow = Narrow()
    shared = SharedEnvironment(narrow)
    seen: dict[int, int] = {}

    def ask(number: int) -> None:
        [found] = shared.step([Request(TASKS[0], number, Action("search", "x"))])
        [seen[number]] = found.ids

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    threads[0].start()
    assert narrow.entered.wait(PATIENCE)
    for thread in threads[1:]:
        thread.start()
    until = time.monotonic() + PATIENCE
    while len(shared._waiting) < 11 and time.monotonic() < until:
        time.sleep(0.001)
    narrow.told.set()
    for thread in threads:
        thread.join()
    assert seen == {number: number for number in range(12)}
    assert narrow.sizes == [1, 11]


def test_a_failing_environment_fails_whoever_asked() -> None:
    narrow = Narrow()
    narrow.told.set()
    shared = SharedEnvironment(narrow)
    with pytest.raises(InputError, match="the index is gone"):
        shared.step([Request(TASKS[0], 99, Action("search", "x"))])
    assert shared.step([Request(TASKS[0], 1, Action("search", "x"))])[0].ids == [1]
