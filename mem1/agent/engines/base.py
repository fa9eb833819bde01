"""The protocol of engines: token ids in, sampled ids with their log-probabilities out."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from mem1.agent import protocol
from mem1.agent.text import Codec
from mem1.errors import InputError


@dataclass(frozen=True)
class Sampling:
    """How to decode. ``temperature`` 0 is greedy; there is no top-p or top-k.

    An output ends with the first of the strings ``stop``, none of them empty.
    """

    temperature: float
    max_new_tokens: int
    stop: tuple[str, ...] = protocol.STOP


@dataclass(frozen=True)
class Output:
    """One sampled continuation, ended by the token that completes a stop string.

    ``logprobs[i]`` is the natural log-probability of ``ids[i]`` at the sampling temperature
    (at temperature 1 for greedy decoding); a server that does not say gives an empty list, and
    nothing trains on it. ``text`` ends with the stop string, even where the last token holds
    characters behind it.
    """

    ids: list[int]
    logprobs: list[float]
    text: str


class Engine(Protocol):
    """Anything that continues contexts."""

    def generate(
        self, contexts: Sequence[Sequence[int]], sampling: Sampling, seeds: Sequence[int]
    ) -> list[Output]:
        """Continue each context up to the first stop string or ``max_new_tokens``.

        ``seeds[i]`` alone decides the random numbers of context ``i``: what is sampled does
        not depend on which contexts share a call, apart from rounding.
        """
        ...


@runtime_checkable
class Continuous(Protocol):
    """An engine that takes calls from many threads, and batches by itself what they ask for."""

    @property
    def continuous(self) -> bool:
        """Whether it does."""
        ...


def stop_end(text: str, stop: Sequence[str] = protocol.STOP) -> int | None:
    """Where the first of the strings ``stop`` ends in ``text``; None without one."""
    ends = [text.find(one) + len(one) for one in stop if one in text]
    return min(ends, default=None)


def until_stop(text: str, stop: Sequence[str] = protocol.STOP) -> str:
    """``text`` up to and with the first of the strings ``stop``; all of it without one."""
    return text[: stop_end(text, stop)]


def cut(ids: list[int], logprobs: list[float], codec: Codec, sampling: Sampling) -> Output:
    """``ids`` up to the token that completes a stop string, or to the end token.

    ``logprobs`` are cut with them, or empty.
    """
    if codec.eos in ids:
        ids = ids[: ids.index(codec.eos) + 1]

    def stopped(length: int) -> bool:
        return stop_end(codec.decode(ids[:length]), sampling.stop) is not None

    ids = ids[: bisect_left(range(len(ids)), True, key=stopped)]
    return Output(ids, logprobs[: len(ids)], until_stop(codec.decode(ids), sampling.stop))


def certain(text: str, codec: Codec, sampling: Sampling) -> Output:
    """``text`` as an output, with log-probabilities of zero: a script is sure of what it writes.

    Raises:
        InputError: it has more tokens than ``sampling.max_new_tokens``.
    """
    ids = codec.encode(text)
    if len(ids) > sampling.max_new_tokens:
        raise InputError(
            f"agent.max_new_tokens is {sampling.max_new_tokens}, but an output of a script has "
            f"{len(ids)} tokens: raise agent.max_new_tokens."
        )
    return Output(ids, [0.0] * len(ids), until_stop(codec.decode(ids), sampling.stop))
