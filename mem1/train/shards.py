"""Which numbers of a tensor each process has, and a part of it out of the parts of others.

Pure functions. A tensor of n numbers is flattened and cut into parts of n / count numbers,
rounded up, as DeepSpeed does it; the last parts are shorter, or empty. What is put together
from parts needs not know how many there were, so a training can go on in another number of
processes, each reading only the numbers that it will have.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def share(total: int, count: int, rank: int) -> range:
    """Which of ``total`` numbers process ``rank`` of ``count`` has; padding is not among them."""
    size = -(-total // count)
    return range(min(total, rank * size), min(total, (rank + 1) * size))


def assembled(parts: Sequence[Tensor], total: int, wanted: range) -> Tensor:
    """[len(wanted)]: those numbers of a tensor of ``total`` that was cut into ``parts``.

    ``parts`` are flat, in order, and at least one. Only those that have wanted numbers are read.

    Raises:
        ValueError: they do not have ``total`` numbers together.
    """
    found, start = [parts[0][:0]], 0
    for part in parts:
        stop = start + len(part)
        first, last = max(wanted.start, start), min(wanted.stop, stop)
        if first < last:
            found.append(part[first - start : last - start])
        start = stop
    if start != total:
        raise ValueError(f"{len(parts)} parts have {start} numbers, not {total}")
    return torch.cat(found)
