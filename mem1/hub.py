"""Checkpoints of the Hugging Face Hub, at a pinned commit."""

from collections.abc import Sequence
from pathlib import Path

from mem1.errors import InputError


def snapshot(name: str, revision: str, patterns: Sequence[str], where: str) -> Path:
    """The folder with the files of ``name`` that match ``patterns``, downloaded once.

    Args:
        name: of the repository on the Hub.
        revision: the commit.
        patterns: as of file names in a shell.
        where: the setting that names it, for messages.

    Raises:
        InputError: it cannot be had.
    """
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(patterns)))
    except (OSError, ValueError) as error:  # all that the library raises for names and networks
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"{where}: {name} at {revision[:12]} could not be had from the Hub ({first}): correct "
            f"name and revision, or name a folder that holds it."
        ) from error
