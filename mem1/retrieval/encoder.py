"""Texts to vectors of length 1, with any sentence-transformers checkpoint.

Pooling is the mean of the last hidden states over the tokens of the text, or the first
token; the prefix of queries and that of passages differ (E5: ``query: `` and ``passage: ``,
arXiv 2212.03533). The library sentence-transformers is not used: its modules for these
checkpoints are the twenty lines here, and its pooling configuration is one of our settings.

Arithmetic is fp32 on every device. A vector depends on what it is padded to by about 1e-7.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging

from mem1 import config_retrieval, provenance
from mem1.errors import InputError
from mem1.retrieval import encoder_files


def pool(hidden: torch.Tensor, mask: torch.Tensor, pooling: str) -> torch.Tensor:
    """One vector of length 1 for each text, [B, D].

    Args:
        hidden: [B, T, D] last hidden states.
        mask: [B, T], 1 where there is a token of the text.
        pooling: mean, over the tokens that ``mask`` marks, or cls, the first one.
    """
    if pooling == "cls":
        pooled = hidden[:, 0]
    else:
        weights = mask[..., None].to(hidden.dtype)
        pooled = (hidden * weights).sum(1) / weights.sum(1).clamp(min=1)
    return torch.nn.functional.normalize(pooled, dim=-1)


class Encoder:
    """A loaded checkpoint. Runs on the GPU if there is one."""

    def __init__(self, settings: config_retrieval.Encoder) -> None:
        """Load the checkpoint that ``settings`` name.

        Raises:
            InputError: there is none, it is damaged, or its positions do not reach
                ``max_tokens``.
        """
        folder = encoder_files.locate(settings)
        self._settings = settings
        self.fingerprint = encoder_files.fingerprint(settings, folder)
        self.digest = provenance.json_digest(self.fingerprint)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        logging.disable_progress_bar()
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, padding_side="right")
            model = AutoModel.from_pretrained(folder, dtype=torch.float32, use_safetensors=True)
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            first = (str(error).splitlines() or [type(error).__name__])[0]
            raise InputError(
                f"The encoder {settings.model} cannot be loaded from {folder} ({first}): "
                f"restore it."
            ) from error
        self._model: Any = model.eval().to(self.device)
        self.width: int = model.config.hidden_size
        longest = getattr(model.config, "max_position_embeddings", settings.max_tokens)
        if settings.max_tokens > longest:
            raise InputError(
                f"encoder.max_tokens is {settings.max_tokens}, and {settings.model} has "
                f"{longest} positions: lower it."
            )

    def queries(self, texts: Sequence[str]) -> np.ndarray:
        """[B, D] float32 of the queries ``texts``, in their order."""
        return self._encode([self._settings.query_prefix + text for text in texts])

    def passages(self, texts: Sequence[str]) -> np.ndarray:
        """[B, D] float32 of the passages ``texts``, in their order."""
        return self._encode([self._settings.passage_prefix + text for text in texts])

    def _encode(self, texts: Sequence[str]) -> np.ndarray:
        """[B, D]. Texts of similar length go together, so that little is padded."""
        vectors = np.empty((len(texts), self.width), np.float32)
        order = sorted(range(len(texts)), key=lambda i: (-len(texts[i]), i))
        for start in range(0, len(order), self._settings.batch):
            rows = order[start : start + self._settings.batch]
            tokens = self._tokenizer(
                [texts[i] for i in rows],
                padding=True,
                truncation=True,
                max_length=self._settings.max_tokens,
                return_tensors="pt",
            ).to(self.device)
            with torch.inference_mode():
                hidden = self._model(**tokens).last_hidden_state
                pooled = pool(hidden, tokens["attention_mask"], self._settings.pooling)
            vectors[rows] = pooled.float().cpu().numpy()
        return vectors
