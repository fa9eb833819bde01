"""The fused kernel on a GPU: values and gradients of the dense reference."""

import numpy as np
import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from mem1.train.batch import PackedBatch, collate
from mem1.train.forward import sampled_logprobs
from mem1.train.tree import pack
from tests.parity.test_tree_attention import VOCABULARY, group_views

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


def model(dtype: torch.dtype) -> Qwen2ForCausalLM:
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=VOCABULARY, hidden_size=128, intermediate_size=256, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, initializer_range=0.1,
        max_position_embeddings=4096, tie_word_embeddings=True,
    )  # fmt: skip
    return Qwen2ForCausalLM(config).to("cuda", dtype)


def batch(policy: str) -> PackedBatch:
    """Two rows of other lengths, long enough for whole blocks that skip each other."""
    rng = np.random.default_rng(0)
    rows = [[pack(group_views(rng, policy, 6, 6 * i, longest=150))] for i in range(2)]
    return collate(rows, 0).to("cuda")


def learn(
    dtype: torch.dtype, policy: str, backend: str, checkpointing: bool
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    made = model(dtype)
    if checkpointing:
        made.gradient_checkpointing_enable({"use_reentrant": False})
        made.train()
    logprobs = sampled_logprobs(made, batch(policy), backend=backend).logprobs
    weights = torch.linspace(-1, 1, len(logprobs), device="cuda")
    (weights * logprobs).sum().backward()
    return logprobs.detach(), [p.grad for p in made.parameters() if p.grad is not None]


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("policy", ["mem1", "full"])
def test_values_and_gradients_equal_the_dense_ones(policy: str, checkpointing: bool) -> None:
    torch.backends.cuda.matmul.allow_tf32 = False
    values, gradients = learn(torch.float32, policy, "flex", checkpointing)
    expected, dense = learn(torch.float32, policy, "dense", False)

    torch.testing.assert_close(values, expected, atol=2e-3, rtol=0)
    for ours, theirs in zip(gradients, dense, strict=True):
        assert float((ours - theirs).norm() / theirs.norm()) < 1e-2


@pytest.mark.parametrize("policy", ["mem1", "full"])
def test_in_bf16_it_is_as_close_to_the_truth_as_the_dense_one(policy: str) -> None:
    truth, _ = learn(torch.float32, policy, "dense", False)
    dense, _ = learn(torch.bfloat16, policy, "dense", False)
    fused, _ = learn(torch.bfloat16, policy, "flex", True)

    assert float((fused - truth).abs().mean()) < 1.5 * float((dense - truth).abs().mean())
