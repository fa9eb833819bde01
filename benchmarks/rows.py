"""One trajectory as the rows of a training step, in every way that is compared.

It has a prompt q, and at every turn an output g and an info i of the same length; its tokens
are random. Under ``mem1`` turn t+1 sees q, g_t, i_t; under ``full`` everything.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask
from transformers import PreTrainedModel

from mem1.errors import InputError
from mem1.train.attention import plan
from mem1.train.batch import PAD, PackedBatch, collate
from mem1.train.limits import ROW_TOKENS
from mem1.train.stitched import stitch
from mem1.train.tree import Tree, View, pack


@dataclass(frozen=True)
class Lengths:
    """Tokens of the prompt, of each output and of each info, and the number of turns."""

    prompt: int
    output: int
    info: int
    turns: int

    def __str__(self) -> str:
        """As ``parse`` takes it."""
        return f"{self.prompt}/{self.output}/{self.info}/{self.turns}"

    @classmethod
    def parse(cls, text: str) -> "Lengths":
        """From ``prompt/output/info/turns``.

        Raises:
            InputError: that is not what ``text`` is.
        """
        parts = text.split("/")
        if len(parts) != 4 or not all(part.isdecimal() and int(part) > 0 for part in parts):
            raise InputError(f"{text} is not prompt/output/info/turns, such as 300/120/400/34.")
        return cls(*map(int, parts))


def trajectory(lengths: Lengths, policy: str, vocabulary: int, seed: int) -> list[View]:
    """The views of one trajectory.

    Outputs begin with different tokens, so that no two copies of them share a beginning and
    the number of packed tokens follows from the lengths alone.
    """
    random = np.random.default_rng(seed)

    def draw(count: int) -> list[int]:
        return random.integers(0, vocabulary, count).tolist()

    beginnings = random.permutation(vocabulary)[: lengths.turns].tolist()
    prompt, views = draw(lengths.prompt), []
    history: list[int] = []
    for turn, beginning in enumerate(beginnings):
        output = [beginning, *draw(lengths.output - 1)]
        views.append(View(prompt + history, output, 0, turn))
        history = [*(history if policy == "full" else []), *output, *draw(lengths.info)]
    return views


@dataclass(frozen=True)
class Variant:
    """One way to train on a trajectory.

    ``passes`` gives the rows of each forward pass. An ``exact`` variant has the loss and the
    gradient of the views run alone. A ``policy`` is the only one that has it.
    """

    passes: Callable[[Sequence[View]], list[list[Tree]]]
    backend: str
    exact: bool = True
    policy: str | None = None

    def batches(self, views: Sequence[View]) -> list[PackedBatch]:
        """The tensors of each forward pass."""
        return [collate(rows, PAD) for rows in self.passes(views)]


def _batched(views: Sequence[View]) -> list[list[Tree]]:
    """Views as padded rows, as many in a pass as a packed row may have tokens."""
    longest = max(len(view.context) + len(view.output) for view in views)
    size = max(1, ROW_TOKENS // longest)
    rows = [pack([view]) for view in views]
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _chain(views: Sequence[View]) -> list[list[Tree]]:
    """As many tokens as the tree has, sampled ones too, but one causal sequence."""
    tree = pack(views)
    ids, split = tree.ids.tolist(), len(tree) - len(tree.sampled)
    return [[pack([View(ids[:split], ids[split:], 0, 0)])]]


def _stitched(views: Sequence[View]) -> list[list[Tree]]:
    return [[stitch(views, restarted=False)]]


def _tree(views: Sequence[View]) -> list[list[Tree]]:
    return [[pack(views)]]


VARIANTS = {
    "tree/branches": Variant(_tree, "branches"),
    "tree/flex": Variant(_tree, "flex"),
    "tree/dense": Variant(_tree, "dense"),
    "stitched/flex": Variant(_stitched, "flex", exact=False, policy="mem1"),
    "stitched/dense": Variant(_stitched, "dense", exact=False, policy="mem1"),
    "per-turn": Variant(lambda views: [[pack([view])] for view in views], "causal"),
    "per-turn/batched": Variant(_batched, "causal"),
    "causal": Variant(_chain, "causal", exact=False),
}


def visible(batches: Sequence[PackedBatch]) -> int:
    """Pairs of tokens of which one sees the other: token j is seen by rows j to its end."""
    return sum(
        int((batch.subtree_end - torch.arange(batch.ids.shape[1])).sum()) for batch in batches
    )


def flops(model: PreTrainedModel, batches: Sequence[PackedBatch]) -> float:
    """Floating-point operations that an update of ``batches`` needs: three forward passes.

    Matrices for every token, the head for every sampled one, and attention for visible pairs.
    """
    config = model.config
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    weights = sum(
        parameter.numel()
        for name, parameter in model.named_parameters()
        if parameter.ndim == 2 and ".layers." in name
    )
    tokens = sum(batch.ids.numel() for batch in batches)
    sampled = sum(len(batch.row) for batch in batches)
    matrices = 2 * tokens * weights + 2 * sampled * config.hidden_size * config.vocab_size
    pairs = 4 * width * config.num_attention_heads * config.num_hidden_layers * visible(batches)
    return 3.0 * (matrices + pairs)


def mask_bytes(batches: Sequence[PackedBatch], backend: str) -> int:
    """What the attention of the largest pass keeps to know who sees whom, ids aside."""
    return max(_bytes(plan(batch.subtree_end, backend).state) for batch in batches)


def _bytes(state: Any) -> int:
    if isinstance(state, Tensor):
        return state.nbytes
    if isinstance(state, int):
        return 8
    if isinstance(state, (list, tuple)):
        return sum(map(_bytes, state))
    if isinstance(state, BlockMask):  # and the integers that its rule reads
        rule = [cell.cell_contents for cell in state.mask_mod.__closure__ or ()]
        return sum(_bytes(value) for value in [*vars(state).values(), *rule])
    if is_dataclass(state):
        return sum(_bytes(getattr(state, field.name)) for field in fields(state))
    return 0
