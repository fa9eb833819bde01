"""Context policies: what of the past the model sees at a turn, in token ids.

Given the prompt q, outputs g_1..g_t and infos i_1..i_t, the context of turn t+1 is

    mem1      q, g_t, i_t                      (paper, section 3.1)
    full      q, g_1, i_1, ..., g_t, i_t
    truncate  q, the newest turns that fit ``agent.truncate_budget``, one at least

Recorded ids are joined as they are: nothing is decoded, cut or tokenized again. The prompt
is never cut. Departure from the paper: a context that could not fit is refused before the
first turn, where the official code cuts it.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from mem1.config import Agent, Policy
from mem1.errors import InputError
from mem1.records import Turn


class ContextPolicy(Protocol):
    """Chooses the context of the next turn."""

    name: Policy

    def context(self, prompt: Sequence[int], turns: Sequence[Turn]) -> list[int]:
        """The ids that the engine continues after ``turns``.

        Raises:
            InputError: the prompt leaves no room for what a turn needs at most.
        """
        ...

    def longest(self, prompt: int, turns: int) -> int:
        """Tokens of the longest context with its output, for ``prompt`` tokens and ``turns``."""
        ...


def _check(prompt: Sequence[int], need: int, agent: Agent, parts: str) -> None:
    """Refuse a prompt with which a context and its output can grow to ``need`` tokens."""
    if need > agent.max_context:
        raise InputError(
            f"agent.max_context is {agent.max_context}, but a prompt of {len(prompt)} tokens "
            f"{parts}needs {need}: raise agent.max_context, or use fewer objectives."
        )


class Mem1:
    """The prompt, the last output and what came back for it."""

    name: Policy = "mem1"

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def context(self, prompt: Sequence[int], turns: Sequence[Turn]) -> list[int]:
        """q, g_t, i_t; see :class:`ContextPolicy`."""
        agent = self._agent
        _check(
            prompt,
            self.longest(len(prompt), 2),
            agent,
            f"with two outputs (max_new_tokens {agent.max_new_tokens}) and one info "
            f"(max_info {agent.max_info}) ",
        )
        return [*prompt, *(turns[-1].output + turns[-1].info if turns else [])]

    def longest(self, prompt: int, turns: int) -> int:
        """The prompt, two outputs and an info, whatever ``turns``."""
        return prompt + 2 * self._agent.max_new_tokens + self._agent.max_info


class Full:
    """The prompt and everything since.

    Grows without bound: :func:`full_context` tells when no further turn fits.
    """

    name: Policy = "full"

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def context(self, prompt: Sequence[int], turns: Sequence[Turn]) -> list[int]:
        """q, g_1, i_1, ..., g_t, i_t; see :class:`ContextPolicy`."""
        agent = self._agent
        _check(
            prompt,
            self.longest(len(prompt), 1),
            agent,
            f"with one output (max_new_tokens {agent.max_new_tokens}) ",
        )
        context = list(prompt)
        for turn in turns:
            context += turn.output + turn.info
        return context

    def longest(self, prompt: int, turns: int) -> int:
        """All outputs and infos, or the largest context if that is less."""
        agent = self._agent
        history = (turns - 1) * (agent.max_new_tokens + agent.max_info)
        first = prompt + agent.max_new_tokens
        return max(first, min(first + history, agent.max_context))


class Truncate:
    """The prompt and the newest turns within a budget; the newest turn is always kept."""

    name: Policy = "truncate"

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def context(self, prompt: Sequence[int], turns: Sequence[Turn]) -> list[int]:
        """q, then the newest turns that fit; see :class:`ContextPolicy`."""
        agent = self._agent
        _check(
            prompt,
            self.longest(len(prompt), 2),
            agent,
            "with the newest turns (the larger of truncate_budget and max_new_tokens + max_info) "
            f"and one output (max_new_tokens {agent.max_new_tokens}) ",
        )
        shown: list[int] = []
        for position, turn in enumerate(reversed(turns)):
            piece = turn.output + turn.info
            if position and len(shown) + len(piece) > agent.truncate_budget:
                break
            shown = piece + shown
        return [*prompt, *shown]

    def longest(self, prompt: int, turns: int) -> int:
        """The prompt, the newest turns and an output, whatever ``turns``."""
        agent = self._agent
        kept = max(agent.truncate_budget, agent.max_new_tokens + agent.max_info)
        return prompt + kept + agent.max_new_tokens


def policy(name: Policy, agent: Agent) -> ContextPolicy:
    """The context policy called ``name`` with the limits of ``agent``."""
    policies: dict[Policy, Callable[[Agent], ContextPolicy]] = {
        "mem1": Mem1,
        "full": Full,
        "truncate": Truncate,
    }
    return policies[name](agent)


def full_context(context: Sequence[int], agent: Agent) -> bool:
    """Whether ``context`` leaves less than ``agent.max_new_tokens`` for the next output."""
    return len(context) + agent.max_new_tokens > agent.max_context
