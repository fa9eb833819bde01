"""Decoding in process with a transformers model: many contexts at once, exact ids and log-probs.

A call goes through its contexts in groups of similar length. Each group is prefilled (equal
contexts once; what an earlier call already computed is reused), then decoded together, one
token a row and step. A row ends with the token that completes a stop string, with the end
token, or at the limit, and leaves the rectangle soon after.

Reuse: keys and values of the last call are kept, and a context that starts like one of them
is continued from there. Under ``full`` that is the whole history, under ``mem1`` the prompt.
It changes nothing but rounding, and it is dropped when the weights have changed.

Randomness: one uniform number a token from the row's own generator, turned into a token by
the inverse of the cumulative distribution. So a row's tokens do not depend on its neighbours,
and no noise of the size of the vocabulary is drawn.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from mem1.agent.engines.base import Output, Sampling, stop_end, until_stop
from mem1.agent.engines.kv import ATTENTION, Rows
from mem1.agent.text import Codec
from mem1.errors import InputError

_ROOM = 32  # columns added at a time: attention reads empty columns too
_KEEP = 0.75  # finished rows are dropped when fewer than this share are alive


@dataclass
class _Row:
    """A context on its way through a call."""

    number: int  # place in the result
    context: list[int]
    seed: int
    past: Tensor | None = None  # keys and values of the context's beginning, [Y, 2, H, n, D]
    first: Tensor | None = None  # logits behind the context, [V]
    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)

    @property
    def missing(self) -> int:
        """Tokens of the context without keys and values."""
        return len(self.context) - (0 if self.past is None else self.past.shape[3])


class HFEngine:
    """Continues contexts with ``model``, any decoder of transformers with full attention.

    Args:
        model: stays where it is; its mode and attention are restored after each call.
        codec: the tokenizer of the model.
        max_rows: rows decoded together.
        group_bytes: memory for the keys and values of a group, padding included.
        reuse_bytes: memory for keys and values kept for the next call; 0 keeps none.

    Raises:
        InputError: the tokenizer has ids that the model has not, or a layer of the model
            does not attend to everything.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        codec: Codec,
        *,
        max_rows: int = 64,
        group_bytes: int = 256 << 20,
        reuse_bytes: int = 768 << 20,
    ) -> None:
        config = model.config
        if config.vocab_size < codec.size:
            raise InputError(
                f"The tokenizer has {codec.size} ids, the model {config.vocab_size}: "
                "use the tokenizer that the model was trained with."
            )
        kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
        if kinds != {"full_attention"}:
            raise InputError(f"The model has layers of kind {sorted(kinds)}: use full_attention.")
        self._model = model
        self._codec = codec
        self._max_rows = max_rows
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        weight = next(model.parameters())
        self._nothing = weight.new_zeros(config.num_hidden_layers, 2, heads, 0, size)
        token_bytes = config.num_hidden_layers * 2 * heads * size * weight.element_size()
        self._max_tokens = group_bytes // token_bytes
        self._reuse_tokens = reuse_bytes // token_bytes
        self._closing: dict[frozenset[str], np.ndarray] = {}
        self._kept: list[tuple[np.ndarray, Tensor]] = []
        self._fingerprint: Tensor | None = None

    def generate(
        self, contexts: Sequence[Sequence[int]], sampling: Sampling, seeds: Sequence[int]
    ) -> list[Output]:
        """Continue each context; see :class:`mem1.agent.engines.base.Engine`.

        Raises:
            InputError: a context with its output has more tokens than the model has positions.
        """
        self._check(contexts, sampling)
        rows = [
            _Row(i, list(context), seed)
            for i, (context, seed) in enumerate(zip(contexts, seeds, strict=True))
        ]
        with torch.inference_mode(), _prepared(self._model):
            self._forget_if_changed()
            for row in rows:
                row.past = self._known(row.context)
            self._kept = []
            for group in self._groups(rows, sampling.max_new_tokens):
                self._prefill(group)
                self._decode(group, sampling)
        texts = [until_stop(self._codec.decode(row.ids), sampling.stop) for row in rows]
        return [Output(row.ids, row.logprobs, t) for row, t in zip(rows, texts, strict=True)]

    def forget(self) -> None:
        """Free what is kept for the next call, when there will be none soon."""
        self._kept = []

    def rows_kept(self, tokens: int) -> int:
        """Contexts of ``tokens`` that a call can find again in the next one; 1 at least."""
        return max(1, self._reuse_tokens // max(1, tokens))

    def _check(self, contexts: Sequence[Sequence[int]], sampling: Sampling) -> None:
        limit = getattr(self._model.config, "max_position_embeddings", None)
        longest = max((len(context) for context in contexts), default=0)
        if limit is not None and longest + sampling.max_new_tokens > limit:
            raise InputError(
                f"A context of {longest} tokens and {sampling.max_new_tokens} new ones exceed the "
                f"model's {limit} positions: lower agent.max_context, or use a model with more."
            )
        if not all(contexts):
            raise ValueError("a context is empty")

    # What is kept from call to call

    def _forget_if_changed(self) -> None:
        """Drop what older weights computed. Sums notice any optimizer step, however it writes."""
        sums = [p.sum(dtype=torch.float64) for p in self._model.parameters()]
        fingerprint = torch.stack([s.to(sums[0].device) for s in sums])
        if self._fingerprint is None or not torch.equal(fingerprint, self._fingerprint):
            self._kept = []
        self._fingerprint = fingerprint

    def _known(self, context: list[int]) -> Tensor | None:
        """Kept keys and values of the longest beginning of ``context``, all but its last token."""
        ids = np.asarray(context[:-1])
        best, found = 0, None
        for kept, states in self._kept:
            length = min(len(ids), len(kept))
            differs = np.flatnonzero(ids[:length] != kept[:length])
            same = int(differs[0]) if len(differs) else length
            if same > best:
                best, found = same, states[:, :, :, :same]
        return found

    def _keep(self, ids: list[int], states: Tensor) -> None:
        if sum(len(kept) for kept, _ in self._kept) + len(ids) <= self._reuse_tokens:
            self._kept.append((np.asarray(ids), states))

    # Groups

    def _groups(self, rows: list[_Row], new: int) -> Iterator[list[_Row]]:
        """Rows of similar length together, within the limits; one row at least."""
        group: list[_Row] = []
        for row in sorted(rows, key=lambda row: len(row.context)):
            width = len(row.context) + new  # sorted: the longest so far
            full = len(group) == self._max_rows or (len(group) + 1) * width > self._max_tokens
            if group and full:
                yield group
                group = []
            group.append(row)
        if group:
            yield group

    def _prefill(self, group: list[_Row]) -> None:
        """Complete ``past`` and set ``first`` of each row; equal contexts are computed once."""
        same: dict[tuple[int, ...], list[_Row]] = {}
        for row in group:
            same.setdefault(tuple(row.context), []).append(row)
        unique = [rows[0] for rows in same.values()]
        unique.sort(key=lambda row: row.missing)
        start = 0
        while start < len(unique):
            end = start + 1
            while end < len(unique) and self._together(unique[start : end + 1]):
                end += 1
            self._run(unique[start:end])
            start = end
        for first, *others in same.values():
            for row in others:
                row.past, row.first = first.past, first.first

    def _together(self, chunk: list[_Row]) -> bool:
        """Whether padding the newest row's neighbours to its width is worth a common pass."""
        widest = chunk[-1].missing
        waste = sum(widest - row.missing for row in chunk)
        return waste <= 0.15 * widest * len(chunk) + 16 * len(chunk)

    def _run(self, chunk: list[_Row]) -> None:
        """One forward pass over the missing tokens of ``chunk``."""
        device = self._model.device
        like = next(self._model.parameters())
        past = [self._nothing if row.past is None else row.past for row in chunk]
        width, length = max(p.shape[3] for p in past), max(row.missing for row in chunk)
        cache = Rows(past, width, length, like)
        ids = np.zeros((len(chunk), length), dtype=np.int64)
        places = np.zeros_like(ids)
        visible = np.zeros((len(chunk), width + length), dtype=bool)
        for i, row in enumerate(chunk):
            total, missing = len(row.context), row.missing
            ids[i, length - missing :] = row.context[total - missing :]
            places[i, length - missing :] = np.arange(total - missing, total)
            visible[i, width - (total - missing) : width] = True
            visible[i, width + length - missing :] = True
        column = torch.arange(width + length, device=device)
        query = column[width:, None]
        mask = torch.from_numpy(visible).to(device)[:, None, None, :] & (column <= query)
        mask |= column == query  # an empty query sees itself: a row without keys would be NaN
        logits = self._forward(ids, places, mask, cache)
        for i, row in enumerate(chunk):
            new = cache.cut(i, width + length - row.missing, width + length)
            row.past = torch.cat([past[i], new], dim=3)
            row.first = logits[i]

    def _forward(self, ids: np.ndarray, places: np.ndarray, mask: Tensor, cache: Rows) -> Tensor:
        """Logits of the last column, [B, V], in float32."""
        device = self._model.device
        output = self._model(
            input_ids=torch.from_numpy(ids).to(device),
            position_ids=torch.from_numpy(places).to(device),
            attention_mask=mask,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return output.logits[:, -1].float()

    def _decode(self, group: list[_Row], sampling: Sampling) -> None:
        """Continue the prefilled ``group`` until every row has ended."""
        like = next(self._model.parameters())
        past = [row.past for row in group if row.past is not None]
        logits = torch.stack([row.first for row in group if row.first is not None])
        width = max(len(row.context) for row in group)
        cache = Rows(past, width, _ROOM, like)
        for row in group:
            row.past = row.first = None
        del past
        bias = like.new_full((len(group), cache.columns), -torch.inf)
        for i, row in enumerate(group):
            bias[i, width - len(row.context) : width] = 0
        uniform = np.stack(
            [np.random.default_rng(row.seed).random(sampling.max_new_tokens) for row in group]
        )
        live, alive = group, np.ones(len(group), dtype=bool)
        for step in range(sampling.max_new_tokens):
            tokens, logprobs = choose(logits, sampling.temperature, uniform[:, step])
            last = step == sampling.max_new_tokens - 1
            for i in np.flatnonzero(alive).tolist():
                row = live[i]
                row.ids.append(int(tokens[i]))
                row.logprobs.append(float(logprobs[i]))
                if last or self._ended(row.ids, sampling.stop):
                    alive[i] = False
                    start = width - len(row.context)
                    self._keep(row.context + row.ids[:-1], cache.cut(i, start, cache.column))
            if not alive.any():
                return
            if alive.mean() < _KEEP:
                rows = torch.from_numpy(np.flatnonzero(alive)).to(bias.device)
                cache.keep(rows)
                bias, uniform, tokens = bias[rows], uniform[alive], tokens[alive]
                live = [row for row, going in zip(live, alive, strict=True) if going]
                alive = np.ones(len(live), dtype=bool)
            if cache.column == cache.columns:
                cache.grow(_ROOM)
                bias = torch.nn.functional.pad(bias, (0, _ROOM), value=-torch.inf)
            bias[:, cache.column] = 0
            places = np.array([[len(row.context) + step] for row in live])
            logits = self._forward(tokens[:, None], places, bias[:, None, None, :], cache)

    def _ended(self, ids: list[int], stop: tuple[str, ...]) -> bool:
        if ids[-1] == self._codec.eos:
            return True
        last = frozenset(one[-1] for one in stop)
        if last not in self._closing:
            self._closing[last] = _closing(self._codec, self._model.config.vocab_size, last)
        closing = bool(self._closing[last][ids[-1]])
        return closing and stop_end(self._codec.decode(ids), stop) is not None


def choose(
    logits: Tensor, temperature: float, uniform: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """One token a row and its log-probability.

    Args:
        logits: [B, V], float32.
        temperature: 0 takes the most likely token, and gives log-probs at temperature 1.
        uniform: [B], in [0, 1).

    Returns:
        Ids [B], int64, and natural log-probs [B] under the full softmax at ``temperature``.
    """
    logprobs = (logits / temperature if temperature else logits).log_softmax(-1)
    if temperature:
        sums = logprobs.double().exp().cumsum(-1)
        target = torch.from_numpy(uniform).to(sums.device)[:, None] * sums[:, -1:]
        tokens = torch.searchsorted(sums, target, right=True).clamp_max(logits.shape[1] - 1)
    else:
        tokens = logits.argmax(-1, keepdim=True)
    chosen = logprobs.gather(-1, tokens)
    return tokens[:, 0].cpu().numpy(), chosen[:, 0].cpu().numpy()


def _closing(codec: Codec, size: int, last: frozenset[str]) -> np.ndarray:
    """For each of ``size`` ids, whether its text can hold one of the characters ``last``.

    Vocabularies write visible ASCII as it is; for other characters any token may.
    """
    if not all("!" <= character <= "~" for character in last):
        return np.ones(size, dtype=bool)
    flags = np.zeros(size, dtype=bool)
    for token, number in codec.backend.get_vocab(with_added_tokens=True).items():
        flags[number] = any(character in token for character in last)
    return flags


@contextmanager
def _prepared(model: PreTrainedModel) -> Iterator[None]:
    """``model`` without dropout and with the attention for rows, as it was afterwards."""
    training, attention = model.training, model.config._attn_implementation
    model.eval()
    model.set_attn_implementation(ATTENTION)
    try:
        yield
    finally:
        model.set_attn_implementation(attention)
        model.train(training)
