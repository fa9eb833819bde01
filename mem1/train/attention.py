"""Attention over packed trees, and how it enters any decoder of transformers.

The rule is ``j <= i < subtree_end[j]`` (see ``tree``). Backends share one signature and give
the same values and gradients:

- ``dense``: SDPA with the rule as a boolean [B, 1, S, S]; the reference, for short rows.
- ``branches``: on a CPU, work that grows with the sum of the path lengths and memory that
  grows with S (see ``branches``).
- ``flex``: on a GPU, the rule fused into a block-sparse kernel (see ``flex``).
- ``causal``: every row is one chain; plain causal SDPA. ``plan`` takes it by itself.

A further kernel is one more entry in ``BACKENDS``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from mem1.errors import InputError
from mem1.train import branches, flex

NAME = "mem1_tree"  # of the attention implementation, as transformers knows it
_UNSUPPORTED = ("sliding_window", "softcap", "s_aux", "position_bias")


@dataclass(frozen=True)
class Backend:
    """One way to compute tree attention.

    ``prepare`` turns ``subtree_end`` [B, S] into what all layers of a forward pass reuse;
    ``attend`` maps q, k, v [B, H, S, D], that state and the scale to an output [B, H, S, D].
    A ``grouped`` one takes k and v of fewer heads than q; for others they are repeated.
    """

    prepare: Callable[[Tensor], Any]
    attend: Callable[[Tensor, Tensor, Tensor, Any, float | None], Tensor]
    grouped: bool = False


@dataclass(frozen=True)
class AttentionPlan:
    """The attention of one batch, computed once and used by all layers."""

    backend: str
    state: Any

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, scale: float | None = None) -> Tensor:
        """[B, H, S, D] from q [B, H, S, D] and k, v [B, G, S, D], where G divides H."""
        if v.dtype in (torch.bfloat16, torch.float16):
            if q.device.type == "cpu":
                # The CPU kernels are two to four times faster in fp32 than in half precision.
                with torch.autocast("cpu", enabled=False):
                    return self(q.float(), k.float(), v.float(), scale).to(v.dtype)
            q, k = q.to(v.dtype), k.to(v.dtype)  # under autocast, rotation leaves them in fp32
        backend, groups = BACKENDS[self.backend], q.shape[1] // k.shape[1]
        if groups > 1 and not backend.grouped:
            k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
        return backend.attend(q, k, v, self.state, scale)


def usual_backend(device: torch.device) -> str:
    """The backend for trees on ``device``."""
    return "branches" if device.type == "cpu" else "flex"


def plan(subtree_end: Tensor, backend: str | None = None) -> AttentionPlan:
    """The plan for rows described by ``subtree_end`` [B, S].

    Without a ``backend`` it is the usual one of their device.

    Rows that are all single chains (one view each, padded on the right) need no tree: they
    run as plain causal attention, unless ``dense`` is asked for as the reference.

    Raises:
        InputError: no such backend, or ``branches`` away from a CPU or for rows that are no
            trees (see ``stitched``).
    """
    backend = usual_backend(subtree_end.device) if backend is None else backend
    if backend not in BACKENDS:
        raise InputError(f"There is no attention backend {backend!r}: use one of {[*BACKENDS]}.")
    if backend != "dense" and only_chains(subtree_end):
        return AttentionPlan("causal", None)
    if backend == "causal":
        raise InputError("The attention backend 'causal' cannot show trees: use 'branches'.")
    if backend == "branches" and subtree_end.device.type != "cpu":
        raise InputError(
            f"The attention backend 'branches' runs on the CPU only, not on "
            f"{subtree_end.device.type}: use 'flex'."
        )
    return AttentionPlan(backend, BACKENDS[backend].prepare(subtree_end))


def only_chains(subtree_end: Tensor) -> bool:
    """Whether every row is one unbranched sequence, followed by nothing but padding."""
    columns = torch.arange(subtree_end.shape[1], device=subtree_end.device)
    length = subtree_end[:, :1]
    expected = torch.where(columns < length, length, columns + 1)
    return bool((subtree_end == expected).all())


def dense_mask(subtree_end: Tensor) -> Tensor:
    """The rule as bool [B, 1, S, S]: true where a token (row) may see another (column)."""
    columns = torch.arange(subtree_end.shape[1], device=subtree_end.device)
    past = columns[None, :] <= columns[:, None]
    inside = columns[None, :, None] < subtree_end[:, None, :]
    return (past & inside).unsqueeze(1)


def _dense(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, scale: float | None) -> Tensor:
    return scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale)


def _causal(q: Tensor, k: Tensor, v: Tensor, _: None, scale: float | None) -> Tensor:
    return scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale)


BACKENDS: dict[str, Backend] = {
    "dense": Backend(dense_mask, _dense),
    "branches": Backend(branches.segments, branches.attend),
    "flex": Backend(flex.block_mask, flex.attend, grouped=True),
    "causal": Backend(lambda subtree_end: None, _causal),
}


def _hf_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    tree_plan: AttentionPlan | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """What transformers calls in each layer; without a plan it is its own SDPA attention."""
    if tree_plan is None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
    special = [name for name in _UNSUPPORTED if kwargs.get(name) is not None]
    if special or dropout:
        raise InputError(
            f"Tree attention has no {special[0] if special else 'attention dropout'}, which "
            f"this model uses: choose a model without it, or turn it off in its configuration."
        )
    return tree_plan(query, key, value, scaling).transpose(1, 2).contiguous(), None


def attach(model: PreTrainedModel) -> None:
    """Make ``model`` understand ``tree_plan=``; calls without it work as with ``sdpa``.

    It stays attached: gradient checkpointing calls the layers again during backward.
    """
    if model.config._attn_implementation != NAME:
        AttentionInterface.register(NAME, _hf_attention)
        AttentionMaskInterface.register(NAME, sdpa_mask)  # else padding masks are dropped
        model.set_attn_implementation(NAME)


def model_arguments(attention: AttentionPlan, device: torch.device) -> dict[str, Any]:
    """Keyword arguments of a model call that turn ``attention`` on.

    The mask is an empty stand-in: a 4-D mask keeps transformers from building an S x S one
    from the position ids, and a layer that ignored the plan would fail on its shape instead
    of attending to everything.
    """
    stand_in = torch.zeros(1, 1, 0, 0, dtype=torch.bool, device=device)
    return {"tree_plan": attention, "attention_mask": stand_in}
