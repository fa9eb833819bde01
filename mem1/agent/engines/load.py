"""Engines from files."""

from pathlib import Path

from safetensors import SafetensorError
from transformers import AutoModelForCausalLM

from mem1.agent.engines.hf import HFEngine
from mem1.agent.text import Codec
from mem1.errors import InputError


def load_hf(folder: Path, codec: Codec, max_rows: int) -> HFEngine:
    """An engine with the model in ``folder``, in float32, ``max_rows`` contexts at a time.

    Raises:
        InputError: the folder holds no whole model, or the model does not fit the tokenizer.
    """
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder} holds no model (config.json is missing): train it first.")
    try:
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype="float32", attn_implementation="sdpa", local_files_only=True
        )
    except (OSError, SafetensorError) as error:
        raise InputError(f"{folder} holds no whole model ({error}): train it again.") from error
    return HFEngine(model, codec, max_rows=max_rows)
