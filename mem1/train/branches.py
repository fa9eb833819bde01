"""Tree attention on a CPU as few contiguous, unmasked pieces.

A *segment* is a maximal run of tokens without a branching. Its tokens see each other
causally, and everything below it (the next rows, up to the end of its subtree) sees all of
it. So attention over a tree is, for each segment, one causal piece and one rectangular
piece, both contiguous slices; no pair of tokens is computed that the rule does not allow.
The pieces of a query are merged by their log-sum-exp, as flash attention merges its blocks;
in the backward pass each piece runs with the merged output and log-sum-exp, which makes its
gradients exact.

The kernels are those that SDPA itself uses on a CPU, called directly because SDPA keeps the
log-sum-exp to itself.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mem1.errors import InputError

_forward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward

SHORT = 16  # segments up to this length run together with those of the same length


@dataclass(frozen=True)
class Segments:
    """The pieces of a batch of rows [B, S], as (row, first column, one past the last)."""

    long: list[tuple[int, int, int]]
    short: list[tuple[Tensor, Tensor]]  # rows [n, 1] and columns [n, L] of n segments
    below: list[tuple[int, int, int, int]]  # a segment, and the end of its subtree


def segments(subtree_end: Tensor) -> Segments:
    """The segments of ``subtree_end`` [B, S].

    A token has exactly one child iff the next token's subtree ends where its own does.

    Raises:
        InputError: intervals overlap without being nested, as in a stitched row.
    """
    long: list[tuple[int, int, int]] = []
    below: list[tuple[int, int, int, int]] = []
    by_length: dict[int, list[tuple[int, int]]] = {}
    for row, end in enumerate(subtree_end.numpy()):
        starts = np.concatenate([[0], np.flatnonzero(np.diff(end)) + 1])
        stops = np.append(starts[1:], len(end))
        around: list[int] = []  # ends of the subtrees that the segment lies in, innermost last
        for start, stop, last in zip(
            starts.tolist(), stops.tolist(), end[starts].tolist(), strict=True
        ):
            while around and around[-1] <= start:
                around.pop()
            if around and last > around[-1]:
                raise InputError(
                    "The attention backend 'branches' runs trees, and this row is none (it is "
                    "stitched): use 'dense', or 'flex' on a GPU."
                )
            around.append(last)
            if stop - start > SHORT:
                long.append((row, start, stop))
            else:
                by_length.setdefault(stop - start, []).append((row, start))
            if last > stop:
                below.append((row, start, stop, last))
    short = []
    for length, found in sorted(by_length.items()):
        rows, starts = np.array(found).T
        columns = starts[:, None] + np.arange(length)
        short.append((torch.from_numpy(rows[:, None]), torch.from_numpy(columns)))
    return Segments(long, short, below)


def attend(q: Tensor, k: Tensor, v: Tensor, state: Segments, scale: float | None) -> Tensor:
    """Attention [B, H, S, D] over ``state`` from q, k, v [B, H, S, D] on the CPU."""
    return _Pieces.apply(q, k, v, state, scale)


def _packed(x: Tensor) -> Tensor:
    """``x`` with the last dimension contiguous, as the kernels need it."""
    return x if x.stride(-1) == 1 else x.contiguous()


class _Pieces(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, state: Segments, scale: float | None
    ) -> Tensor:
        q, k, v = _packed(q), _packed(k), _packed(v)
        exact = torch.promote_types(q.dtype, torch.float32)  # merging in bf16 would lose digits
        out = torch.empty_like(q, dtype=exact)
        total = torch.empty(q.shape[:3], dtype=exact)  # log-sum-exp of all scores of a query
        for b, start, stop in state.long:
            at = (slice(b, b + 1), slice(None), slice(start, stop))
            out[at], total[at] = _forward(q[at], k[at], v[at], 0.0, True, scale=scale)
        for rows, columns in state.short:
            x, y, z = (t.transpose(1, 2)[rows, columns].transpose(1, 2) for t in (q, k, v))
            piece, score = _forward(x, y, z, 0.0, True, scale=scale)
            out.transpose(1, 2)[rows, columns] = piece.transpose(1, 2).to(exact)
            total.transpose(1, 2)[rows, columns] = score.transpose(1, 2).to(exact)
        for b, start, stop, end in state.below:
            keys = (slice(b, b + 1), slice(None), slice(start, stop))
            queries = (slice(b, b + 1), slice(None), slice(stop, end))
            piece, score = _forward(q[queries], k[keys], v[keys], 0.0, False, scale=scale)
            before = total[queries]
            share = torch.sigmoid(score - before).unsqueeze(-1)
            out[queries].lerp_(piece.to(exact), share.to(exact))
            torch.logaddexp(before, score.to(exact), out=before)
        result = out.to(q.dtype)
        ctx.save_for_backward(q, k, v, result, total)
        ctx.state, ctx.scale = state, scale
        return result

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, out, total = ctx.saved_tensors
        state, scale, grad = ctx.state, ctx.scale, _packed(grad)
        dq, dk, dv = (torch.empty_like(t, dtype=total.dtype) for t in (q, k, v))
        for b, start, stop in state.long:
            at = (slice(b, b + 1), slice(None), slice(start, stop))
            dq[at], dk[at], dv[at] = _backward(
                grad[at], q[at], k[at], v[at], out[at], total[at], 0.0, True, scale=scale
            )
        for rows, columns in state.short:
            pieces = _backward(
                *(
                    t.transpose(1, 2)[rows, columns].transpose(1, 2)
                    for t in (grad, q, k, v, out, total)
                ),
                0.0,
                True,
                scale=scale,
            )
            for gathered, piece in zip((dq, dk, dv), pieces, strict=True):
                gathered.transpose(1, 2)[rows, columns] = piece.transpose(1, 2).to(total.dtype)
        for b, start, stop, end in state.below:
            keys = (slice(b, b + 1), slice(None), slice(start, stop))
            at = (slice(b, b + 1), slice(None), slice(stop, end))
            x, y, z = _backward(
                grad[at], q[at], k[keys], v[keys], out[at], total[at], 0.0, False, scale=scale
            )
            dq[at] += x
            dk[keys] += y
            dv[keys] += z
        return dq.to(q.dtype), dk.to(q.dtype), dv.to(q.dtype), None, None
