"""The paper's row: the log-probabilities of its own mask, and how far they are from exact."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import Qwen2ForCausalLM

from mem1.errors import InputError
from mem1.train import attention, flex
from mem1.train.batch import collate
from mem1.train.forward import sampled_logprobs
from mem1.train.stitched import stitch
from mem1.train.tree import Tree, View, join, pack
from tests.parity.test_flex import pairs
from tests.parity.test_tree_attention import (
    VOCABULARY,
    gradients,
    largest_gap,
    tiny_model,
    views_alone,
)

seeds = st.integers(0, 2**31)


def random_views(seed: int, turns: int | None = None, longest: int = 9) -> list[View]:
    """One trajectory of policy mem1 with pieces of random lengths."""
    rng = np.random.default_rng(seed)

    def draw() -> list[int]:
        return rng.integers(0, VOCABULARY, int(rng.integers(1, longest + 1))).tolist()

    context, views = draw(), []
    prompt = context
    for t in range(turns or int(rng.integers(1, 6))):
        output = draw()
        views.append(View(context, output, 0, t))
        context = [*prompt, *output, *draw()]
    return views


def naive(model: Qwen2ForCausalLM, views: list[View], restarted: bool) -> Tensor:
    """[A] the paper's row through the untouched model, every pair of tokens looked at."""
    prompt = views[0].context
    tokens = [(token, "q", 0, place) for place, token in enumerate(prompt)]
    for t, view in enumerate(views):
        came = len(views[t - 1].output) + len(prompt) if t else len(prompt)
        row = [("i", t - 1)] * (len(view.context) - came) + [("g", t)] * len(view.output)
        for place, (kind, turn) in enumerate(row, start=came):
            tokens.append(([*view.context, *view.output][place], kind, turn, place))

    def sees(i: int, j: int) -> bool:
        (_, kind, turn, _), (_, other, then, _) = tokens[i], tokens[j]
        if other == "q" or (kind, turn) == (other, then):
            return j <= i
        if kind == "i":  # the output it answers
            return (other, then) == ("g", turn)
        return kind == "g" and then == turn - 1  # the output and the info before it

    size = range(len(tokens))
    ids = torch.tensor([[token[0] for token in tokens]])
    positions = torch.tensor([[token[3] if restarted else row for row, token in enumerate(tokens)]])
    shown = torch.tensor([[sees(i, j) for j in size] for i in size])[None, None]
    logits = model(input_ids=ids, attention_mask=shown, position_ids=positions).logits[0]
    logs = torch.log_softmax(logits, -1)
    return torch.stack([logs[i - 1, ids[0, i]] for i in size if tokens[i][1] == "g"])


def through(model: Qwen2ForCausalLM, row: Tree, backend: str = "dense") -> Tensor:
    """[A] with the rule of the tree."""
    return sampled_logprobs(model, collate([row], pad_id=0), backend=backend).logprobs


@pytest.mark.parametrize("restarted", [False, True])
@settings(max_examples=8, deadline=None)
@given(seed=seeds)
def test_it_has_the_values_and_gradients_of_the_papers_mask(restarted: bool, seed: int) -> None:
    model = tiny_model(dtype=torch.float64)
    alone = copy.deepcopy(model)
    views = random_views(seed)
    expected = naive(alone, views, restarted)
    found = through(model, stitch(views, restarted))
    # transformers rotates and normalizes in fp32 in an fp64 model too, so some rounding stays
    assert float((found - expected).detach().abs().max()) < 2e-6
    want, got = gradients(alone, expected), gradients(model, found)
    assert largest_gap(got, want) < 2e-6 * max(float(g.abs().max()) for g in want)


@pytest.mark.parametrize("restarted", [False, True])
@settings(max_examples=8, deadline=None)
@given(seed=seeds)
def test_turns_1_and_2_are_exact(restarted: bool, seed: int) -> None:
    model = tiny_model()
    alone = copy.deepcopy(model)
    views = random_views(seed, turns=4)
    batch = collate([stitch(views, restarted)], pad_id=0)
    early = batch.turn < 2
    expected = views_alone(alone, views, batch)[early]
    found = sampled_logprobs(model, batch, backend="dense").logprobs[early]
    assert float((found - expected).detach().abs().max()) < 1e-5
    want, got = gradients(alone, expected), gradients(model, found)
    assert largest_gap(got, want) < 1e-5 * max(float(g.abs().max()) for g in want)


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("turn", [2, 3])
def test_later_turns_are_not_exact(restarted: bool, turn: int) -> None:
    model = tiny_model()
    gaps = []
    for seed in range(20):
        views = random_views(seed, turns=4)
        row, tree = stitch(views, restarted), pack(views)
        gap = (through(model, row) - through(model, tree)).detach().abs()
        gaps.append(gap[torch.from_numpy(row.turn == turn)])
    assert float(torch.cat(gaps).mean()) > 0.02
    assert min(float(gap.max()) for gap in gaps) > 1e-3


def test_the_gradients_of_later_turns_are_not_exact() -> None:
    model = tiny_model()
    views = random_views(0, turns=4)
    want = gradients(model, through(model, pack(views)))
    for restarted in (False, True):
        got = gradients(model, through(model, stitch(views, restarted)))
        assert largest_gap(got, want) > 0.01 * max(float(g.abs().max()) for g in want)


@settings(max_examples=30, deadline=None)
@given(seed=seeds, block=st.sampled_from([4, 16, 32]))
def test_block_mask_shows_what_the_dense_mask_shows(seed: int, block: int) -> None:
    rows = [[stitch(random_views(seed + n), False) for n in range(count)] for count in (1, 3)]
    end = collate(rows, pad_id=0).subtree_end
    mask = flex.block_mask(end, block)
    assert torch.equal(pairs(mask, end.shape[1]), attention.dense_mask(end)[:, 0])


@settings(max_examples=6, deadline=None)
@given(seed=seeds)
@pytest.mark.parametrize("longest", [9, 90])
def test_fused_forward_agrees_with_the_dense_backend(longest: int, seed: int) -> None:
    model = tiny_model()
    row = stitch(random_views(seed, turns=4, longest=longest), restarted=True)
    with torch.no_grad():
        gap = through(model, row, "flex") - through(model, row, "dense")
    assert float(gap.abs().max()) < 1e-5


@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_several_rows_joined_are_as_each_alone(seed: int) -> None:
    model = tiny_model()
    rows = [stitch(random_views(seed + n), restarted=False) for n in range(3)]
    with torch.no_grad():
        alone = torch.cat([through(model, row) for row in rows])
        assert float((through(model, join(rows)) - alone).abs().max()) < 1e-5


@settings(max_examples=20, deadline=None)
@given(seed=seeds, turns=st.integers(3, 5))
def test_branches_refuse_it(seed: int, turns: int) -> None:
    row = stitch(random_views(seed, turns), restarted=False)
    packed = collate([pack(random_views(seed, 4)), [pack(random_views(seed, 3)), row]], pad_id=0)
    with pytest.raises(InputError, match="'branches' runs trees, and this row is none"):
        attention.plan(packed.subtree_end, "branches")
