"""Checkpoints and tokenizers that others made: a folder, or a pinned commit of the Hub."""

from pathlib import Path

from mem1.agent import chat, text
from mem1.config_systems import UNVERIFIED
from mem1.errors import InputError
from mem1.hub import snapshot

TOKENIZER = (*text.FILES, chat.FILE)
MODEL = (
    *("config.json", "generation_config.json", "*.safetensors", "*.safetensors.index.json"),
    *TOKENIZER,
)


def locate(name: str, revision: str | None, files: tuple[str, ...], where: str) -> Path:
    """The folder of the checkpoint ``name``; one of the Hub is downloaded once.

    Args:
        name: a folder, or with ``revision`` a name on the Hub.
        revision: the commit, or the word ``unverified``.
        files: patterns of the files that are needed.
        where: the setting that names it, for messages.

    Raises:
        InputError: nobody has looked up the commit, or there is no such checkpoint.
    """
    if revision == UNVERIFIED:
        raise InputError(
            f"{where}: the commit of {name} is unverified: look it up at "
            f"https://huggingface.co/{name}/commits/main and write it as revision."
        )
    folder = Path(name) if revision is None else snapshot(name, revision, files, where)
    if not folder.is_dir():
        raise InputError(
            f"{where}: {name} is no folder: correct it, or give the revision of a name on the Hub."
        )
    return folder
