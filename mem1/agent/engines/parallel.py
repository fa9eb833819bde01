"""Requests to a server, side by side."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from mem1.agent.engines.base import Output, Sampling


def side_by_side(
    ask: Callable[[list[int], Sampling, int], Output],
    contexts: Sequence[Sequence[int]],
    sampling: Sampling,
    seeds: Sequence[int],
    most: int,
) -> list[Output]:
    """What ``ask`` returns for each context with its seed, in order; ``most`` are asked at once.

    The first failure is raised as soon as what is under way has ended; nothing is asked after it.
    """
    if len(contexts) == 1:
        return [ask(list(contexts[0]), sampling, seeds[0])]
    pool = ThreadPoolExecutor(most)
    try:
        asked = [
            pool.submit(ask, list(context), sampling, seed)
            for context, seed in zip(contexts, seeds, strict=True)
        ]
        wait(asked, return_when=FIRST_EXCEPTION)
    finally:  # what has not started is not worth starting after a failure
        pool.shutdown(cancel_futures=True)
    failed = [error for one in asked if not one.cancelled() and (error := one.exception())]
    if failed:
        raise failed[0]
    return [one.result() for one in asked]
