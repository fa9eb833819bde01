"""Rows of demonstrations: how they are batched, which tokens are learned, and what that costs."""

from random import Random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mem1.train.batch import collate
from mem1.train.forward import sampled_logprobs
from mem1.train.rows import batches, learned, whole_turns, with_context
from mem1.train.tree import Tree, View, pack
from tests.parity.test_tree_attention import tiny_model


def chain(length: int, number: int = 0) -> Tree:
    return pack([View([5], [6] * (length - 1), number, 0)])


@given(st.lists(st.integers(1, 12), max_size=20), st.integers(1, 6), st.integers(1, 30))
def test_batches_hold_every_row_once_and_no_more_tokens_than_they_may(
    lengths: list[int], chunk: int, tokens: int
) -> None:
    trees = [chain(length, number) for number, length in enumerate(lengths)]
    made = batches(trees[:], chunk, tokens, Random(0))
    assert sorted(id(tree) for batch in made for tree in batch) == sorted(map(id, trees))
    assert all(len(batch) == 1 or len(batch) * max(map(len, batch)) <= tokens for batch in made)


def test_rows_of_a_batch_have_similar_lengths() -> None:
    trees = [chain(1 + number % 40, number) for number in range(200)]
    made = batches(trees, 200, 200, Random(0))
    assert max(len(batch[-1]) - len(batch[0]) for batch in made) < 20
    assert [len(batch[0]) for batch in made] != sorted(len(batch[0]) for batch in made)


# Rows: q = 1 2 (0, 1), output 5 6 (2, 3), info 7 (4), output 8 (5).
TREE = pack([View([1, 2], [5, 6], 3, 0), View([1, 2, 5, 6, 7], [8], 3, 1)])


def test_context_is_learned_but_for_what_nothing_predicts_and_what_is_left_out() -> None:
    random = np.random.default_rng(0)
    whole = with_context(TREE, 1.0, random)
    assert whole.sampled.tolist() == [2, 3, 5, 1, 4]
    assert whole.trajectory.tolist() == [3, 3, 3, -1, -1]
    assert with_context(TREE, 1.0, random, but=[1]).sampled.tolist() == [2, 3, 5, 4]
    assert with_context(TREE, 0.0, random).sampled.tolist() == TREE.sampled.tolist()


def test_a_turn_is_right_if_all_its_tokens_are_whatever_the_context() -> None:
    batch = collate([with_context(TREE, 1.0, np.random.default_rng(0))], 0)
    assert whole_turns(torch.tensor([True, True, True, False, False]), batch) == 1
    assert whole_turns(torch.tensor([True, False, True, True, True]), batch) == 0.5


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_loss_is_a_mean_over_outputs_and_a_weighted_one_over_context(weight: float) -> None:
    model = tiny_model()
    batch = collate([with_context(TREE, 1.0, np.random.default_rng(0))], 0)
    logprobs = sampled_logprobs(model, batch).logprobs.detach()
    loss, logged = learned(model, batch, weight, half=False)
    outputs, context = -logprobs[:3].mean(), -logprobs[3:].mean()
    torch.testing.assert_close(loss.detach(), outputs + weight * context)
    assert logged["loss"] == pytest.approx(float(outputs))
    assert logged["context_loss"] == pytest.approx(float(context))


def test_without_context_its_loss_is_nothing() -> None:
    loss, logged = learned(tiny_model(), collate([TREE], 0), 0.5, half=False)
    assert logged["context_loss"] == 0
    assert float(loss.detach()) == pytest.approx(logged["loss"])
