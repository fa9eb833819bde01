"""Context policies: what of the past the model sees at a turn, in token ids.

Given the prompt q, outputs g_1..g_t and infos i_1..i_t, the context of turn t+1 is

    mem1      q, g_t, i_t                      (paper, section 3.1)
    full      q, g_1, i_1, ..., g_t, i_t
    truncate  q, the newest turns that fit ``agent.truncate_budget``, one at least

and for policies that keep a memory by calls of the model (``agent.memory``)

    summary    q, a summary, g_t, i_t
    overwrite  q, a memory of fixed size
    amem       q, the notes nearest to the newest turn, g_t, i_t

Recorded ids are joined as they are: nothing is decoded, cut or tokenized again. The prompt
is never cut. Departure from the paper: a context that could not fit is refused before the
first turn, where the official code cuts it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from mem1.config import Agent
from mem1.config_systems import Policy
from mem1.errors import InputError
from mem1.records import Call, Turn


@dataclass(frozen=True)
class Ask:
    """A call of the model that a policy wants made before the next turn.

    ``read`` makes of its text what the policy works with: None if that is not possible.
    """

    purpose: str
    context: list[int]
    stop: tuple[str, ...]
    max_new_tokens: int
    read: Callable[[str], Any]


Recall = Generator[Ask, Any, list[int]]  # yields calls, is sent what was read, returns the context


class ContextPolicy(ABC):
    """Chooses the context of the next turn. Holds nothing between turns: all is in the records."""

    name: Policy
    bounded = True  # False: grows with the turns, and only the first turn must fit

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    @property
    def facts(self) -> dict[str, Any]:
        """What decides its contexts beside settings and model, for the manifest."""
        return {}

    def check(self, prompt: int) -> None:
        """Refuse a prompt of so many tokens if a context might not fit.

        Raises:
            InputError: it leaves no room for what a turn needs at most.
        """
        agent = self._agent
        need = self.longest(prompt, 2 if self.bounded else 1)
        if need > agent.max_context:
            raise InputError(
                f"agent.max_context is {agent.max_context}, but policy {self.name} needs {need} "
                f"for a prompt of {prompt} tokens (max_new_tokens {agent.max_new_tokens}, "
                f"max_info {agent.max_info}): raise agent.max_context, or use fewer objectives."
            )

    def context(
        self, prompt: Sequence[int], turns: Sequence[Turn], calls: Sequence[Call] = ()
    ) -> list[int]:
        """The ids that the engine continues after ``turns``, given the recorded ``calls``.

        Raises:
            InputError: see ``check``.
            ValueError: there are other calls than the policy wants made.
        """
        self.check(len(prompt))
        recall = self.recall(prompt, turns)
        recorded = iter(calls)
        try:
            ask = next(recall)
            while True:
                ask = recall.send(ask.read(next(recorded).text))
        except StopIteration as end:
            if end.value is None or next(recorded, None) is not None:
                raise ValueError(f"these are not the calls of policy {self.name}") from None
            return list(end.value)

    @abstractmethod
    def longest(self, prompt: int, turns: int) -> int:
        """Tokens of the longest context with its output, for ``prompt`` tokens and ``turns``.

        The contexts of calls are among them.
        """

    @abstractmethod
    def recall(self, prompt: Sequence[int], turns: Sequence[Turn]) -> Recall:
        """Ask for calls, if any, and return the ids that the engine continues after ``turns``."""


class WithoutCalls(ContextPolicy):
    """A policy whose context is made of the prompt and of recorded turns alone."""

    def recall(self, prompt: Sequence[int], turns: Sequence[Turn]) -> Recall:
        """The prompt and what stands behind it."""
        return [*prompt, *self._history(turns)]
        yield  # makes it a generator

    @abstractmethod
    def _history(self, turns: Sequence[Turn]) -> list[int]:
        """What stands behind the prompt."""


class Mem1(WithoutCalls):
    """The prompt, the last output and what came back for it."""

    name = "mem1"

    def longest(self, prompt: int, turns: int) -> int:
        """Two outputs and one info behind the prompt, whatever ``turns``."""
        return prompt + 2 * self._agent.max_new_tokens + self._agent.max_info

    def _history(self, turns: Sequence[Turn]) -> list[int]:
        return turns[-1].output + turns[-1].info if turns else []


class Full(WithoutCalls):
    """The prompt and everything since; :func:`full_context` tells when no turn fits any more."""

    name = "full"
    bounded = False

    def longest(self, prompt: int, turns: int) -> int:
        """All outputs and infos, or the largest context if that is less."""
        agent = self._agent
        history = (turns - 1) * (agent.max_new_tokens + agent.max_info)
        first = prompt + agent.max_new_tokens
        return max(first, min(first + history, agent.max_context))

    def _history(self, turns: Sequence[Turn]) -> list[int]:
        return [token for turn in turns for token in turn.output + turn.info]


class Truncate(WithoutCalls):
    """The prompt and the newest turns within a budget; the newest turn is always kept."""

    name = "truncate"

    def longest(self, prompt: int, turns: int) -> int:
        """The budget, or one turn if that is more, and an output behind the prompt."""
        agent = self._agent
        kept = max(agent.truncate_budget, agent.max_new_tokens + agent.max_info)
        return prompt + kept + agent.max_new_tokens

    def _history(self, turns: Sequence[Turn]) -> list[int]:
        shown: list[int] = []
        for position, turn in enumerate(reversed(turns)):
            piece = turn.output + turn.info
            if position and len(shown) + len(piece) > self._agent.truncate_budget:
                break
            shown = piece + shown
        return shown


def policy(name: Policy, agent: Agent) -> ContextPolicy:
    """The context policy without calls that is called ``name``, with the limits of ``agent``.

    ``memory.catalogue`` has all policies.
    """
    known: dict[Policy, type[ContextPolicy]] = {"mem1": Mem1, "full": Full, "truncate": Truncate}
    return known[name](agent)


def check_positions(positions: int | None, agent: Agent) -> None:
    """Refuse a model of so many ``positions`` if a context with its output may have more.

    Raises:
        InputError: it may.
    """
    if positions is not None and positions < agent.max_context:
        raise InputError(
            f"agent.max_context is {agent.max_context}, and the model has {positions} positions: "
            f"lower agent.max_context, or use a model with more."
        )


def full_context(context: Sequence[int], agent: Agent) -> bool:
    """Whether ``context`` leaves less than ``agent.max_new_tokens`` for the next output."""
    return len(context) + agent.max_new_tokens > agent.max_context
