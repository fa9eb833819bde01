"""The protocol of engines: token ids in, sampled ids with their log-probabilities out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Sampling:
    """How to decode. ``temperature`` 0 is greedy; there is no top-p or top-k.

    ``seed`` and the position of a context in the call decide the random numbers, so that a
    call can be repeated exactly.
    """

    temperature: float
    max_new_tokens: int
    seed: int = 0


@dataclass(frozen=True)
class Output:
    """One sampled continuation, ended by the token that completes a stop string.

    ``logprobs[i]`` is the natural log-probability of ``ids[i]`` at the sampling temperature
    (at temperature 1 for greedy decoding).
    """

    ids: list[int]
    logprobs: list[float]
    text: str


class Engine(Protocol):
    """Anything that continues contexts."""

    def generate(self, contexts: Sequence[Sequence[int]], sampling: Sampling) -> list[Output]:
        """Continue each context up to the first closing tag or ``max_new_tokens``."""
        ...
