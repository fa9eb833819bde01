"""Models: made from nothing, saved with a digest, loaded only when the digest holds.

Any decoder of transformers works for training; what is made here has the architecture of the
paper's Qwen2.5, small. A folder holds ``config.json``, ``model.safetensors``, the tokenizer
and ``digest.json``.
"""

import shutil
from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, PreTrainedModel, Qwen2Config, Qwen2ForCausalLM

from mem1.agent.text import Codec, files, load_codec
from mem1.config import Model
from mem1.errors import InputError
from mem1.provenance import file_digest, read_json, replacing, write_json
from mem1.seeding import derive

WEIGHTS, DIGEST = "model.safetensors", "digest.json"


def new_model(settings: Model, vocabulary: int, seed: int) -> PreTrainedModel:
    """A Qwen2 decoder with random weights; the same seed gives the same bytes."""
    config = Qwen2Config(
        vocab_size=vocabulary,
        hidden_size=settings.hidden,
        intermediate_size=settings.intermediate,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.heads,
        max_position_embeddings=settings.max_position,
        tie_word_embeddings=True,
        initializer_range=0.04,  # 0.02 is meant for widths of thousands
        use_sliding_window=False,
        use_cache=True,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "weights"))
        return Qwen2ForCausalLM(config)


def save_model(model: PreTrainedModel, tokenizer: Path, folder: Path) -> None:
    """Write weights (fp32), shape, tokenizer and digest to ``folder``, whole or not at all."""
    with replacing(folder) as temporary:
        model.save_pretrained(temporary)
        for path in files(tokenizer):
            shutil.copyfile(path, temporary / path.name)
        write_json(temporary / DIGEST, {WEIGHTS: file_digest(temporary / WEIGHTS)})


def verify(folder: Path) -> None:
    """Refuse a model that was saved here and is not what it was; others have no digest.

    Raises:
        InputError: something is missing, or the weights are not those that were saved.
    """
    if not (folder / DIGEST).is_file():
        return
    expected = read_json(folder / DIGEST).get(WEIGHTS)
    if not (folder / WEIGHTS).is_file():
        raise InputError(f"{folder / WEIGHTS} does not exist: train or restore the model.")
    if file_digest(folder / WEIGHTS) != expected:
        raise InputError(
            f"{folder / WEIGHTS} is damaged (its digest is not the one in {DIGEST}): restore "
            f"the file or train the model again."
        )


def load_model(folder: Path) -> tuple[PreTrainedModel, Codec]:
    """The model and the tokenizer in ``folder``, in fp32.

    Raises:
        InputError: something is missing, or the weights are not those that were saved.
    """
    read_json(folder / DIGEST)
    verify(folder)
    model = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=torch.float32,
        local_files_only=True,
        use_safetensors=True,
        attn_implementation="sdpa",
    )
    codec = load_codec(folder)
    if codec.size > model.config.vocab_size:
        raise InputError(
            f"{folder}: the tokenizer has {codec.size} tokens and the model "
            f"{model.config.vocab_size}: they do not belong together."
        )
    return model, codec


def load_checkpoint(
    folder: Path, dtype: torch.dtype | None = None
) -> tuple[PreTrainedModel, Codec]:
    """The model in ``folder``, saved here or published by others, and its tokenizer.

    What was saved here is loaded as ``load_model`` does. A published checkpoint keeps its own
    type of weights unless ``dtype`` names one, and can have more rows than there are tokens.

    Raises:
        InputError: something is missing, damaged, or of an architecture that is not known.
    """
    if (folder / DIGEST).is_file():
        return load_model(folder)
    codec = load_codec(folder)
    try:
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype or "auto",
            local_files_only=True,
            use_safetensors=True,  # a pickle of somebody else is a program
            attn_implementation="sdpa",
        )
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"{folder} is no checkpoint that transformers can load ({first}): correct the path, or "
            f"download it again."
        ) from error
    return model, codec
