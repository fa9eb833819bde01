"""Packed rows give the log-probabilities and gradients of each view run alone."""

import copy
from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import GraniteConfig, GraniteForCausalLM, Qwen2Config, Qwen2ForCausalLM

from mem1.errors import InputError
from mem1.train import attention, branches
from mem1.train.batch import PackedBatch, collate
from mem1.train.forward import sampled_logprobs
from mem1.train.tree import Tree, View, pack

VOCABULARY = 40
BACKENDS = ["dense", "branches"]
POLICIES = ["mem1", "full", "truncate"]
seeds = st.integers(0, 2**31)


def tiny_model(kv_heads: int = 2, dtype: torch.dtype = torch.float32) -> Qwen2ForCausalLM:
    """A random model with large weights: one with the usual ones would hide mistakes."""
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=VOCABULARY, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=kv_heads, initializer_range=0.1,
        max_position_embeddings=512, tie_word_embeddings=True,
    )  # fmt: skip
    return Qwen2ForCausalLM(config).to(dtype)


def group_views(
    rng: np.random.Generator, policy: str, trajectories: int, first: int, longest: int = 9
) -> list[View]:
    """A group of one task as the policies show it; few token ids, so that paths overlap."""

    def draw() -> list[int]:
        few = int(rng.integers(2, VOCABULARY))
        return rng.integers(0, few, int(rng.integers(1, longest + 1))).tolist()

    prompt, views = draw(), []
    for number in range(first, first + trajectories):
        turns: list[list[int]] = []
        for t in range(int(rng.integers(1, 5))):
            shown = {"mem1": turns[-1:], "full": turns, "truncate": turns[-2:]}[policy]
            output = draw()
            views.append(View([*prompt, *chain.from_iterable(shown)], output, number, t))
            turns.append(output + draw())
    return views


def random_rows(
    seed: int, policies: list[str], longest: int = 9
) -> tuple[list[View], list[list[Tree]]]:
    """Rows of one to three trees, and all their views."""
    rng = np.random.default_rng(seed)
    views: list[View] = []
    rows: list[list[Tree]] = []
    number = 0
    for _ in range(int(rng.integers(1, 4))):
        row = []
        for _ in range(int(rng.integers(1, 4))):
            found = group_views(
                rng, policies[number % len(policies)], int(rng.integers(1, 4)), number, longest
            )
            number = found[-1].trajectory + 1
            views += found
            row.append(pack(found))
        rows.append(row)
    return views, rows


def views_alone(model: Qwen2ForCausalLM, views: list[View], batch: PackedBatch) -> Tensor:
    """[A] the reference: each view by itself through the untouched model, in batch order."""
    found = {}
    for view in views:
        ids = torch.tensor([[*view.context, *view.output]])
        logs = torch.log_softmax(model(input_ids=ids).logits[0], -1)
        for place, token in enumerate(view.output):
            name = (view.trajectory, view.turn, place)
            found[name] = logs[len(view.context) + place - 1, token]
    names = zip(batch.trajectory.tolist(), batch.turn.tolist(), batch.place.tolist(), strict=True)
    return torch.stack([found.pop(name) for name in names])


def gradients(model: Qwen2ForCausalLM, logprobs: Tensor) -> list[Tensor]:
    """Of a loss in which each token has another weight."""
    weights = torch.linspace(-1, 1, len(logprobs), dtype=logprobs.dtype)
    return list(torch.autograd.grad((weights * logprobs).sum(), list(model.parameters())))


def largest_gap(one: list[Tensor], other: list[Tensor]) -> float:
    return max(float((a - b).detach().abs().max()) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("policies", [*([p] for p in POLICIES), POLICIES])
@settings(max_examples=8, deadline=None)
@given(seed=seeds)
def test_packed_equals_alone_in_single_precision(backend, policies, seed: int) -> None:
    model = tiny_model()
    views, rows = random_rows(seed, policies)
    batch = collate(rows, pad_id=0)
    expected = views_alone(copy.deepcopy(model), views, batch)
    packed = sampled_logprobs(model, batch, backend=backend).logprobs
    assert float((packed - expected).detach().abs().max()) < 1e-5


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
@settings(max_examples=8, deadline=None)
@given(seed=seeds)
def test_values_and_gradients_equal_those_of_views_alone(backend, kv_heads, seed: int) -> None:
    model = tiny_model(kv_heads, torch.float64)
    alone = copy.deepcopy(model)
    views, rows = random_rows(seed, POLICIES)
    batch = collate(rows, pad_id=0)
    expected = views_alone(alone, views, batch)
    packed = sampled_logprobs(model, batch, backend=backend).logprobs
    # transformers rotates and normalizes in fp32 in an fp64 model too, so some rounding stays
    assert float((packed - expected).detach().abs().max()) < 2e-6
    want, got = gradients(alone, expected), gradients(model, packed)
    assert largest_gap(got, want) < 2e-6 * max(float(g.abs().max()) for g in want)


@settings(max_examples=15, deadline=None)
@given(seed=seeds)
def test_long_segments_have_the_gradients_of_views_alone(seed: int) -> None:
    model = tiny_model()
    alone = copy.deepcopy(model)
    views, rows = random_rows(seed, ["mem1", "full"], longest=3 * branches.SHORT)
    batch = collate(rows, pad_id=0)
    expected = views_alone(alone, views, batch)
    packed = sampled_logprobs(model, batch).logprobs
    assert float((packed - expected).detach().abs().max()) < 2e-5
    want, got = gradients(alone, expected), gradients(model, packed)
    assert largest_gap(got, want) < 1e-5 * max(float(g.abs().max()) for g in want)


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_a_token_moves_its_descendants_and_nothing_else(backend: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = tiny_model()
    attention.attach(model)
    batch = collate(random_rows(seed, POLICIES)[1], pad_id=0)

    def hidden(ids: Tensor) -> Tensor:
        arguments = attention.model_arguments(
            attention.plan(batch.subtree_end, backend), ids.device
        )
        with torch.no_grad():
            return model.model(ids, position_ids=batch.position_ids, **arguments)[0]

    row, column = (int(rng.integers(size)) for size in batch.ids.shape)
    changed = batch.ids.clone()
    changed[row, column] = (
        changed[row, column] + 1 + int(rng.integers(VOCABULARY - 1))
    ) % VOCABULARY
    moved = (hidden(changed) - hidden(batch.ids)).abs().amax(-1)
    below = torch.zeros_like(moved, dtype=torch.bool)
    below[row, column : int(batch.subtree_end[row, column])] = True
    assert float((moved * ~below).max()) < 1e-5
    assert float(moved[below].min()) > 1e-5


@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_backends_agree_on_every_row_padding_included(seed: int) -> None:
    batch = collate(random_rows(seed, POLICIES, longest=25)[1], pad_id=0)
    generator = torch.Generator().manual_seed(seed)
    results = []
    shape = (*batch.ids.shape, 4, 8)
    inputs = [torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(4)]
    for backend in BACKENDS:
        q, k, v = (x.transpose(1, 2).clone().requires_grad_() for x in inputs[:3])
        out = attention.plan(batch.subtree_end, backend)(q, k, v)
        results.append(
            [out, *torch.autograd.grad((out * inputs[3].transpose(1, 2)).sum(), (q, k, v))]
        )
    assert largest_gap(*results) < 1e-12


def test_half_precision_stays_near_single() -> None:
    batch = collate(random_rows(1, POLICIES, longest=25)[1], pad_id=0)
    q, k, v = torch.randn(3, batch.ids.shape[0], 4, batch.ids.shape[1], 8).unbind()
    exact = attention.plan(batch.subtree_end, "dense")(q, k, v)
    half = attention.plan(batch.subtree_end, "branches")(q.bfloat16(), k.bfloat16(), v.bfloat16())
    assert half.dtype == torch.bfloat16
    assert float((half.float() - exact).abs().max()) < 0.05


def test_rows_of_single_chains_run_as_causal_attention() -> None:
    views = [View([1, 2, 3], [4] * n, n, 0) for n in (1, 4, 2)]
    model = tiny_model()
    batch = collate([pack([view]) for view in views], pad_id=0)
    assert attention.plan(batch.subtree_end).backend == "causal"
    expected = views_alone(copy.deepcopy(model), views, batch)
    packed = sampled_logprobs(model, batch).logprobs
    assert float((packed - expected).detach().abs().max()) < 1e-5


def test_a_branching_row_does_not_run_as_causal_attention() -> None:
    fork = collate([pack([View([1], [2], 0, 0), View([1], [3], 1, 0)])], pad_id=0)
    two = collate([[pack([View([1], [2], 0, 0)]), pack([View([1], [2], 1, 0)])]], pad_id=0)
    assert attention.plan(fork.subtree_end).backend == "branches"
    assert attention.plan(two.subtree_end).backend == "branches"
    with pytest.raises(InputError, match="cannot show trees"):
        attention.plan(fork.subtree_end, "causal")


def test_chunks_of_logits_change_neither_values_nor_gradients(monkeypatch) -> None:
    model = tiny_model()
    batch = collate(random_rows(3, POLICIES)[1], pad_id=0)
    whole = sampled_logprobs(model, batch, temperature=0.7)
    want = gradients(model, whole.logprobs + whole.entropy)
    monkeypatch.setattr("mem1.train.forward.CHUNK", 3 * VOCABULARY)
    parts = sampled_logprobs(model, batch, temperature=0.7)
    torch.testing.assert_close(parts.logprobs, whole.logprobs)
    torch.testing.assert_close(parts.entropy, whole.entropy)
    assert largest_gap(gradients(model, parts.logprobs + parts.entropy), want) < 1e-4


def test_entropy_and_temperature_by_hand() -> None:
    model = tiny_model()
    batch = collate([pack([View([1, 2], [3], 0, 0)])], pad_id=0)
    logits = copy.deepcopy(model)(input_ids=torch.tensor([[1, 2]])).logits[0, -1].detach()
    expected = torch.distributions.Categorical(logits=logits / 0.5)
    found = sampled_logprobs(model, batch, temperature=0.5, entropy_gradient=False)
    torch.testing.assert_close(found.entropy[0], expected.entropy())
    torch.testing.assert_close(found.logprobs[0].detach(), expected.log_prob(torch.tensor(3)))
    assert not found.entropy.requires_grad


def test_an_attached_model_still_runs_padded_batches_and_generates() -> None:
    model = tiny_model().eval()
    plain = copy.deepcopy(model)
    attention.attach(model)
    ids, padding = torch.tensor([[0, 0, 5, 6], [1, 2, 3, 4]]), torch.tensor([[0, 0, 1, 1], [1] * 4])
    with torch.no_grad():
        for arguments in ({}, {"attention_mask": padding}):
            torch.testing.assert_close(
                model(ids, **arguments).logits, plain(ids, **arguments).logits
            )
    options = {
        "attention_mask": padding,
        "max_new_tokens": 5,
        "do_sample": False,
        "pad_token_id": 0,
    }
    assert model.generate(ids, **options).tolist() == plain.generate(ids, **options).tolist()


def test_gradient_checkpointing_gives_the_same_gradients() -> None:
    model = tiny_model().train()
    batch = collate(random_rows(4, POLICIES)[1], pad_id=0)
    want = gradients(model, sampled_logprobs(model, batch).logprobs)
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    got = gradients(model, sampled_logprobs(model, batch).logprobs)
    assert largest_gap(got, want) < 1e-6


def test_what_the_rule_cannot_express_is_refused() -> None:
    batch = collate(random_rows(5, POLICIES)[1], pad_id=0)
    sliding = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=VOCABULARY, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=2, use_sliding_window=True,
            sliding_window=4, max_window_layers=0,
        )
    )  # fmt: skip
    with pytest.raises(InputError, match="sliding_window"):
        sampled_logprobs(sliding, batch)
    with pytest.raises(InputError, match="no attention backend 'fast'"):
        sampled_logprobs(tiny_model(), batch, backend="fast")
    with pytest.raises(InputError, match="temperature is 0"):
        sampled_logprobs(tiny_model(), batch, temperature=0)


def test_what_a_model_does_to_logits_behind_its_head_is_refused() -> None:
    batch = collate(random_rows(5, POLICIES)[1], pad_id=0)

    def granite(scaling: float) -> GraniteForCausalLM:
        return GraniteForCausalLM(
            GraniteConfig(
                vocab_size=VOCABULARY, hidden_size=32, intermediate_size=48, num_hidden_layers=1,
                num_attention_heads=4, num_key_value_heads=2, logits_scaling=scaling,
            )
        )  # fmt: skip

    with pytest.raises(InputError, match="Models with logits_scaling are not supported"):
        sampled_logprobs(granite(8.0), batch)
    assert len(sampled_logprobs(granite(1.0), batch).logprobs) == len(batch.targets)


def test_trees_are_fused_on_a_gpu_and_in_pieces_on_a_cpu() -> None:
    assert attention.usual_backend(torch.device("cuda", 1)) == "flex"
    assert attention.usual_backend(torch.device("cpu")) == "branches"
