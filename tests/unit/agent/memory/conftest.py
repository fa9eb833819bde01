"""Turns made by hand, and an engine that answers calls."""

from collections.abc import Callable, Sequence

import pytest

from mem1.agent.context import Ask, ContextPolicy
from mem1.agent.formats.base import Format
from mem1.agent.formats.catalogue import FORMATS
from mem1.agent.memory.catalogue import policy
from mem1.agent.text import Codec
from mem1.config import Agent
from mem1.config_systems import Policy
from mem1.records import Call, Turn

Answer = Callable[[Ask], str]


def made(codec: Codec, text: str, info: str, calls: Sequence[Call] = ()) -> Turn:
    """A search and what came back."""
    return Turn(
        context=[],
        output=codec.encode(text),
        logprobs=[],
        text=text,
        action="search",
        argument="",
        info=codec.encode(info),
        info_text=info,
        calls=list(calls),
    )


def told(codec: Codec, purpose: str, text: str, malformed: bool = False) -> Call:
    """A recorded call."""
    ids = codec.encode(text)
    return Call(purpose=purpose, context=[], output=ids, text=text, malformed=malformed)


def play(
    chosen: ContextPolicy, prompt: list[int], turns: Sequence[Turn], answer: Answer
) -> tuple[list[int], list[Ask]]:
    """The context behind ``turns`` and the calls asked for, each answered by ``answer``."""
    asks: list[Ask] = []
    recall = chosen.recall(prompt, turns)
    value = None
    while True:
        try:
            ask = recall.send(value)
        except StopIteration as end:
            return end.value, asks
        asks.append(ask)
        value = ask.read(answer(ask))


class Bench:
    """A policy, with what belongs to it."""

    def __init__(self, name: Policy, agent: Agent, codec: Codec, form: Format) -> None:
        self.policy = policy(name, agent, codec, form)
        self.agent, self.codec, self.form = agent, codec, form
        self.prompt = codec.encode("who is Ada ?")

    def turn(self, number: int, calls: Sequence[Call] = ()) -> Turn:
        """The turn of this number: it searched ``Ada`` or ``Bo`` and found red or blue."""
        name, colour = [("Ada", "red"), ("Bo", "blue"), ("Cy", "green")][number % 3]
        info = self.form.notice(9 - number, f"{name} likes {colour}")
        text = f"<think> open </think> <search> {name} </search>"
        return made(self.codec, text, info, calls)


@pytest.fixture
def bench(words: Codec, chatting: Codec, agent: Agent) -> Callable[[Policy, str], Bench]:
    """Makes benches: in the form mem1 with words, in any other with a chat template."""

    def make(name: Policy, form: str) -> Bench:
        known = {str(n): one for n, one in FORMATS.items()}
        if form == "mem1":
            return Bench(name, agent, words, known[form])
        assert agent.memory is not None
        wide = agent.memory.model_copy(
            update={"summary_tokens": 90, "overwrite_tokens": 80, "note_tokens": 300}
        )
        long = {"max_context": 20_000, "max_new_tokens": 90, "max_info": 200, "memory": wide}
        return Bench(name, agent.model_copy(update=long), chatting, known[form])

    return make
