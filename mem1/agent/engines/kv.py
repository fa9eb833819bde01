"""Keys and values of many contexts in one rectangle, and the attention that reads them.

Rows are right-aligned: a context of n tokens fills the last n columns before ``column``, and
what is generated follows on the right, so every row writes the same column. Positions are
explicit, and a bias of minus infinity hides the empty columns; where a token lies in the
rectangle therefore changes nothing but rounding.

Shapes: B rows, H key-value heads, C columns, D width of a head, Y layers.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.cache_utils import Cache, CacheLayerMixin
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

ATTENTION = "mem1_rows"


class RowLayer(CacheLayerMixin):
    """Keys and values of one layer, [B, H, C, D]; empty columns hold zeros."""

    def __init__(self, k: Tensor, v: Tensor) -> None:
        super().__init__()
        self.k, self.v = k, v
        self.column = 0  # where the next tokens go
        self.is_initialized = True

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Nothing to do: the buffers are given."""

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Write new columns and return all of them, empty ones included (the mask hides them)."""
        end = self.column + key_states.shape[2]
        self.k[:, :, self.column : end] = key_states
        self.v[:, :, self.column : end] = value_states
        self.column = end
        return self.k, self.v

    def get_seq_length(self) -> int:
        """Columns written so far."""
        return self.column

    def get_max_length(self) -> int:
        """Number of columns."""
        return self.k.shape[2]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """All columns, from the first on."""
        return self.k.shape[2], 0


class Rows(Cache):
    """The rectangle of all layers.

    Args:
        past: for each row what is known already, [Y, 2, H, n, D] with n of its own.
        width: columns the pasts are right-aligned in, at least the largest n.
        room: empty columns behind them.
        like: a tensor that gives type and device.
    """

    def __init__(self, past: Sequence[Tensor], width: int, room: int, like: Tensor) -> None:
        layers, _, heads, _, size = past[0].shape
        self.rows: list[RowLayer] = []
        for number in range(layers):
            pair = [like.new_zeros(len(past), heads, width + room, size) for _ in range(2)]
            for row, known in enumerate(past):
                start = width - known.shape[3]
                for half in range(2):
                    pair[half][row, :, start:width] = known[number, half]
            self.rows.append(RowLayer(*pair))
            self.rows[-1].column = width
        super().__init__(layers=list(self.rows))

    @property
    def column(self) -> int:
        """The column that the next token is written to."""
        return self.rows[0].column

    @property
    def columns(self) -> int:
        """Number of columns, empty ones included."""
        return self.rows[0].k.shape[2]

    def grow(self, room: int) -> None:
        """Add ``room`` empty columns on the right."""
        for layer in self.rows:
            layer.k = pad(layer.k, (0, 0, 0, room))
            layer.v = pad(layer.v, (0, 0, 0, room))

    def keep(self, rows: Tensor) -> None:
        """Drop all rows but ``rows``, indices in their new order."""
        for layer in self.rows:
            layer.k, layer.v = layer.k[rows], layer.v[rows]

    def cut(self, row: int, start: int, end: int) -> Tensor:
        """A copy of the columns ``start`` to ``end`` of one row, [Y, 2, H, end - start, D]."""
        pairs = [(layer.k[row, :, start:end], layer.v[row, :, start:end]) for layer in self.rows]
        return torch.stack([torch.stack(pair) for pair in pairs])


def attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, Tensor | None]:
    """Attention for :class:`Rows`: SDPA for a prompt, two matrix products for one token a row.

    For a single query SDPA on a CPU takes about twice as long, and it copies the keys for
    every group of queries that share a head.

    Shapes: query [B, G * H, S, D], key and value [B, H, C, D]; for S = 1 the mask is a bias
    [B, 1, 1, C], otherwise boolean [B, 1, S, C]. Returns [B, S, G * H, D].
    """
    if query.shape[2] > 1 or attention_mask is None or attention_mask.dtype == torch.bool:
        output, _ = sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **kwargs
        )
        return output, None
    rows, heads, columns, size = key.shape
    scale = size**-0.5 if scaling is None else scaling
    grouped = query.reshape(rows * heads, -1, size) * scale
    scores = torch.bmm(grouped, key.view(rows * heads, columns, size).transpose(1, 2))
    scores = scores.view(rows, heads, -1, columns) + attention_mask
    weights = scores.softmax(-1, dtype=torch.float32).to(value.dtype)
    mixed = torch.bmm(
        weights.view(rows * heads, -1, columns), value.view(rows * heads, columns, size)
    )
    return mixed.view(rows, -1, 1, size).transpose(1, 2), None


AttentionInterface.register(ATTENTION, attend)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
