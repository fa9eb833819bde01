"""The fused mask against the dense one: which pairs it shows, and what comes out of it."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.attention.flex_attention import BlockMask

from mem1.train import attention, flex
from mem1.train.batch import collate
from mem1.train.forward import sampled_logprobs
from tests.parity.test_tree_attention import POLICIES, random_rows, tiny_model

seeds = st.integers(0, 2**31)


def pairs(mask: BlockMask, length: int) -> torch.Tensor:
    """bool [B, S, S]: what the kernel lets through, read from its block lists and its rule."""
    size = mask.BLOCK_SIZE[0]
    rows, _, queries = mask.kv_num_blocks.shape
    shown = torch.zeros(rows, queries * size, queries * size, dtype=torch.bool)
    for counts, numbers, full in (
        (mask.kv_num_blocks, mask.kv_indices, False),
        (mask.full_kv_num_blocks, mask.full_kv_indices, True),
    ):
        for b in range(rows):
            for block in range(queries):
                for other in numbers[b, 0, block, : counts[b, 0, block]].tolist():
                    i = torch.arange(block * size, (block + 1) * size)
                    j = torch.arange(other * size, (other + 1) * size)
                    i, j = i[i < length], j[j < length]
                    at = (torch.tensor(b), torch.tensor(0), i[:, None], j[None, :])
                    rule = torch.ones(len(i), len(j), dtype=torch.bool)
                    shown[b, i[:, None], j] |= rule if full else mask.mask_mod(*at)
    return shown[:, :length, :length]


@settings(max_examples=30, deadline=None)
@given(seed=seeds, block=st.sampled_from([4, 16, 32]))
def test_block_mask_shows_what_the_dense_mask_shows(seed: int, block: int) -> None:
    _, rows = random_rows(seed, POLICIES)
    end = collate(rows, pad_id=0).subtree_end
    mask = flex.block_mask(end, block)
    assert torch.equal(pairs(mask, end.shape[1]), attention.dense_mask(end)[:, 0])


@settings(max_examples=30, deadline=None)
@given(seed=seeds)
def test_blocks_are_those_that_torch_finds_by_looking_at_every_pair(seed: int) -> None:
    _, rows = random_rows(seed, POLICIES)
    end = collate(rows, pad_id=0).subtree_end
    size = 16
    length = end.shape[1] // size * size  # a ragged last block is classed otherwise
    end = end[:, :length].clamp_max(length)
    if not length:
        return
    tiles = attention.dense_mask(end).view(len(end), length // size, size, length // size, size)
    shown = tiles.float().mean((2, 4))
    mask = flex.block_mask(end, size)
    full = torch.zeros_like(shown, dtype=torch.bool)
    partial = torch.zeros_like(full)
    for target, counts, numbers in (
        (partial, mask.kv_num_blocks, mask.kv_indices),
        (full, mask.full_kv_num_blocks, mask.full_kv_indices),
    ):
        taken = torch.arange(length // size) < counts[:, 0, :, None]
        target.scatter_(2, numbers[:, 0].long(), taken)
    assert torch.equal(full, shown == 1)
    assert torch.equal(partial, (shown > 0) & (shown < 1))


@settings(max_examples=6, deadline=None)
@given(seed=seeds)
@pytest.mark.parametrize("kv_heads", [1, 4])
def test_forward_agrees_with_the_dense_backend(kv_heads: int, seed: int) -> None:
    model = tiny_model(kv_heads)
    _, rows = random_rows(seed, POLICIES)
    batch = collate(rows, pad_id=0)
    with torch.no_grad():
        dense = sampled_logprobs(model, batch, backend="dense").logprobs
        fused = sampled_logprobs(model, batch, backend="flex").logprobs
    assert float((dense - fused).abs().max()) < 1e-5
