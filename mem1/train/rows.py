"""Rows of demonstrations for models that learn to read: how they are batched, and their loss.

Beside the sampled tokens, a share of the context is learned: most of it is unpredictable, but
names in it repeat, and that teaches to copy.
"""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from mem1.train.batch import PackedBatch
from mem1.train.forward import sampled_logprobs
from mem1.train.objective import likelier_than_not
from mem1.train.tree import Tree


def batches(trees: list[Tree], chunk: int, tokens: int, random: Random) -> list[list[Tree]]:
    """``trees``, which are shuffled in place, in batches of similar lengths.

    Those of each ``chunk`` are sorted by length and cut (see ``cut``), so that little is padding;
    the batches are shuffled too.
    """
    random.shuffle(trees)
    made = []
    for start in range(0, len(trees), chunk):
        made += cut(sorted(trees[start : start + chunk], key=len), tokens)
    random.shuffle(made)
    return made


def cut(ordered: Sequence[Tree], tokens: int) -> list[list[Tree]]:
    """``ordered`` by length, in batches of at most ``tokens`` tokens, padding included.

    A row that has more of them is a batch by itself.
    """
    batches: list[list[Tree]] = [[]]
    for tree in ordered:
        if batches[-1] and (len(batches[-1]) + 1) * len(tree) > tokens:
            batches.append([])
        batches[-1].append(tree)
    return batches


def with_context(
    tree: Tree, share: float, random: np.random.Generator, but: Sequence[int] = ()
) -> Tree:
    """``tree`` with a random ``share`` of its context tokens, ``but`` some rows, as sampled ones.

    They carry the trajectory number -1.
    """
    context = np.setdiff1d(np.flatnonzero(tree.parent >= 0), [*tree.sampled, *but])
    chosen = context[random.random(len(context)) < share]
    unnamed = np.full(len(chosen), -1)
    return replace(
        tree,
        sampled=np.concatenate([tree.sampled, chosen]),
        trajectory=np.concatenate([tree.trajectory, unnamed]),
        turn=np.concatenate([tree.turn, unnamed]),
        place=np.concatenate([tree.place, unnamed]),
    )


def whole_turns(right: Tensor, batch: PackedBatch) -> float:
    """Share of turns whose sampled tokens are all ``right`` [A]; context does not count."""
    outputs = batch.trajectory >= 0
    right = right[outputs]
    key = torch.stack([batch.row, batch.trajectory, batch.turn])[:, outputs]
    _, index = torch.unique(key, dim=1, return_inverse=True)
    wrong = torch.zeros(int(index.max()) + 1).index_add_(0, index, (~right).float())
    return float((wrong == 0).float().mean())


def learned(
    model: PreTrainedModel, batch: PackedBatch, context_weight: float, half: bool
) -> tuple[Tensor, dict[str, float]]:
    """The loss of ``batch``, with its gradient, and what is logged of it.

    It is the mean over the sampled tokens, in nats, and ``context_weight`` times the mean over
    those of the context (trajectory number -1). With ``half`` passes are in bfloat16, with weights
    of another type.
    """
    device = next(model.parameters()).device
    with torch.autocast(device.type, torch.bfloat16, enabled=half):
        result = sampled_logprobs(model, batch.to(device), entropy_gradient=False)
    outputs = batch.trajectory >= 0
    loss = -result.logprobs[outputs].mean()
    context = -result.logprobs[~outputs].mean() if (~outputs).any() else loss * 0
    right = likelier_than_not(result.logprobs).cpu()
    return loss + context_weight * context, {
        "loss": float(loss.detach()),
        "context_loss": float(context.detach()),
        "tokens_right": float(right[outputs].float().mean()),
        "turns_right": whole_turns(right, batch),
    }
