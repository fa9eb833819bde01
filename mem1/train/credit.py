"""Credit for single tokens: generalized advantage estimation over whole trajectories.

A tree holds the sampled tokens of a trajectory at many places, and a minibatch holds some of
the trees. Credit needs them one after the other, turn after turn, without what the
environment returned in between: the *trajectory order*. ``TrajectoryOrder`` says where in it
the tokens of a batch belong, so values are gathered from the trees, credited once, and
scattered back.

Shape letters: T trajectories, N sampled tokens of a whole collection in trajectory order, A
those of one batch.

The paper trains with PPO and a token-level critic and leaves the rest unsaid; its code has
gamma = lambda = 1. That code runs GAE over the stitched row; here it runs over the
sampled tokens alone, so an observation, however long, discounts nothing.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mem1.train.batch import PackedBatch

EPSILON = 1e-8  # beside a standard deviation of advantages
NOTHING = 1e-6  # variance of returns


class TrajectoryOrder:
    """The sampled tokens of T trajectories, one trajectory after the other, turn by turn.

    Args:
        outputs: for each trajectory the number of sampled tokens of each of its turns.
    """

    def __init__(self, outputs: Sequence[Sequence[int]]) -> None:
        lengths = [sum(turns) for turns in outputs]
        starts = np.cumsum([0, *(length for turns in outputs for length in turns)])
        firsts = np.cumsum([0, *map(len, outputs)])
        self._start = torch.from_numpy(starts)  # of each turn of each trajectory
        self._first = torch.from_numpy(firsts)  # of each trajectory, in ``_start``
        self.trajectory = torch.repeat_interleave(torch.tensor(lengths))  # [N]

    def __len__(self) -> int:
        """Number of sampled tokens N."""
        return len(self.trajectory)

    def places(self, batch: PackedBatch) -> Tensor:
        """[A] places of the sampled tokens of ``batch`` in trajectory order."""
        return self._start[self._first[batch.trajectory] + batch.turn] + batch.place

    @property
    def last(self) -> Tensor:
        """[N] bool: whether a token is the last one of its trajectory."""
        following = self.trajectory[1:] != self.trajectory[:-1]
        return torch.cat([following, following.new_ones(1)])


def token_rewards(
    rewards: Tensor, order: TrajectoryOrder, logratio: Tensor | None = None, kl_weight: float = 0.0
) -> Tensor:
    """[N]: the reward [T] of each trajectory at its last token, less the KL penalty.

    ``logratio`` [N] is log-prob of the policy minus that of the reference for each token, whose
    mean is their KL divergence; the penalty is ``kl_weight`` times it, at the token itself
    (Ouyang et al. 2022, eq. 2).
    """
    tokens = torch.where(order.last, rewards[order.trajectory], 0.0)
    return tokens if logratio is None else tokens - kl_weight * logratio


def gae(
    rewards: Tensor, values: Tensor, order: TrajectoryOrder, gamma: float, lam: float
) -> tuple[Tensor, Tensor]:
    """Advantages [N] and returns [N] of all tokens (Schulman et al. 2016, eq. 16).

    ``rewards`` [N] of the tokens; ``values`` [N] of the states in which they were sampled. With
    delta_i = r_i + gamma v_{i+1} - v_i, the advantage is delta_i + gamma lam advantage_{i+1},
    within a trajectory and across its turns; behind its last token both are 0. The return,
    the target of the critic, is advantage + value.
    """
    last = order.last.numpy()
    reward, value = rewards.double().numpy(), values.double().numpy()
    advantages = np.zeros(len(order))
    after_value = after_advantage = 0.0
    for i in range(len(order) - 1, -1, -1):
        if last[i]:
            after_value = after_advantage = 0.0
        delta = reward[i] + gamma * after_value - value[i]
        after_advantage = delta + gamma * lam * after_advantage
        advantages[i], after_value = after_advantage, value[i]
    result = torch.from_numpy(advantages).to(values.dtype)
    return result, result + values


def whiten(advantages: Tensor) -> Tensor:
    """[N] with mean 0 and standard deviation 1, over the sampled tokens and nothing else.

    All 0 where all are equal: rounding in their mean is no advantage.
    """
    if advantages.min() == advantages.max():
        return torch.zeros_like(advantages)
    centred = advantages - advantages.mean()
    return centred / (centred.square().mean().sqrt() + EPSILON)


def explained_variance(values: Tensor, returns: Tensor) -> float:
    """1 - Var(returns - values) / Var(returns): 1 is a perfect critic, 0 a constant one.

    0 where all returns are equal, but for KL penalties, so that there is nothing to explain.
    """
    total = returns.var(correction=0)
    explained = 1 - (returns - values).var(correction=0) / total
    return float(explained) if total > NOTHING else 0.0
