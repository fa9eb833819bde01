"""Digests, and files that appear under their final name only when they are whole."""

import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mem1.errors import InputError

LEAST_FREE = 2**16  # bytes: a disk with less is full
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def text_digest(text: str) -> str:
    """sha256 of ``text`` in UTF-8, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def json_digest(value: Any) -> str:
    """sha256 of ``value`` as canonical JSON (sorted keys, no spaces)."""
    return text_digest(json.dumps(value, sort_keys=True, separators=(",", ":")))


def file_digest(path: Path) -> str:
    """sha256 of the bytes of ``path``."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_digests(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """sha256 of each of ``names`` in ``folder``, or the word missing."""
    return {
        name: file_digest(folder / name) if (folder / name).is_file() else "missing"
        for name in names
    }


def tree_digest(folder: Path) -> str:
    """sha256 over the relative names and digests of the files below ``folder``.

    What decides nothing is left out: a README.md, and all that is hidden, such as what a program
    that fetches models notes down.
    """
    names = sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    deciding = [
        name
        for name in names
        if name.name != "README.md" and not any(part.startswith(".") for part in name.parts)
    ]
    return json_digest([[name.as_posix(), file_digest(folder / name)] for name in deciding])


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary sibling of ``path``; rename it to ``path`` when the block succeeds.

    Works for a file and for a folder (which replaces an older folder). When the block
    fails, nothing under the final name has changed and the temporary is removed.

    Raises:
        InputError: the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    try:
        yield temporary
        if temporary.is_file():
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
        elif path.is_dir():
            shutil.rmtree(path)
        os.replace(temporary, path)
    except Exception as error:
        if _disk_is_full(error, path.parent):
            raise InputError(
                f"The disk is full: {path} was not written. Free some space and run again."
            ) from error
        raise
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary)
        else:
            temporary.unlink(missing_ok=True)


def _disk_is_full(error: Exception, folder: Path) -> bool:
    """Whether ``error`` came from a disk without room, that of ``folder``.

    Libraries that write outside Python raise errors of their own: that of safetensors has the
    system's words, that of torch says nothing, so that the disk itself is asked, before the
    half-written file is removed.
    """
    if isinstance(error, OSError):
        return error.errno == errno.ENOSPC
    words = os.strerror(errno.ENOSPC)
    return words in str(error) or shutil.disk_usage(folder).free < LEAST_FREE


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Be the only process that writes ``path``, by a lock on a hidden file beside it.

    Raises:
        InputError: another process is at it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_name(f".{path.name}.lock"), "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                f"Another process is writing {path}: wait for it, or name another output."
            ) from error
        yield


def check_replaceable(folder: Path, known: Iterable[str]) -> None:
    """Refuse to replace a folder that holds anything but files named in ``known``.

    ``replacing`` removes an older folder, and a mistyped output path must not cost one.

    Raises:
        InputError: naming the first entry that does not belong.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: name a folder to write to.")
    allowed = {*known, ".snakemake_timestamp"}  # Snakemake's mark in folders that are outputs
    foreign = sorted({p.name for p in folder.iterdir()} - allowed) if folder.is_dir() else []
    if foreign:
        raise InputError(
            f"{folder} holds {foreign[0]!r}, which this command did not write: name another "
            f"output folder, or empty it first."
        )


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` in UTF-8, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON with sorted keys, whole or not at all."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def parse_json(text: str) -> Any:
    """The JSON value in ``text``.

    Raises:
        ValueError: it is no JSON, or holds what cannot be written again: half of a surrogate pair.
    """
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if _SURROGATE.search(text):
        json.dumps(value, ensure_ascii=False).encode()
    return value


def read_json(path: Path) -> Any:
    """The JSON value in ``path``.

    Raises:
        InputError: the file is missing or is no JSON.
    """
    try:
        return parse_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist: make it first, or correct the path.") from error
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON ({error}): correct or rebuild it.") from error


def check_digests(expected: dict[str, str], actual: dict[str, str], what: str) -> None:
    """Compare two maps of name to digest.

    Raises:
        InputError: naming the first entry that differs.
    """
    for name in sorted(expected.keys() | actual.keys()):
        if expected.get(name) != actual.get(name):
            raise InputError(
                f"{what}: {name} has changed since it was made (recorded "
                f"{str(expected.get(name))[:12]}, found {str(actual.get(name))[:12]}); rebuild it."
            )
