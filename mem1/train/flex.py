"""Tree attention through FlexAttention: the rule fused into the kernel, one integer a token.

The kernel skips blocks of the score matrix in which no token sees another, and does not
evaluate the rule in blocks in which all see all. Which block is which follows from the
largest and the smallest ``subtree_end`` of each block of keys: O(S) work and O(S + blocks)
memory, where ``create_block_mask`` of torch would evaluate the rule for all S x S pairs.

On a GPU the kernel is compiled. On a CPU, FlexAttention has no backward pass: values only,
for tests.
"""

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, flex_attention

BLOCK = 128  # tokens of a block, the kernel's own default


def block_mask(subtree_end: Tensor, block: int = BLOCK) -> BlockMask:
    """Which blocks of queries see which blocks of keys, from ``subtree_end`` [B, S].

    Keys j of a block that ends before a query block starts are seen by its query i iff
    ``i < subtree_end[j]``. So some pair sees iff the largest end of the keys lies behind the
    first query, and all pairs do iff the smallest end lies behind the last one. A block on
    the diagonal always holds a token that sees itself, and later tokens it must not see.
    """
    rows, length = subtree_end.shape
    count = -(-length // block)
    padding = count * block - length
    columns = torch.arange(count, device=subtree_end.device)
    blocks = torch.nn.functional.pad(subtree_end, (0, padding)).view(rows, count, block)
    largest = blocks.amax(-1)[:, None, :]  # keys behind the row have end 0: nothing sees them
    smallest = blocks.amin(-1)[:, None, :]
    first = columns[None, :, None] * block
    last = (first + block - 1).clamp_max(length - 1)
    earlier = columns[None, None, :] < columns[None, :, None]
    diagonal = columns[None, None, :] == columns[None, :, None]
    full = earlier & (smallest > last)
    partial = (earlier & (largest > first) & ~full) | diagonal

    def rule(b: Tensor, _head: Tensor, i: Tensor, j: Tensor) -> Tensor:
        return (j <= i) & (i < subtree_end[b, j])

    return BlockMask.from_kv_blocks(
        *_ordered(partial),
        *_ordered(full),
        BLOCK_SIZE=block,
        mask_mod=rule,
        seq_lengths=(length, length),
    )


def _ordered(blocks: Tensor) -> tuple[Tensor, Tensor]:
    """How many key blocks each query block takes, and their numbers in front of all others.

    ``blocks`` is bool [B, queries, keys]; the result has a dimension for all heads.
    """
    chosen = blocks.unsqueeze(1).to(torch.int32)
    numbers = torch.argsort(chosen, dim=-1, descending=True, stable=True)
    return chosen.sum(-1, dtype=torch.int32), numbers.to(torch.int32).contiguous()


@cache
def _compiled() -> Any:
    return torch.compile(flex_attention)


def attend(q: Tensor, k: Tensor, v: Tensor, state: BlockMask, scale: float | None) -> Tensor:
    """Attention [B, H, S, D] from q [B, H, S, D] and k, v [B, G, S, D], where G divides H."""
    kernel = flex_attention if q.device.type == "cpu" else _compiled()
    grouped = q.shape[1] != k.shape[1]
    output: Tensor = kernel(q, k, v, block_mask=state, scale=scale, enable_gqa=grouped)
    return output
