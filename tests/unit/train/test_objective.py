"""Losses and advantages against numbers computed by hand."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, tensor

from mem1.train import objective as o

close = torch.testing.assert_close
floats = st.floats(-3, 0, width=32)


def test_grpo_compares_within_the_group() -> None:
    rewards, group = tensor([0.0, 2.0, 10.0, 10.0, 16.0]), tensor([7, 7, 3, 3, 3])
    # group 7: mean 1, std 1; group 3: mean 12, std sqrt((4 + 4 + 16) / 3) = sqrt(8)
    expected = tensor([-1.0, 1.0, -2 / math.sqrt(8), -2 / math.sqrt(8), 4 / math.sqrt(8)])
    close(o.grpo_advantages(rewards, group), expected, atol=1e-5, rtol=0)


def test_grpo_of_equal_rewards_is_exactly_zero() -> None:
    rewards = torch.full((7,), 0.1)  # its mean in fp32 is not 0.1
    assert o.grpo_advantages(rewards, torch.zeros(7, dtype=torch.long)).tolist() == [0.0] * 7


def test_reinforce_pp_compares_with_the_batch_whatever_the_group() -> None:
    rewards = tensor([0.0, 0.0, 2.0, 2.0])
    advantages = o.reinforce_pp_advantages(rewards, tensor([0, 0, 1, 1]))
    close(advantages, tensor([-1.0, -1.0, 1.0, 1.0]), atol=1e-5, rtol=0)


@given(st.lists(st.integers(0, 16 * 64), min_size=2, max_size=12))
def test_advantages_of_a_group_sum_to_zero(rewards: list[int]) -> None:
    for estimator in o.ESTIMATORS.values():  # rewards whose mean has no rounding to speak of
        total = estimator(tensor(rewards) / 64, torch.zeros(len(rewards), dtype=torch.long)).sum()
        assert abs(float(total)) < 1e-3


def test_sft_loss_is_the_mean_over_tokens() -> None:
    logprobs = tensor([-1.0, -2.0, -6.0])
    assert float(o.sft_loss(logprobs)) == 3.0
    assert float(o.sft_loss(logprobs, tensor([1.0, 1.0, 0.0]))) == 1.5
    assert float(o.sft_loss(logprobs, tensor([1.0, 1.0, 0.0]), count=6)) == 0.5


def test_policy_loss_in_its_four_cases() -> None:
    ratios = tensor([1.5, 1.5, 0.5, 0.5, 1.1])
    advantages = tensor([2.0, -2.0, 2.0, -2.0, 1.0])
    # up and good: clipped at 1.2; up and bad: not; down and good: not; down and bad: at 0.8
    expected = tensor([-2.4, 3.0, -1.0, 1.6, -1.1])
    close(o.policy_loss(ratios.log(), torch.zeros(5), advantages, 0.2), expected)


def test_policy_gradient_of_a_fresh_policy_is_minus_the_advantage() -> None:
    logprobs = tensor([-1.0, -2.0], requires_grad=True)
    o.policy_loss(logprobs, logprobs, tensor([3.0, -4.0]), 0.2).sum().backward()
    close(logprobs.grad, tensor([-3.0, 4.0]))


def test_clipped_tokens_have_no_gradient() -> None:
    logprobs = tensor([math.log(1.5), math.log(0.5)], requires_grad=True)
    o.policy_loss(logprobs, torch.zeros(2), tensor([1.0, -1.0]), 0.2).sum().backward()
    assert logprobs.grad is not None
    assert logprobs.grad.tolist() == [0.0, 0.0]


def test_kl_to_reference_by_hand() -> None:
    kl = o.kl_to_reference(tensor([-1.0, -2.0]), tensor([-1.0, -1.0]))
    close(kl, tensor([0.0, math.e - 2]))


def test_kl_gradient_points_to_the_reference() -> None:
    logprobs = tensor([-2.0], requires_grad=True)
    o.kl_to_reference(logprobs, tensor([-1.0])).sum().backward()
    close(logprobs.grad, tensor([1 - math.e]))  # descent raises the log-probability


def test_kl_estimate_averages_to_the_true_divergence() -> None:
    p, r = tensor([0.5, 0.3, 0.2]), tensor([0.2, 0.3, 0.5])
    expected = (p * (p / r).log()).sum()
    close((p * o.kl_to_reference(p.log(), r.log())).sum(), expected)


def test_rl_loss_by_hand() -> None:
    terms = o.rl_loss(
        logprobs=tensor([math.log(1.5), 0.0]),
        entropy=tensor([1.0, 3.0]),
        old_logprobs=torch.zeros(2),
        advantages=tensor([1.0, -1.0]),
        clip_ratio=0.2,
        ref_logprobs=tensor([math.log(1.5), 1.0]),
        kl_weight=0.1,
        entropy_weight=0.01,
    )
    values = terms.values()
    assert values["policy"] == pytest.approx((-1.2 + 1.0) / 2)
    assert values["kl"] == pytest.approx((math.e - 2) / 2)
    assert values["entropy"] == pytest.approx(2.0)
    assert values["loss"] == pytest.approx(-0.1 + 0.1 * (math.e - 2) / 2 - 0.01 * 2)
    assert values["clip_fraction"] == 0.5
    assert values["mean_ratio"] == pytest.approx(1.25)
    assert values["approx_kl"] == pytest.approx((0.5 - math.log(1.5)) / 2)


@given(st.lists(st.tuples(floats, floats, floats, floats), min_size=2, max_size=9), st.data())
def test_parts_of_a_step_add_up_to_the_whole(rows, data) -> None:
    cut = data.draw(st.integers(1, len(rows) - 1))
    new, old, ref, advantages = tensor(rows).T

    def run(parts: list[slice]) -> tuple[Tensor, list[dict[str, float]]]:
        leaf = new.clone().requires_grad_()
        terms = [
            o.rl_loss(
                leaf[at], -leaf[at], old[at], advantages[at] + 1.5, clip_ratio=0.2,
                ref_logprobs=ref[at], kl_weight=0.3, entropy_weight=0.1, count=len(rows),
            )
            for at in parts
        ]  # fmt: skip
        for term in terms:
            term.loss.backward()
        assert leaf.grad is not None
        return leaf.grad, [term.values() for term in terms]

    grad, (whole,) = run([slice(None)])
    grad_of_parts, parts = run([slice(cut), slice(cut, None)])
    close(grad_of_parts, grad)
    for name, value in whole.items():
        assert sum(part[name] for part in parts) == pytest.approx(value, rel=1e-4, abs=1e-5)


def test_extreme_ratios_stay_finite() -> None:
    logprobs = tensor([0.0, -500.0], requires_grad=True)
    terms = o.rl_loss(
        logprobs, torch.zeros(2), tensor([-500.0, 0.0]), tensor([-1.0, 1.0]),
        clip_ratio=0.2, ref_logprobs=tensor([-500.0, 0.0]), kl_weight=1.0,
    )  # fmt: skip
    terms.loss.backward()
    assert logprobs.grad is not None
    assert bool(torch.isfinite(logprobs.grad).all())
    assert all(map(math.isfinite, terms.values().values()))


def test_importance_weights_are_cut_at_the_cap() -> None:
    trainer, engine = tensor([0.5, 0.2, 0.4]).log(), tensor([0.25, 0.4, 0.1]).log()
    weights = o.importance(trainer.requires_grad_(), engine, cap=2.5)  # 2, 1/2, and 4 cut
    close(weights, tensor([2.0, 0.5, 2.5]))
    assert not weights.requires_grad


def test_importance_weights_weigh_the_surrogate_alone() -> None:
    # Ratios 2, 1/2, 1 with a clip at 0.2: surrogates -(1.2 * 1), -(1/2 * -1 or 0.8 * -1: the
    # smaller is -0.8), -(1 * 3), so 1.2, -0.8 and 3 with their signs turned; 4 tokens in the step.
    old = tensor([0.2, 0.4, 0.3]).log()
    now = tensor([0.4, 0.2, 0.3]).log().requires_grad_()
    advantages, weights = tensor([1.0, -1.0, 3.0]), tensor([2.0, 0.5, 1.5])
    terms = o.rl_loss(
        now, torch.ones(3), old, advantages, clip_ratio=0.2, count=4,
        ref_logprobs=old, kl_weight=1.0, importance_weights=weights,
    )  # fmt: skip
    assert float(terms.policy) == pytest.approx((2 * -1.2 + 0.5 * 0.8 + 1.5 * -3) / 4)
    kl = (0.5 - 1 - math.log(0.5)) + (2 - 1 - math.log(2))  # of ratios 1/2, 2 and 1
    assert float(terms.kl) == pytest.approx(kl / 4)
    [gradient] = torch.autograd.grad(terms.loss, now)
    # Of the surrogate: none where it is clipped, -weight * ratio * advantage elsewhere; of the
    # penalty 1 - exp(d) with d = -log ratio.
    close(gradient, tensor([1 - 0.5, 1 - 2.0, -1.5 * 3]) / 4)


def test_weights_without_what_they_weigh_are_refused() -> None:
    x = torch.zeros(1, requires_grad=True)
    with pytest.raises(ValueError, match="reference"):
        o.rl_loss(x, x, x, x, clip_ratio=0.2, kl_weight=0.1)
    with pytest.raises(ValueError, match="entropy"):
        o.rl_loss(x, x.detach(), x, x, clip_ratio=0.2, entropy_weight=0.1)


def test_value_loss_in_its_cases() -> None:
    values, old = tensor([0.2, 0.9, 0.9]), torch.zeros(3)
    returns = tensor([1.0, 1.0, 0.0])
    # within the clip: 0.8^2; past it towards the return: that of 0.5, 0.5^2; away: 0.9^2
    terms = o.value_loss(values, old, returns, clip=0.5)
    assert float(terms.loss) == pytest.approx(0.5 * (0.64 + 0.25 + 0.81) / 3)
    assert float(terms.clip_fraction) == pytest.approx(1 / 3)


def test_clipped_values_have_no_gradient() -> None:
    values = tensor([0.2, 0.9], requires_grad=True)
    o.value_loss(values, torch.zeros(2), torch.ones(2), 0.5, count=4).loss.backward()
    close(values.grad, tensor([-0.2, 0.0]))
