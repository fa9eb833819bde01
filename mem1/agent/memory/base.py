"""Policies that keep a memory by calls of the model, between the turns.

A call is asked behind what the agent sees: the prompt, what is shown of the memory, a turn, and
then a request, as a message of its own where the tokenizer has a chat template. So the questions
stand in every call and in every context (the official code of the paper's A-MEM baseline loses
them after the first turn). Calls use the model, the engine and the temperature of the turns.

What they return is text of the model: cleaned, cut to its budget and encoded once. It is read from
the records of the calls each time, so that a policy holds nothing between turns, and the contexts
of a recorded trajectory can be made again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mem1.agent import protocol
from mem1.agent.context import ContextPolicy
from mem1.agent.formats.base import Format
from mem1.agent.text import Codec
from mem1.config import Agent, Memory
from mem1.errors import InputError
from mem1.records import Turn


@dataclass(frozen=True)
class Block:
    """A piece of memory in a context, between two tags; its ids are made once."""

    codec: Codec
    opening: str
    closing: str
    limit: int  # tokens between the tags

    @property
    def longest(self) -> int:
        """Tokens of the block, tags included, at most."""
        return len(self.ids("")) + self.limit

    def ids(self, text: str) -> list[int]:
        """``text`` between the tags, cut at its end."""
        begin, end = self.codec.encode(self.opening), self.codec.encode(self.closing)
        return [*begin, *self.codec.encode(text)[: self.limit], *end]


class MemoryPolicy(ContextPolicy):
    """What the policies with calls have in common.

    Raises:
        InputError: the settings have no section ``memory``.
    """

    def __init__(self, agent: Agent, codec: Codec, form: Format) -> None:
        super().__init__(agent)
        if agent.memory is None:
            raise InputError(f"agent.memory is null: fill it in, policy {self.name} needs it.")
        self._limits: Memory = agent.memory
        self._codec = codec
        self._form = form
        self._longest_turn = agent.max_new_tokens + agent.max_info

    def _message(self, text: str) -> list[int]:
        """``text`` as a request of the user."""
        return self._codec.encode(self._codec.reply(text))

    def _clean(self, text: str) -> str:
        """``text`` of the model in one line, in which nothing acts as a tag or a token."""
        return protocol.neutralize(self._codec.plain(" ".join(text.split())))

    def _between(self, text: str, opening: str, closing: str) -> str | None:
        """What an answer says between two tags, clean; None if that is nothing.

        Either tag may be missing: nothing else was asked for.
        """
        said = (text.partition(opening)[2] or text).partition(closing)[0]
        if self._codec.eos is not None:
            said = said.partition(self._codec.decode([self._codec.eos]))[0]
        return self._clean(said) or None


def ids_of(turn: Turn) -> list[int]:
    """What a turn adds to a history, as it was."""
    return turn.output + turn.info


def newest(turns: Sequence[Turn], purpose: str) -> str | None:
    """The text of the newest call for ``purpose`` that was of use."""
    texts = (
        call.text
        for turn in reversed(turns)
        for call in reversed(turn.calls)
        if call.purpose == purpose and not call.malformed
    )
    return next(texts, None)
