"""Credit against numbers computed by hand, and trajectory order against naive bookkeeping."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import tensor

from mem1.train.batch import collate
from mem1.train.credit import TrajectoryOrder, explained_variance, gae, token_rewards, whiten
from mem1.train.tree import View, pack

close = torch.testing.assert_close
TWO = TrajectoryOrder([[1, 2], [2]])  # two turns of 1 and 2 tokens; one turn of 2


def test_gae_by_hand() -> None:
    rewards, values = tensor([0.0, 0.0, 1.0, 0.0, 2.0]), tensor([0.5, 0.25, 0.5, 1.0, 1.0])
    # gamma 0.5, lambda 0.5. First trajectory, from its end:
    #   a3 = 1 - 0.5 = 0.5; a2 = 0 + 0.5 * 0.5 - 0.25 + 0.25 * a3 = 0.125
    #   a1 = 0 + 0.5 * 0.25 - 0.5 + 0.25 * a2 = -0.34375
    # Second: a5 = 2 - 1 = 1; a4 = 0 + 0.5 * 1 - 1 + 0.25 * a5 = -0.25
    advantages, returns = gae(rewards, values, TWO, 0.5, 0.5)
    close(advantages, tensor([-0.34375, 0.125, 0.5, -0.25, 1.0]))
    close(returns, tensor([0.15625, 0.375, 1.0, 0.75, 2.0]))


def test_without_discount_each_return_is_the_reward_of_its_trajectory() -> None:
    rewards = token_rewards(tensor([3.0, 7.0]), TWO)
    _, returns = gae(rewards, torch.linspace(-1, 1, 5), TWO, 1.0, 1.0)
    close(returns, tensor([3.0, 3.0, 3.0, 7.0, 7.0]))


def test_reward_is_at_the_last_token_and_the_penalty_at_each() -> None:
    close(token_rewards(tensor([3.0, 7.0]), TWO), tensor([0.0, 0.0, 3.0, 0.0, 7.0]))
    logratio = tensor([1.0, -1.0, 2.0, 0.0, 4.0])
    expected = tensor([-0.1, 0.1, 2.8, 0.0, 6.6])
    close(token_rewards(tensor([3.0, 7.0]), TWO, logratio, 0.1), expected)


def test_whitened_advantages_by_hand() -> None:
    close(whiten(tensor([1.0, 3.0, 5.0])), tensor([-(1.5**0.5), 0.0, 1.5**0.5]))


@pytest.mark.parametrize("value", [0.1, 0.3, 0.7, 2.0])
def test_equal_advantages_are_none_whatever_their_mean_is_rounded_to(value: float) -> None:
    assert whiten(torch.full((1003,), value)).tolist() == [0.0] * 1003


def test_explained_variance_of_a_perfect_a_constant_and_a_wrong_critic() -> None:
    returns = tensor([0.0, 2.0])
    assert explained_variance(returns, returns) == 1
    assert explained_variance(tensor([5.0, 5.0]), returns) == 0
    assert explained_variance(tensor([2.0, 0.0]), returns) == -3
    assert explained_variance(tensor([1.0, 2.0]), tensor([4.0, 4.0])) == 0


lengths = st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=4), min_size=1, max_size=5)


@given(lengths, st.integers(0, 3), st.randoms(use_true_random=False))
def test_order_is_that_of_the_turns_whatever_is_observed_and_however_packed(
    outputs: list[list[int]], info: int, random
) -> None:
    order = TrajectoryOrder(outputs)
    expected = {
        name: number
        for number, name in enumerate(
            (i, t, place)
            for i, turns in enumerate(outputs)
            for t, size in enumerate(turns)
            for place in range(size)
        )
    }
    trees = []
    for i, turns in enumerate(outputs):
        views, past = [], [1, 2]
        for t, size in enumerate(turns):
            output = [random.randint(3, 5) for _ in range(size)]
            views.append(View(past, output, i, t))
            past = past + output + [7] * info
        trees.append(pack(views))
    random.shuffle(trees)
    batch = collate([trees], 0)
    names = zip(batch.trajectory.tolist(), batch.turn.tolist(), batch.place.tolist(), strict=True)

    assert order.places(batch).tolist() == [expected[name] for name in names]
    assert len(order) == len(expected)


@given(lengths, st.floats(0.5, 1), st.floats(0, 1))
def test_gae_equals_its_definition_as_a_sum(
    outputs: list[list[int]], gamma: float, lam: float
) -> None:
    order = TrajectoryOrder(outputs)
    random = torch.Generator().manual_seed(len(order))
    rewards, values = torch.randn(2, len(order), generator=random, dtype=torch.float64)
    advantages, _ = gae(rewards, values, order, gamma, lam)
    start = 0
    for turns in outputs:
        end = start + sum(turns)
        v = [*values[start:end].tolist(), 0.0]
        r = rewards[start:end].tolist()
        deltas = [r[i] + gamma * v[i + 1] - v[i] for i in range(end - start)]
        for i in range(end - start):
            naive = sum((gamma * lam) ** k * delta for k, delta in enumerate(deltas[i:]))
            assert float(advantages[start + i]) == pytest.approx(naive, abs=1e-9)
        start = end
