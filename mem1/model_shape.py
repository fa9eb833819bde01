"""What the sizes of a model follow from: its shape, read or looked up, and parameters counted.

A shape comes from ``config.json`` in the folder of the model; where the folder is not there yet,
from the table of published shapes, by the name of the folder. Only Qwen2 is known, which is the
architecture of the paper's models and of those made here.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mem1.errors import InputError

KEYS = {  # fields of a shape in config.json
    "layers": "num_hidden_layers",
    "hidden": "hidden_size",
    "heads": "num_attention_heads",
    "kv_heads": "num_key_value_heads",
    "intermediate": "intermediate_size",
    "vocabulary": "vocab_size",
}


@dataclass(frozen=True)
class ModelShape:
    """The shape of a Qwen2 decoder. Widths are in values of one token."""

    layers: int
    hidden: int  # width of the residual stream
    heads: int
    kv_heads: int  # of keys and values
    intermediate: int  # width of the feed-forward layer
    vocabulary: int  # rows of the embedding
    tied: bool  # the head is the embedding

    @property
    def kv_width(self) -> int:
        """Width of the keys of a layer, and of its values."""
        return self.hidden // self.heads * self.kv_heads

    @property
    def embedding(self) -> int:
        """Parameters of the embedding, and of the head where it is not tied."""
        return self.vocabulary * self.hidden

    @property
    def layer(self) -> int:
        """Parameters of one layer: q and o, k and v, three biases, feed-forward, two norms."""
        attention = 2 * self.hidden**2 + 2 * self.hidden * self.kv_width
        biases = self.hidden + 2 * self.kv_width
        return attention + biases + 3 * self.hidden * self.intermediate + 2 * self.hidden

    @property
    def backbone(self) -> int:
        """Parameters without the head: those of a critic, but for its last 1 x hidden + 1."""
        return self.embedding + self.layers * self.layer + self.hidden

    @property
    def parameters(self) -> int:
        """All parameters."""
        return self.backbone + (0 if self.tied else self.embedding)


# Looked up: config.json of Qwen/<name> on the Hugging Face Hub.
PUBLISHED: dict[str, ModelShape] = {
    "Qwen2.5-0.5B": ModelShape(24, 896, 14, 2, 4864, 151_936, True),
    "Qwen2.5-1.5B": ModelShape(28, 1536, 12, 2, 8960, 151_936, True),
    "Qwen2.5-7B": ModelShape(28, 3584, 28, 4, 18_944, 152_064, False),
}


def shape_of(folder: Path) -> ModelShape | None:
    """The shape of the model in ``folder``, or of the published one that it is named after.

    None for another architecture than Qwen2, which can be trained too.

    Raises:
        InputError: the folder is not there and its name not known, or its ``config.json`` is
            damaged.
    """
    file = folder / "config.json"
    if file.is_file():
        return _read(file)
    shape = PUBLISHED.get(folder.name.removesuffix("-Instruct"))
    if shape is None:
        raise InputError(
            f"{file} does not exist, and {folder.name} is none of {', '.join(PUBLISHED)}: put the "
            f"model there, so that its size is known."
        )
    return shape


def _read(file: Path) -> ModelShape | None:
    try:
        return of_fields(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{file} does not describe a model ({type(error).__name__}: {error}): download it "
            f"again."
        ) from error


def of_fields(found: Mapping[str, Any]) -> ModelShape | None:
    """The shape in the fields of a ``config.json``; None for another architecture than Qwen2."""
    if found["model_type"] != "qwen2":
        return None
    fields = {name: int(found[key]) for name, key in KEYS.items()}
    return ModelShape(**fields, tied=bool(found.get("tie_word_embeddings", False)))
