"""Tiny random models."""

from collections.abc import Callable

import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from mem1.agent.text import Codec

MakeModel = Callable[..., Qwen2ForCausalLM]


@pytest.fixture(scope="session")
def tiny() -> MakeModel:
    """Makes models of two layers, with weights large enough to make positions and masks matter."""

    def make(codec: Codec, kv_heads: int = 2) -> Qwen2ForCausalLM:
        torch.manual_seed(0)
        config = Qwen2Config(
            vocab_size=codec.size,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=kv_heads,
            max_position_embeddings=256,
            tie_word_embeddings=True,
            initializer_range=0.2,
            eos_token_id=codec.eos,
            pad_token_id=0,
            bos_token_id=None,
        )
        return Qwen2ForCausalLM(config).eval()

    return make


@pytest.fixture
def model(tiny: MakeModel, words: Codec) -> Qwen2ForCausalLM:
    return tiny(words)
