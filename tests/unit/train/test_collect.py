"""Collection with an engine that writes nothing well-formed."""

import dataclasses
from collections.abc import Sequence
from random import Random

import pytest

from mem1.agent.engines.base import Output, Sampling
from mem1.agent.formats.catalogue import FORMATS
from mem1.agent.text import Codec
from mem1.envs.search import SearchEnvironment
from mem1.retrieval.bm25 import BM25Retriever
from mem1.tasks.atlas import World
from mem1.train.collect import Arena, forms, rewards, statistics
from mem1.train.demonstrations import mixed_tasks
from tests.unit.train.conftest import AGENT, RL


class Mumble:
    """Always writes the same word."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec

    def generate(
        self, contexts: Sequence[Sequence[int]], sampling: Sampling, seeds: Sequence[int]
    ) -> list[Output]:
        ids = self.codec.encode("open")
        return [Output(ids, [-1.0] * len(ids), "open") for _ in contexts]


@pytest.mark.parametrize(("used", "turns", "reward"), [(False, 3, 0.0), (True, 1, -1.0)])
def test_the_format_reward_is_what_the_settings_say(
    used: bool,
    turns: int,
    reward: float,
    words: Codec,
    world: World,
    retriever: BM25Retriever,
) -> None:
    tasks = mixed_tasks(world.questions, [2], {2: 3}, Random(1), count=2)
    arena = Arena(SearchEnvironment(retriever, 3, AGENT, words), words, AGENT, "mem1")
    settings = RL.model_copy(update={"format_reward": used})
    played = arena.play(Mumble(words), tasks, settings, 0)
    assert [len(one.turns) for one in played] == [turns] * 2 * settings.group
    assert rewards(played).tolist() == [reward] * len(played)
    got = statistics(played)
    assert (got["reward"], got["em"], got["malformed_ends"]) == (reward, 0.0, float(used))


@pytest.mark.parametrize("prompt", ["instruct", "search-r1", None])
def test_an_agent_is_spoken_to_in_the_form_of_its_run(
    prompt: str | None, words: Codec, world: World, retriever: BM25Retriever
) -> None:
    [task] = mixed_tasks(world.questions, [2], {2: 3}, Random(1), count=1)
    environment = SearchEnvironment(retriever, 3, AGENT, words)
    arena = Arena(environment, words, AGENT, "mem1", forms("mem1", prompt))
    form = FORMATS[prompt or "mem1"]
    assert arena.sampling(RL).stop == form.stop
    roomy = AGENT.model_copy(update={"max_context": 4096})
    played = dataclasses.replace(arena, agent=roomy).play(Mumble(words), [task], RL, 0)
    assert played[0].prompt == form.prompt(task, words)
    assert played[0].turns[1].context[: len(played[0].prompt)] == played[0].prompt
