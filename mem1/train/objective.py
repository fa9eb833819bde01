"""What is minimized: pure functions from numbers of a batch to a loss.

Shape letters: T trajectories, A sampled tokens of a batch (or of a part of it). Only sampled
tokens are ever here; the prompt and what the environment returned are in no loss.

An *estimator* turns rewards [T] and groups [T] into advantages [T]; each sampled token gets
that of its trajectory. PPO credits single tokens instead (``train.credit``); ``policy_loss``
cannot tell.

Aggregation: every loss is a sum over sampled tokens divided by ``count``, the number of
sampled tokens of the whole optimizer step. Parts of a step, each with the same ``count``,
therefore add up to the undivided loss, in values and gradients, however the step is split.

Departures from the paper: beside its PPO there are ``grpo`` and ``reinforce++``, which need no
critic, and the KL penalty can be a term of the loss. GRPO as published divides
each trajectory's loss by its own length, which favours long wrong answers; here all tokens
count the same.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

EPSILON = 1e-6  # beside a standard deviation of rewards
LARGEST_LOG_RATIO = 20.0  # exp of more overflows, and is clipped or negligible anyway

Estimator = Callable[[Tensor, Tensor], Tensor]


def grpo_advantages(rewards: Tensor, group: Tensor) -> Tensor:
    """[T]: each reward against those of its own group (Shao et al. 2024, eq. 1 ff.).

    (reward - mean) / (std + 1e-6) with mean and population standard deviation over the
    trajectories with the same number in ``group`` [T]. A group that all got the same reward
    has advantage exactly 0.
    """
    _, index = torch.unique(group, return_inverse=True)
    size = torch.bincount(index).to(rewards.dtype)
    zeros = torch.zeros_like(size)
    mean = zeros.index_add(0, index, rewards) / size
    centred = rewards - mean[index]
    variance = zeros.index_add(0, index, centred**2) / size
    advantages = centred / (variance.sqrt()[index] + EPSILON)
    return torch.where(_constant(rewards, index), 0.0, advantages)


def reinforce_pp_advantages(rewards: Tensor, group: Tensor | None = None) -> Tensor:
    """[T]: each reward against the whole batch (REINFORCE++, Hu et al. 2025).

    (reward - mean) / (std + 1e-6) with mean and population standard deviation over all
    trajectories; ``group`` is accepted and ignored. The publication normalizes over tokens;
    over trajectories, a long trajectory does not move the baseline of the others.
    """
    return grpo_advantages(rewards, torch.zeros_like(rewards, dtype=torch.long))


def _constant(rewards: Tensor, index: Tensor) -> Tensor:
    """[T] bool: whether all rewards of the trajectory's group are equal.

    Rounding in a mean must not become an advantage of +-1 by division through almost 0.
    """
    bounds = rewards.new_empty(int(index.max()) + 1)
    low = bounds.scatter_reduce(0, index, rewards, "amin", include_self=False)
    high = bounds.scatter_reduce(0, index, rewards, "amax", include_self=False)
    return (low == high)[index]


ESTIMATORS: dict[str, Estimator] = {
    "grpo": grpo_advantages,
    "reinforce++": reinforce_pp_advantages,
}


def sft_loss(logprobs: Tensor, weights: Tensor | None = None, count: float | None = None) -> Tensor:
    """Mean negative log-probability of the sampled tokens, a scalar in nats.

    ``weights`` [A] defaults to 1 and ``count`` to their sum: a weighted mean.
    """
    weights = torch.ones_like(logprobs) if weights is None else weights
    return -(weights * logprobs).sum() / (weights.sum() if count is None else count)


def likelier_than_not(logprobs: Tensor) -> Tensor:
    """[A] bool: whether a token is more likely than all others together.

    It is the greedy choice then. A less likely one can be that too, which does not matter for a
    statistic.
    """
    return logprobs.detach() > -0.6931


def ratio(logprobs: Tensor, old_logprobs: Tensor) -> Tensor:
    """[A] probability now over probability when sampled; the old one has no gradient."""
    difference = logprobs - old_logprobs.detach()
    return difference.clamp(-LARGEST_LOG_RATIO, LARGEST_LOG_RATIO).exp()


def importance(trainer: Tensor, engine: Tensor, cap: float) -> Tensor:
    """[A] min(p / q, cap), without a gradient: p of the trainer, q of the engine that sampled.

    Both have the same weights, but compute with other kernels or in another precision. Where a
    token was sampled with probability q and counts as if with p, its loss is weighted with p / q;
    the cap bounds the variance (truncated importance sampling, Yao et al. 2025).
    """
    difference = (trainer - engine).detach()
    weights = difference.clamp(-LARGEST_LOG_RATIO, LARGEST_LOG_RATIO).exp()
    return weights.clamp(max=cap)


def policy_loss(
    logprobs: Tensor, old_logprobs: Tensor, advantages: Tensor, clip_ratio: float
) -> Tensor:
    """[A] clipped surrogate with its sign turned, to be minimized (Schulman et al. 2017, eq. 7).

    -min(r a, clip(r, 1 - c, 1 + c) a) of each token, r its probability ratio, a its advantage.
    """
    r = ratio(logprobs, old_logprobs)
    clipped = r.clamp(1 - clip_ratio, 1 + clip_ratio)
    return -torch.minimum(r * advantages, clipped * advantages)


def kl_to_reference(logprobs: Tensor, ref_logprobs: Tensor) -> Tensor:
    """[A] estimate of KL(policy || reference) from the sampled tokens, in nats, never negative.

    exp(d) - d - 1 with d = reference - policy ("k3", Schulman 2020), as in GRPO.
    """
    d = (ref_logprobs.detach() - logprobs).clamp(-LARGEST_LOG_RATIO, LARGEST_LOG_RATIO)
    return d.exp() - d - 1


@dataclass(frozen=True)
class Terms:
    """A loss to be minimized and what it consists of: scalars, each already divided by ``count``.

    The terms of the parts of an optimizer step add up to those of the whole.
    """

    loss: Tensor

    def values(self) -> dict[str, float]:
        """All terms by name, as plain numbers."""
        return {name: float(term.detach()) for name, term in vars(self).items()}


@dataclass(frozen=True)
class LossTerms(Terms):
    """Of the policy: the loss is policy + kl weight * kl - entropy weight * entropy."""

    policy: Tensor
    kl: Tensor  # to the reference, nats; 0 without one
    entropy: Tensor  # nats
    clip_fraction: Tensor  # share of tokens whose gradient the clip removed
    mean_ratio: Tensor  # 1 before the first update
    approx_kl: Tensor  # KL(sampling || current) in nats: r - 1 - log r


def rl_loss(
    logprobs: Tensor,
    entropy: Tensor,
    old_logprobs: Tensor,
    advantages: Tensor,
    *,
    clip_ratio: float,
    ref_logprobs: Tensor | None = None,
    importance_weights: Tensor | None = None,
    kl_weight: float = 0.0,
    entropy_weight: float = 0.0,
    count: float | None = None,
) -> LossTerms:
    """The loss of one part of an optimizer step; all inputs but the scalar weights are [A].

    ``logprobs`` and ``entropy`` come from the current weights, ``old_logprobs`` from the
    weights that sampled, ``ref_logprobs`` from the reference policy (needed if ``kl_weight``
    is not 0), ``importance_weights`` from ``importance``: they weigh the surrogate, not KL and
    entropy. ``count`` is the number of sampled tokens of the whole step; default A.

    Raises:
        ValueError: a KL weight without a reference, or an entropy weight on an entropy that
            was computed as a statistic only.
    """
    if kl_weight and ref_logprobs is None:
        raise ValueError("a KL penalty needs the log-probabilities of the reference")
    if entropy_weight and logprobs.requires_grad and not entropy.requires_grad:
        raise ValueError("an entropy bonus needs the entropy with its gradient")
    size = len(logprobs) if count is None else count
    surrogate = policy_loss(logprobs, old_logprobs, advantages, clip_ratio)
    if importance_weights is not None:
        surrogate = surrogate * importance_weights
    policy = surrogate.sum() / size
    zero = torch.zeros_like(policy)
    kl = zero if ref_logprobs is None else kl_to_reference(logprobs, ref_logprobs).sum() / size
    bonus = entropy.sum() / size
    loss = policy
    if kl_weight:
        loss = loss + kl_weight * kl
    if entropy_weight:
        loss = loss - entropy_weight * bonus
    with torch.no_grad():
        r = ratio(logprobs, old_logprobs)
        removed = torch.where(advantages > 0, r > 1 + clip_ratio, r < 1 - clip_ratio)
        return LossTerms(
            loss=loss,
            policy=policy.detach(),
            kl=kl.detach(),
            entropy=bonus.detach(),
            clip_fraction=(removed & (advantages != 0)).sum() / size,
            mean_ratio=r.sum() / size,
            approx_kl=(r - 1 - r.log()).sum() / size,
        )


@dataclass(frozen=True)
class ValueTerms(Terms):
    """Of the critic."""

    clip_fraction: Tensor  # share of tokens whose gradient the clip removed


def value_loss(
    values: Tensor, old_values: Tensor, returns: Tensor, clip: float, count: float | None = None
) -> ValueTerms:
    """Half the squared error of the values [A] against the returns [A], clipped.

    Of the error of the value and that of the value kept within ``clip`` of the one it had when
    the trajectory was credited, the larger counts, as in the official scripts (clip 0.5).
    """
    size = len(values) if count is None else count
    kept = values.clamp(old_values - clip, old_values + clip)
    error, kept_error = (values - returns).square(), (kept - returns).square()
    loss = 0.5 * torch.maximum(error, kept_error).sum() / size
    with torch.no_grad():
        removed = ((kept != values) & (kept_error > error)).sum() / size
    return ValueTerms(loss=loss, clip_fraction=removed)
