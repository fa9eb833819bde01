"""Rollouts of policies that keep a memory by calls: what is recorded, and what it may depend on."""

from collections.abc import Mapping, Sequence

import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from mem1.agent.engines.base import Engine, Output, Sampling, until_stop
from mem1.agent.engines.hf import HFEngine
from mem1.agent.formats.base import Format
from mem1.agent.formats.catalogue import FORMATS
from mem1.agent.formats.short import SHORT
from mem1.agent.memory.catalogue import policy
from mem1.agent.rollout import rollout
from mem1.agent.text import Codec
from mem1.config import Agent
from mem1.config_systems import Policy
from mem1.envs.base import Observation, Request
from mem1.errors import InputError
from mem1.records import Task, Trajectory

NAMES: list[Policy] = ["summary", "overwrite", "amem"]
SEARCH = "<think> Ada </think> <search> Ada </search>"
TIMES = {"seconds": True, "retrieval_seconds": True, "calls": {"__all__": {"seconds"}}}


class Found:
    """Finds the colour of a page that the action does not matter for."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec

    def begin(self, task: Task) -> None:
        """Nothing changes."""

    def step(self, requests: Sequence[Request]) -> list[Observation]:
        texts = [r.form.notice(r.turns_left, "Ada likes red") for r in requests]
        return [Observation(self.codec.encode(text), text, ["p"]) for text in texts]


NOTE = '<note> {"keywords": ["Ada"], "context": "Ada likes red.", "tags": ["person"]} </note>'
EVOLUTION = '<evolution> {"links": [1], "tags": ["colour"]} </evolution>'


class Told:
    """Writes the same in every turn, and in every call what it is given; remembers what was asked.

    ``said`` holds the text of an output by its stop string.
    """

    def __init__(self, codec: Codec, said: Mapping[str, str] | None = None) -> None:
        self.codec, self.said = codec, said or {}
        self.asked: list[tuple[int, Sampling, list[int]]] = []

    def generate(
        self, contexts: Sequence[Sequence[int]], sampling: Sampling, seeds: Sequence[int]
    ) -> list[Output]:
        self.asked.append((len(contexts), sampling, list(seeds)))
        text = until_stop(self.said.get(sampling.stop[-1], SEARCH), sampling.stop)
        ids = self.codec.encode(self.said.get(sampling.stop[-1], SEARCH))
        return [Output(ids, [-0.5] * len(ids), text)] * len(contexts)


@pytest.fixture(scope="module")
def model(words: Codec) -> Qwen2ForCausalLM:
    """Random weights that make contexts matter."""
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=words.size,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        initializer_range=0.2,
        eos_token_id=words.eos,
        pad_token_id=0,
        bos_token_id=None,
    )
    return Qwen2ForCausalLM(config).eval()


def run(
    tasks: list[Task],
    engine: Engine,
    name: Policy,
    codec: Codec,
    agent: Agent,
    seed: int = 7,
    batch: int = 64,
    form: Format = SHORT["mem1"],
) -> list[Trajectory]:
    return rollout(
        tasks,
        engine,
        policy(name, agent, codec, form),
        Found(codec),
        codec,
        agent,
        Sampling(1.0, agent.max_new_tokens),
        prompt=form,
        system="s",
        seed=seed,
        samples=[0, 1],
        batch=batch,
        progress=False,
    )


def timeless(played: list[Trajectory]) -> list[dict]:
    """The records without their times."""
    return [
        one.model_dump(exclude={"seconds": True, "turns": {"__all__": TIMES}}) for one in played
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_rollout_does_not_depend_on_its_neighbours(
    name: Policy, words: Codec, agent: Agent, tasks: list[Task], model: Qwen2ForCausalLM
) -> None:
    together, alone = (
        run(tasks, HFEngine(model, words), name, words, agent, batch=batch) for batch in (64, 1)
    )
    for one, other in zip(timeless(together), timeless(alone), strict=True):
        for turn, same in zip(one["turns"], other["turns"], strict=True):
            assert turn.pop("logprobs") == pytest.approx(same.pop("logprobs"), abs=1e-5)
            assert turn == same


@pytest.mark.parametrize("name", NAMES)
def test_seeds_decide_turns_and_calls(
    name: Policy, words: Codec, agent: Agent, tasks: list[Task], model: Qwen2ForCausalLM
) -> None:
    one, same, other = (
        timeless(run(tasks[:1], HFEngine(model, words), name, words, agent, seed=seed))
        for seed in (7, 7, 8)
    )
    assert one == same
    calls = [
        [c["output"] for turn in t["turns"] for c in turn["calls"]] for t in (one[0], other[0])
    ]
    assert calls[0] != calls[1]
    assert one[0]["turns"] != one[1]["turns"]  # samples differ


@pytest.mark.parametrize("name", NAMES)
def test_recorded_contexts_can_be_made_again(
    name: Policy, words: Codec, agent: Agent, tasks: list[Task], model: Qwen2ForCausalLM
) -> None:
    chosen = policy(name, agent, words, SHORT["mem1"])
    for one in run(tasks, HFEngine(model, words), name, words, agent):
        for number, turn in enumerate(one.turns):
            assert turn.context == chosen.context(one.prompt, one.turns[:number], turn.calls)
            assert turn.context[: len(one.prompt)] == one.prompt
        if len(one.turns) > 2:
            with pytest.raises(ValueError, match=f"not the calls of policy {name}"):
                chosen.context(one.prompt, one.turns[:2], [])


def test_calls_have_seeds_limits_and_stop_strings_of_their_own(
    words: Codec, agent: Agent, tasks: list[Task]
) -> None:
    engine = Told(words)
    run(tasks, engine, "overwrite", words, agent)
    kinds = [(s.stop, s.max_new_tokens) for _, s, _ in engine.asked]
    turn, call = (SHORT["mem1"].stop, 24), (("</think>",), 10)
    assert kinds[:5] == [turn, call, turn, call, turn]
    seeds = [seed for _, _, used in engine.asked for seed in used]
    assert len(set(seeds)) == len(seeds)
    assert all(count for count, _, _ in engine.asked)


@pytest.mark.parametrize("name", NAMES)
def test_every_call_is_recorded_and_paid_for(
    name: Policy, words: Codec, agent: Agent, tasks: list[Task]
) -> None:
    engine = Told(words)
    played = run(tasks, engine, name, words, agent)
    turns = [turn for one in played for turn in one.turns]
    calls = [call for turn in turns for call in turn.calls]
    assert len(calls) + len(turns) == sum(count for count, _, _ in engine.asked)
    assert {call.purpose for call in calls} == {"note" if name == "amem" else name}
    assert {call.malformed for call in calls} == {name == "amem"}
    assert all(call.output == words.encode(SEARCH) and call.seconds > 0 for call in calls)
    assert all(turn.seconds > sum(call.seconds for call in turn.calls) for turn in turns)
    assert played[0].turns[0].calls == []


def test_retrieval_time_is_part_of_the_turns_that_searched(
    words: Codec, agent: Agent, tasks: list[Task]
) -> None:
    for one in run(tasks, Told(words), "summary", words, agent):
        assert all(0 < turn.retrieval_seconds < turn.seconds for turn in one.turns[:-1])
        assert one.turns[-1].retrieval_seconds == 0  # no search is carried out any more
        assert one.seconds == pytest.approx(sum(turn.seconds for turn in one.turns))


@pytest.mark.parametrize("name", NAMES)
def test_a_prompt_that_could_not_fit_is_refused_before_any_call(
    name: Policy, words: Codec, agent: Agent, tasks: list[Task]
) -> None:
    chosen, engine = policy(name, agent, words, SHORT["mem1"]), Told(words)
    most = max(chosen.longest(len(SHORT["mem1"].prompt(t, words)), t.max_turns) for t in tasks)
    run(tasks, engine, name, words, agent.model_copy(update={"max_context": most}))
    asked = len(engine.asked)
    tight = agent.model_copy(update={"max_context": most - 1})
    with pytest.raises(InputError, match=rf"agent\.max_context is {most - 1}, but policy {name}"):
        run(tasks, engine, name, words, tight)
    assert len(engine.asked) == asked


def test_notes_are_made_and_linked_for_all_trajectories_together(
    chatting: Codec, agent: Agent, tasks: list[Task]
) -> None:
    engine = Told(chatting, {"</note>": NOTE, "</evolution>": EVOLUTION})
    assert agent.memory is not None
    memory = agent.memory.model_copy(update={"note_tokens": 200, "notes": 3})
    wide = agent.model_copy(update={"max_context": 20_000, "max_new_tokens": 90, "memory": memory})
    played = run(tasks[1:2], engine, "amem", chatting, wide, form=FORMATS["instruct"])
    asked = [(count, sampling.stop[-1]) for count, sampling, _ in engine.asked]
    turn, note, evolve = (2, "</answer>"), (2, "</note>"), (2, "</evolution>")
    assert asked == [turn, note, turn, note, evolve, turn, note, evolve, turn]
    for one in played:
        purposes = [[call.purpose for call in each.calls] for each in one.turns]
        assert purposes == [[], ["note"], ["note", "evolve"], ["note", "evolve"]]
        assert not any(call.malformed for each in one.turns for call in each.calls)
        text = chatting.decode(one.turns[3].context)
        assert text.startswith(chatting.decode(one.prompt))
        assert "My note 2: Ada likes red.\nKeywords: Ada\nTags: colour\nBelongs with: 1\n" in text
        assert text.count("<search> Ada </search>") == 3
