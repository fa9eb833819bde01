"""What a step learns from: trajectories as packed rows, and numbers for their sampled tokens."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mem1.config_learning import Rl
from mem1.records import Trajectory
from mem1.train.batch import PAD, PackedBatch, collate, nothing
from mem1.train.credit import TrajectoryOrder
from mem1.train.limits import ROW_TOKENS, STITCHED_TOKENS
from mem1.train.processes import Processes
from mem1.train.stitched import stitch
from mem1.train.tree import View, pack, split_rows, views_of


@dataclass(frozen=True)
class Minibatch:
    """What one optimizer step takes."""

    rows: list[PackedBatch]  # of this process; as many in every process
    count: int  # sampled tokens, those of the other processes too


@dataclass(frozen=True)
class Experience:
    """Trajectories as packed rows, and what is known of their N sampled tokens.

    Tensors of length N are in trajectory order. They are the same in every process, which
    holds the rows of its own tasks only.
    """

    order: TrajectoryOrder
    minibatches: list[Minibatch]
    rewards: Tensor  # [T]
    group: Tensor  # [T] number of the task
    recorded: Tensor  # [N] log-probabilities that the engine recorded
    old: Tensor  # [N] those that probability ratios compare with
    tokens: int  # of the rows of all processes
    processes: Processes

    @classmethod
    def of(
        cls,
        trajectories: Sequence[Trajectory],
        rewards: Tensor,
        settings: Rl,
        processes: Processes,
    ) -> "Experience":
        """``trajectories`` with their ``rewards`` [T], ``settings.group`` of each task.

        Packed to trees, those of one task share one, so their prompt is there once.

        Raises:
            InputError: the tasks of a minibatch cannot be divided among the processes.
        """
        views = [views_of(one, index) for index, one in enumerate(trajectories)]
        outputs = [[len(turn.output) for turn in one.turns] for one in trajectories]
        size = len(views) // settings.minibatches
        parts = [slice(start, start + size) for start in range(0, len(views), size)]
        group = settings.group
        own = [
            _rows([views[task * group : (task + 1) * group] for task in tasks], settings)
            for tasks in own_tasks(len(views) // group, settings.minibatches, processes)
        ]
        everyone = processes.gather([[row.ids.numel() for row in rows] for rows in own])
        for number, rows in enumerate(own):  # all must take part in every pass
            most = max(len(theirs[number]) for theirs in everyone)
            rows += [nothing() for _ in range(most - len(rows))]
        recorded = [p for one in trajectories for turn in one.turns for p in turn.logprobs]
        return cls(
            order=TrajectoryOrder(outputs),
            minibatches=[
                Minibatch(rows, sum(map(sum, outputs[part])))
                for rows, part in zip(own, parts, strict=True)
            ],
            rewards=rewards,
            group=torch.arange(len(trajectories)) // settings.group,
            recorded=torch.tensor(recorded),
            old=torch.tensor(recorded),
            tokens=sum(n for theirs in everyone for rows in theirs for n in rows),
            processes=processes,
        )

    @torch.no_grad()
    def gather(self, score: Callable[[PackedBatch], Tensor]) -> Tensor:
        """[N]: what ``score`` gives for the sampled tokens [A] of each row of each process."""
        gathered = torch.zeros(len(self.order))
        for part in self.minibatches:
            for batch in part.rows:
                gathered[self.order.places(batch)] = score(batch).cpu()
        return self.processes.total(gathered)


def own_tasks(tasks: int, minibatches: int, processes: Processes) -> list[list[int]]:
    """The numbers of this process's tasks among those of a step, for each minibatch.

    Raises:
        InputError: the tasks of a minibatch cannot be divided among the processes.
    """
    size = tasks // minibatches
    share = processes.share(size, "tasks of a minibatch (rl.tasks / rl.minibatches)")
    return [[part * size + i for i in range(size)[share]] for part in range(minibatches)]


def _rows(tasks: list[list[list[View]]], settings: Rl) -> list[PackedBatch]:
    """Tasks, trajectories, views: packed as ``settings.packing`` says."""
    if settings.packing == "tree":
        trees = [pack(view for one in task for view in one) for task in tasks]
        return [collate([row], PAD) for row in split_rows(trees, ROW_TOKENS)]
    restarted = settings.packing == "stitched-restarted"
    stitched = [stitch(one, restarted) for task in tasks for one in task]
    return [collate([row], PAD) for row in split_rows(stitched, STITCHED_TOKENS)]


def packing(trajectories: Sequence[Trajectory], experience: Experience) -> dict[str, float]:
    """How many tokens the rows have, and which share of them are copies.

    Without copies there are, once each, the prompt of every task, all outputs, and all infos
    that a later turn saw.
    """
    prompts = {one.task_id: len(one.prompt) for one in trajectories}
    needed = sum(prompts.values()) + sum(
        len(turn.output) + (len(turn.info) if turn is not one.turns[-1] else 0)
        for one in trajectories
        for turn in one.turns
    )
    tokens = experience.tokens
    return {"packed_tokens": float(tokens), "duplicate_share": 1 - needed / tokens}
