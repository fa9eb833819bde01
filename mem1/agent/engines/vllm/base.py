"""What both placements of vLLM share: what is asked, of which weights it is, what is repeated."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

from mem1.agent.engines.base import Sampling
from mem1.errors import InputError

FIRST = "default"  # what vLLM calls the weights that it started with
MOST_ABORTS = 8  # of one request, one after another


class LostError(InputError):
    """The engine is gone, or has other weights than it should: what it was asked is void."""


T = TypeVar("T")


@runtime_checkable
class Revivable(Protocol):
    """An engine that can be started again when it is lost."""

    restarts: int  # at most, in one piece of work

    def revive(self, reason: str) -> None:
        """Start it again; ``reason`` says what happened to it."""
        ...


def repeated(work: Callable[[], T], revive: Callable[[str], None], restarts: int) -> T:
    """What ``work`` returns, which begins anew after ``revive`` whenever its engine is lost.

    Raises:
        LostError: it is lost more than ``restarts`` times.
    """
    for left in reversed(range(restarts + 1)):
        try:
            return work()
        except LostError as error:
            if not left:
                raise LostError(
                    f"{str(error).rstrip('.')}, also after {restarts} new starts "
                    f"(vllm.restarts): look at the log of the server."
                ) from error
            revive(str(error))
    raise AssertionError("unreachable")


def parameters(sampling: Sampling, seed: int) -> dict[str, Any]:
    """vLLM's parameters of sampling: nothing but the temperature decides."""
    return {
        "temperature": sampling.temperature,
        "max_tokens": sampling.max_new_tokens,
        "stop": list(sampling.stop),
        "seed": seed,
        "logprobs": 0,  # of the sampled tokens alone
        "include_stop_str_in_output": True,
        "skip_special_tokens": False,  # a tag can be one
        "spaces_between_special_tokens": False,
    }


def check_weights(versions: Sequence[str], expected: str) -> None:
    """Refuse an output that was sampled with other weights, or with several.

    Args:
        versions: those that vLLM stamped its tokens with.
        expected: the newest that it was given.

    Raises:
        LostError: they are others.
    """
    if list(versions) != [expected]:
        raise LostError(
            f"vLLM sampled with the weights {' and '.join(versions) or 'nobody knows which'}, "
            f"and the newest are {expected}: it was started again, or another training uses it."
        )


def check_length(tokens: int, sampling: Sampling, most: int) -> None:
    """Refuse a context that does not fit, before vLLM does.

    Raises:
        InputError: naming the setting.
    """
    if tokens + sampling.max_new_tokens > most:
        raise InputError(
            f"A context has {tokens} tokens and its output up to {sampling.max_new_tokens}, and "
            f"vLLM was started for {most}: raise agent.max_context, if the model has the positions."
        )


def aborted(times: int) -> InputError:
    """What to say of a request that vLLM put off ``times`` times."""
    return LostError(f"vLLM aborted a request {times} times in a row: look at its log.")
