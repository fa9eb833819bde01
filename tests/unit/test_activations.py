"""Formulas of tokens and activations against real trees and real passes on a CPU."""

from collections.abc import Callable

import pytest
import torch
from torch.profiler import ProfilerActivity, profile
from transformers import Qwen2Config, Qwen2ForCausalLM

from mem1 import activations
from mem1.config_systems import Policy
from mem1.model_shape import ModelShape
from mem1.train import forward
from mem1.train.batch import PackedBatch, collate
from mem1.train.tree import Tree, View, pack

SHAPE = ModelShape(
    layers=3, hidden=192, heads=6, kv_heads=2, intermediate=512, vocabulary=700, tied=True
)
PROMPT, OUTPUT, INFO, TURNS = 60, 40, 50, 5


def tree(policy: Policy, turns: int, group: int = 1) -> Tree:
    """The tree of one task, without two tokens that happen to be equal."""
    fresh = iter(range(10**9))

    def tokens(count: int) -> list[int]:
        return [next(fresh) for _ in range(count)]

    prompt, views = tokens(PROMPT), []
    for one in range(group):
        past: list[int] = []
        for turn in range(turns):
            output = tokens(OUTPUT)
            views.append(View(prompt + past, output, one, turn))
            newest = output + tokens(INFO)
            past = newest if policy == "mem1" else past + newest
    return pack(views)


@pytest.mark.parametrize("policy", ["mem1", "full"])
@pytest.mark.parametrize(("turns", "group"), [(1, 1), (2, 1), (5, 1), (4, 3)])
def test_tokens_are_those_of_the_tree(policy: Policy, turns: int, group: int) -> None:
    counted = activations.tree_tokens(policy, PROMPT, OUTPUT, INFO, turns, group, 10**6)
    assert counted == len(tree(policy, turns, group))


def test_full_history_ends_at_the_largest_context() -> None:
    assert activations.tree_tokens("full", 100, 40, 60, 9, 2, 300) == 100 + 2 * 200


def batch() -> PackedBatch:
    packed = tree("mem1", TURNS)
    packed.ids[:] %= SHAPE.vocabulary
    return collate([packed], 0)


def model(value: int, checkpointing: bool) -> forward.Actor:
    config = Qwen2Config(
        vocab_size=SHAPE.vocabulary, hidden_size=SHAPE.hidden, use_cache=False,
        intermediate_size=SHAPE.intermediate, num_hidden_layers=SHAPE.layers,
        num_attention_heads=SHAPE.heads, num_key_value_heads=SHAPE.kv_heads,
        tie_word_embeddings=SHAPE.tied,
    )  # fmt: skip
    made = Qwen2ForCausalLM(config).to(torch.bfloat16 if value == 2 else torch.float32).train()
    if checkpointing:
        made.gradient_checkpointing_enable({"use_reentrant": False})
    return forward.Actor(made)


def saved_bytes(actor: forward.Actor, rows: PackedBatch) -> int:
    """Bytes of what a forward pass keeps for its backward pass, weights left out."""
    weights = {p.untyped_storage().data_ptr() for p in actor.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}  # alive, so that no address comes twice

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        actor(rows, 1.0, False)
    return sum(storage.nbytes() for storage in kept.values())


@pytest.mark.parametrize("value", [2, 4])
def test_a_layer_keeps_what_the_formula_says(value: int) -> None:
    rows = batch()
    tokens, sampled = rows.ids.numel(), len(rows.targets)
    ends = (4 + value) * SHAPE.hidden * tokens  # the last norm
    ends += sampled * (4 * SHAPE.vocabulary + value * SHAPE.hidden)  # log-probs, their states
    layers = saved_bytes(model(value, False), rows) - ends
    expected = SHAPE.layers * activations.layer_bytes(SHAPE, value, gpu=False) * tokens
    assert layers == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("value", [2, 4])
def test_checkpointing_keeps_the_input_of_each_layer(value: int) -> None:
    rows = batch()
    tokens, sampled = rows.ids.numel(), len(rows.targets)
    ends = (4 + value) * SHAPE.hidden * tokens  # the last norm
    ends += sampled * (4 * SHAPE.vocabulary + value * SHAPE.hidden)
    layers = saved_bytes(model(value, True), rows) - ends
    assert layers == pytest.approx(SHAPE.layers * value * SHAPE.hidden * tokens, rel=0.02)


def peak(work: Callable[[], None]) -> int:
    """Bytes that ``work`` holds at most beside what was there."""
    work()  # what is made once is made here
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        work()
    held = most = 0
    for event in profiler.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    return most


@pytest.mark.parametrize("checkpointing", [True, False])
def test_the_peak_of_a_pass_is_near_the_formula(checkpointing: bool) -> None:
    rows, actor = batch(), model(4, checkpointing)
    for parameter in actor.parameters():
        parameter.grad = torch.zeros_like(parameter)
    measured = peak(lambda: actor(rows, 1.0, False).logprobs.sum().backward())
    tokens = rows.ids.numel()
    expected = activations.activation_bytes(SHAPE, tokens, 4, checkpointing, gpu=False)
    assert 0.8 < measured / expected < 1.1


@pytest.mark.parametrize("entropy", [True, False])
@pytest.mark.parametrize("chunk", [10, 10**6], ids=["in chunks", "at once"])
def test_the_peak_of_scoring_is_near_the_formula(
    entropy: bool, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = ModelShape(1, 16, 1, 1, 16, 20_000, True)
    config = Qwen2Config(
        vocab_size=shape.vocabulary, hidden_size=16, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=1, num_key_value_heads=1, tie_word_embeddings=True, use_cache=False,
    )  # fmt: skip
    actor = forward.Actor(Qwen2ForCausalLM(config).train())
    for module in (forward, activations):
        monkeypatch.setattr(module, "CHUNK", chunk * shape.vocabulary)
    rows = batch()
    for parameter in actor.parameters():
        parameter.grad = torch.zeros_like(parameter)

    def both() -> None:
        scored = actor(rows, 1.0, entropy)
        (scored.logprobs.sum() + (scored.entropy.sum() if entropy else 0)).backward()

    expected = activations.logit_bytes(shape, len(rows.targets), 4, entropy)
    measured = peak(both)
    assert 0.7 < measured / expected < 1.1
