"""What both placements of vLLM share: which weights an output is of, and what is repeated."""

from collections.abc import Sequence

from mem1.agent.engines.base import Sampling
from mem1.errors import InputError

FIRST = "default"  # what vLLM calls the weights that it started with
MOST_ABORTS = 8  # of one request, one after another


class LostError(InputError):
    """The engine is gone, or has other weights than it should: what it was asked is void."""


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
