"""Encoders for tests: one with random weights, and one that needs no model at all."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from mem1.config_retrieval import Encoder

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "query", "passage", ":", "glass", "city", "york"]
WORDS += [f"word{i}" for i in range(200)]


def save_random(folder: Path, seed: int = 0) -> Path:
    """A BERT of two layers with random weights, and its tokenizer, saved as checkpoints are."""
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]"
    )
    wrapped.save_pretrained(folder)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        initializer_range=0.5,  # far apart, so that texts differ
    )
    BertModel(config).save_pretrained(folder)
    return folder


def settings_of(folder: Path, **changes: Any) -> Encoder:
    """The section of the random encoder in ``folder``."""
    values: dict[str, Any] = {
        "model": str(folder),
        "revision": None,
        "pooling": "mean",
        "query_prefix": "query: ",
        "passage_prefix": "passage: ",
        "max_tokens": 32,
        "batch": 4,
    }
    return Encoder(**values | changes)


class HashEncoder:
    """A text's vector is drawn with its digest as the seed: no model, and no two texts alike."""

    def __init__(self, name: str = "hash", width: int = 16) -> None:
        self.fingerprint: dict[str, Any] = {"files": {"name": name}, "pooling": "mean"}
        self.width = width
        self.calls: list[int] = []

    def passages(self, texts: Sequence[str]) -> np.ndarray:
        self.calls.append(len(texts))
        rows = [self._vector(text) for text in texts]
        return np.stack(rows).astype(np.float32)

    def queries(self, texts: Sequence[str]) -> np.ndarray:
        return self.passages(texts)

    def _vector(self, text: str) -> np.ndarray:
        # Passages are "title\ntext": a query that is a passage's text finds that passage.
        seed = int.from_bytes(text.split("\n")[-1].encode()[-6:], "big")
        vector = np.random.default_rng(seed).normal(size=self.width)
        return vector / np.linalg.norm(vector)
