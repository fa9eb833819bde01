"""Context policies: what of the past the model sees at a turn, in token ids.

Given the prompt q, outputs g_1..g_t and infos i_1..i_t, the context of turn t+1 is

    mem1      q, g_t, i_t                      (paper, section 3.1)
    full      q, g_1, i_1, ..., g_t, i_t
    truncate  q, the newest turns that fit ``agent.truncate_budget``, one at least

Recorded ids are joined as they are: nothing is decoded, cut or tokenized again. The prompt
is never cut. Departure from the paper: a context that could not fit is refused before the
first turn, where the official code cuts it.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from mem1.config import Agent, Policy
from mem1.errors import InputError
from mem1.records import Turn


class ContextPolicy(ABC):
    """Chooses the context of the next turn."""

    name: Policy
    bounded = True  # False: grows with the turns, and only the first turn must fit

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def context(self, prompt: Sequence[int], turns: Sequence[Turn]) -> list[int]:
        """The ids that the engine continues after ``turns``.

        Raises:
            InputError: the prompt leaves no room for what a turn needs at most.
        """
        agent = self._agent
        need = self.longest(len(prompt), 2 if self.bounded else 1)
        if need > agent.max_context:
            raise InputError(
                f"agent.max_context is {agent.max_context}, but policy {self.name} needs {need} "
                f"for a prompt of {len(prompt)} tokens (max_new_tokens {agent.max_new_tokens}, "
                f"max_info {agent.max_info}): raise agent.max_context, or use fewer objectives."
            )
        return [*prompt, *self._history(turns)]

    @abstractmethod
    def longest(self, prompt: int, turns: int) -> int:
        """Tokens of the longest context with its output, for ``prompt`` tokens and ``turns``."""

    @abstractmethod
    def _history(self, turns: Sequence[Turn]) -> list[int]:
        """What stands behind the prompt."""


class Mem1(ContextPolicy):
    """The prompt, the last output and what came back for it."""

    name = "mem1"

    def longest(self, prompt: int, turns: int) -> int:
        """Two outputs and one info behind the prompt, whatever ``turns``."""
        return prompt + 2 * self._agent.max_new_tokens + self._agent.max_info

    def _history(self, turns: Sequence[Turn]) -> list[int]:
        return turns[-1].output + turns[-1].info if turns else []


class Full(ContextPolicy):
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


class Truncate(ContextPolicy):
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
    """The context policy called ``name`` with the limits of ``agent``."""
    return {each.name: each for each in (Mem1, Full, Truncate)}[name](agent)


def full_context(context: Sequence[int], agent: Agent) -> bool:
    """Whether ``context`` leaves less than ``agent.max_new_tokens`` for the next output."""
    return len(context) + agent.max_new_tokens > agent.max_context
