"""Trees as the tensors of one forward pass: rows padded to a common length, and where in them
the sampled tokens are.

Shape letters: B rows, S tokens of the longest row, A sampled tokens of the batch. The A
tokens stand row by row, in each row tree by tree, in each tree in trajectory order.

On a CPU one row that holds all trees (B = 1) wastes no padding; several rows of similar
length suit kernels that work on a batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from mem1.train.tree import Tree, join

PAD = 0  # any id will do: padding is seen by nothing


@dataclass(frozen=True)
class PackedBatch:
    """Packed rows; all tensors are int64.

    A padding token is a tree of its own: ``subtree_end`` is its own column plus one, so it
    sees itself only and nothing sees it.
    """

    ids: Tensor  # [B, S]
    position_ids: Tensor  # [B, S]
    subtree_end: Tensor  # [B, S] column one past the last descendant
    row: Tensor  # [A]
    column: Tensor  # [A] where the sampled token stands
    parent_column: Tensor  # [A] the token whose logits predict it
    trajectory: Tensor  # [A]
    turn: Tensor  # [A] counted from 0
    place: Tensor  # [A] index in the output of the turn

    @property
    def targets(self) -> Tensor:
        """[A] ids of the sampled tokens."""
        return self.ids[self.row, self.column]

    def to(self, device: torch.device | str) -> "PackedBatch":
        """The same batch on ``device``."""
        return PackedBatch(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})


def nothing() -> PackedBatch:
    """A row without a sampled token (A = 0): for a process that has less to do than others."""
    none = np.zeros(0, dtype=np.int64)
    one = np.array([PAD], dtype=np.int64)
    return collate([Tree(one, one * 0, one * 0 - 1, one * 0 + 1, none, none, none, none)], PAD)


def collate(
    rows: Sequence[Tree] | Sequence[Sequence[Tree]],
    pad_id: int,
    position_offsets: Sequence[int] | None = None,
) -> PackedBatch:
    """One row for each tree, or for each list of trees, padded on the right with ``pad_id``.

    ``position_offsets`` moves the position ids of each row (supervised training starts them
    at random places); to move trees of one row apart, give ``tree.shifted(offset)``.

    Raises:
        ValueError: no rows, an empty row, or another number of offsets than rows.
    """
    joined = [row if isinstance(row, Tree) else join(row) for row in rows]
    if not joined or not all(len(row) for row in joined):
        raise ValueError("a batch needs at least one row, and each row at least one tree")
    offsets = [0] * len(joined) if position_offsets is None else list(position_offsets)
    if len(offsets) != len(joined):
        raise ValueError(f"{len(offsets)} position offsets for {len(joined)} rows")
    longest = max(len(row) for row in joined)
    shape = (len(joined), longest)
    ids = np.full(shape, pad_id, dtype=np.int64)
    position = np.zeros(shape, dtype=np.int64)
    end = np.tile(np.arange(1, longest + 1), (len(joined), 1))
    for number, (row, offset) in enumerate(zip(joined, offsets, strict=True)):
        ids[number, : len(row)] = row.ids
        position[number, : len(row)] = row.depth + offset
        end[number, : len(row)] = row.subtree_end

    def flat(arrays: list[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.concatenate(arrays))

    return PackedBatch(
        ids=torch.from_numpy(ids),
        position_ids=torch.from_numpy(position),
        subtree_end=torch.from_numpy(end),
        row=flat([np.full(len(row.sampled), number) for number, row in enumerate(joined)]),
        column=flat([row.sampled for row in joined]),
        parent_column=flat([row.parent[row.sampled] for row in joined]),
        trajectory=flat([row.trajectory for row in joined]),
        turn=flat([row.turn for row in joined]),
        place=flat([row.place for row in joined]),
    )
