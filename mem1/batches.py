"""How the trajectories of a round are divided: optimizer steps, processes, rows.

The numbers of a round are settings, the number of processes is a resource; what does not divide is
refused before anything starts.
"""

from dataclasses import dataclass

from mem1.config_learning import Rl
from mem1.errors import InputError


def share(total: int, processes: int, what: str) -> int:
    """How many of ``total`` things, which ``what`` names, each of ``processes`` has.

    Raises:
        InputError: they cannot be divided evenly.
    """
    if total % processes:
        raise InputError(
            f"{what}: {total} cannot be divided among {processes} processes: start a number of "
            f"processes that divides {total}, or change the number."
        )
    return total // processes


@dataclass(frozen=True)
class Batches:
    """One round of reinforcement learning."""

    trajectories: int  # of a round
    steps: int  # optimizer steps of a round
    trajectories_of_step: int  # over all processes: the mini-batch of the paper
    tasks_of_process: int  # in one optimizer step
    rows_of_process: tuple[int, int]  # packed rows, or backward passes, in one step: least, most

    @classmethod
    def of(cls, rl: Rl, processes: int, tree: int, row: int) -> "Batches":
        """Those of ``rl``, where a task packs into at most ``tree`` tokens and a row has ``row``.

        Raises:
            InputError: the tasks of an optimizer step cannot be divided among the processes.
        """
        tasks = rl.tasks // rl.minibatches
        own = share(tasks, processes, "tasks of a minibatch (rl.tasks / rl.minibatches)")
        trees = own if rl.packing == "tree" else own * rl.group
        fitting = max(1, row // tree)
        return cls(
            trajectories=rl.tasks * rl.group,
            steps=rl.minibatches,
            trajectories_of_step=tasks * rl.group,
            tasks_of_process=own,
            rows_of_process=(1, -(-trees // fitting)),
        )
