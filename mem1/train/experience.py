"""What a step learns from: trajectories as packed rows, and numbers for their sampled tokens."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mem1.config_learning import Rl
from mem1.records import Trajectory
from mem1.train.batch import PAD, ROW_TOKENS, PackedBatch, collate
from mem1.train.credit import TrajectoryOrder
from mem1.train.tree import pack, split_rows, views_of


@dataclass(frozen=True)
class Experience:
    """Trajectories as packed rows, and what is known of their N sampled tokens.

    Tensors of length N are in trajectory order.
    """

    order: TrajectoryOrder
    minibatches: list[list[PackedBatch]]  # rows, in the parts that one optimizer step takes
    rewards: Tensor  # [T]
    group: Tensor  # [T] number of the task
    old: Tensor  # [N] log-probabilities that the engine recorded

    @classmethod
    def of(cls, trajectories: Sequence[Trajectory], rewards: Tensor, settings: Rl) -> "Experience":
        """``trajectories`` with their ``rewards`` [T], ``settings.group`` of each task.

        Those of one task share a tree, so their prompt is there once.
        """
        views = [views_of(one, index) for index, one in enumerate(trajectories)]
        trees = [
            pack(view for one in views[start : start + settings.group] for view in one)
            for start in range(0, len(views), settings.group)
        ]
        size = len(trees) // settings.minibatches
        parts = [trees[start : start + size] for start in range(0, len(trees), size)]
        turns = [one.turns for one in trajectories]
        return cls(
            order=TrajectoryOrder([[len(turn.output) for turn in one] for one in turns]),
            minibatches=[
                [collate([row], PAD) for row in split_rows(part, ROW_TOKENS)] for part in parts
            ],
            rewards=rewards,
            group=torch.arange(len(trajectories)) // settings.group,
            old=torch.tensor([p for one in turns for turn in one for p in turn.logprobs]),
        )

    @property
    def tokens(self) -> int:
        """Tokens of all rows."""
        return sum(batch.ids.numel() for part in self.minibatches for batch in part)

    @torch.no_grad()
    def gather(self, score: Callable[[PackedBatch], Tensor]) -> Tensor:
        """[N]: what ``score`` gives for the sampled tokens [A] of each row."""
        gathered = torch.empty(len(self.order))
        for part in self.minibatches:
            for batch in part:
                gathered[self.order.places(batch)] = score(batch)
        return gathered


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
