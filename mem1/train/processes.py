"""The processes that train together: who they are, and the few things they exchange.

Started alone, a training is one process. Under a launcher that sets RANK and WORLD_SIZE
(torchrun, for example) it is one of several, each with its share of every minibatch. How
many there are is a resource: the global batch is configuration, and what does not divide is
refused. Exchanges are exact: numbers are summed where all but one process hold zeros, or
sent as they are.
"""

import ctypes
import os
import signal
import sys
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor
from torch import distributed as dist

from mem1 import batches
from mem1.errors import InputError

T = TypeVar("T")


@dataclass(frozen=True)
class Processes:
    """This process among those that train together."""

    rank: int = 0
    count: int = 1

    @classmethod
    def started(cls, engine: str) -> "Processes":
        """As the launcher says; ``engine`` is the setting ``rl.engine``.

        Raises:
            InputError: several processes with an engine that knows one only.
        """
        count = int(os.environ.get("WORLD_SIZE", "1"))
        if count > 1 and engine == "plain":
            raise InputError(
                f"{count} processes were started, and engine plain trains in one: start one, or "
                f"set rl.engine: zero3."
            )
        if count > 1:
            _die_with_parent()
        return cls(int(os.environ.get("RANK", "0")), count)

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.rank == 0

    @property
    def device(self) -> torch.device:
        """Where this process computes: its GPU if there is one, else the CPU."""
        if not torch.cuda.is_available():
            return torch.device("cpu")
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))

    def share(self, total: int, what: str) -> slice:
        """This process's part of ``total`` things, which ``what`` names.

        Raises:
            InputError: they cannot be divided evenly.
        """
        size = batches.share(total, self.count, what)
        return slice(self.rank * size, (self.rank + 1) * size)

    def gather(self, mine: T) -> list[T]:
        """What each process gave, by rank."""
        if self.count == 1:
            return [mine]
        gathered: list[T | None] = [None] * self.count
        dist.all_gather_object(gathered, mine)
        return gathered  # type: ignore[return-value]

    def total(self, mine: Tensor) -> Tensor:
        """The sum over all processes, where ``mine`` is; ``mine`` itself where there is one."""
        if self.count == 1:
            return mine
        result = mine.clone().to(self.device)  # NCCL sums what is on GPUs only
        dist.all_reduce(result)
        return result.to(mine.device)

    def sums(self, mine: dict[str, float]) -> dict[str, float]:
        """The sum of each number, in double precision; the names are the same everywhere."""
        values = self.total(torch.tensor([*mine.values()], dtype=torch.float64))
        return dict(zip(mine, values.tolist(), strict=True))

    def wait(self) -> None:
        """Go on when all have come here."""
        if self.count > 1:
            dist.barrier()


ALONE = Processes()


def _die_with_parent() -> None:
    """End when the launcher is killed (Linux): it could not end its processes any more.

    They would go on training, and keep the checkpoints from the run that is started next.
    """
    if sys.platform == "linux":
        set_parent_death_signal = 1  # PR_SET_PDEATHSIG
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
