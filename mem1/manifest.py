"""Manifests: what made a result, and whether that is still what lies on the disk.

A manifest lies beside its result and is written last. Its keys: ``command``; ``config``,
the digest of the frozen section; ``code``, the digest of the command's sources; ``inputs``
and ``outputs``, digests by path (inputs relative to the working directory or to the folder of
local data, outputs relative to the manifest); and ``made``, the commit, versions and machine,
which no digest covers. A folder's digest covers all files in it but those that decide nothing
(``tree_digest``).
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mem1 import made
from mem1.dependencies import code_digest, is_command
from mem1.errors import InputError
from mem1.provenance import file_digest, json_digest, read_json, tree_digest

DATA = "$MEM1_SAMPLE_DATA"  # stands for the folder of local data, wherever that is
KEYS = frozenset({"command", "config", "code", "inputs", "outputs"})


def digest(path: Path) -> str:
    """sha256 of the file, or of all files in the folder, at ``path``.

    Raises:
        InputError: there is nothing at ``path``.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist: make it first, or correct the path.")
    return tree_digest(path) if path.is_dir() else file_digest(path)


def recorded_name(path: Path) -> str:
    """How a manifest names the input at ``path``: the same on every machine, where it can be."""
    data = os.environ.get(DATA[1:])
    if data and path.is_relative_to(data):
        return f"{DATA}/{path.relative_to(data).as_posix()}"
    return path.as_posix()


def located(name: str) -> Path | None:
    """Where the input ``name`` of a manifest lies; None if nobody says where the data are."""
    if not name.startswith(f"{DATA}/"):
        return Path(name)
    data = os.environ.get(DATA[1:])
    return Path(data, name.removeprefix(f"{DATA}/")) if data else None


def describe(
    command: str, config: Path | None, inputs: Iterable[Path], outputs: dict[str, Path]
) -> dict[str, Any]:
    """The manifest of a result.

    Args:
        command: the verb, as in ``python -m mem1.<verb>``.
        config: the frozen section it was given; its value counts, not its layout.
        inputs: files and folders it read, as paths that hold from the working directory.
        outputs: final name relative to the manifest -> where the file lies now (commands
            write under a temporary name first).

    Raises:
        InputError: one of the files does not exist.
    """
    return {
        "command": command,
        "config": json_digest(read_json(config)) if config else None,
        "code": code_digest(command),
        "inputs": {recorded_name(path): digest(path) for path in inputs},
        "outputs": {name: digest(path) for name, path in sorted(outputs.items())},
        made.KEY: made.here(),
    }


def verify(path: Path) -> dict[str, Any]:
    """Compare what the manifest at ``path`` records with what lies on the disk now.

    Returns:
        The manifest.

    Raises:
        InputError: it is no manifest, or naming the first thing that has changed.
    """
    manifest = read_json(path)
    if (
        not isinstance(manifest, dict)
        or not manifest.keys() >= KEYS
        or not isinstance(manifest["inputs"], dict)
        or not isinstance(manifest["outputs"], dict)
        or not is_command(manifest["command"])
    ):
        raise InputError(f"{path} is no manifest: remove it and make its result again.")
    again = f"restore it, or remove {path} to make the result again"
    if manifest["code"] != code_digest(manifest["command"]):
        raise InputError(
            f"{path}: the code of mem1.{manifest['command']} has changed since; {again}."
        )
    for name, recorded in manifest["inputs"].items():
        lies = located(name)
        if lies is None:
            raise InputError(f"{path} names {name}: set {DATA[1:]} to the folder of the data.")
        if digest(lies) != recorded:
            raise InputError(f"{path}: its input {name} has changed since; {again}.")
    for name, recorded in manifest["outputs"].items():
        if digest(path.parent / name) != recorded:
            raise InputError(f"{path.parent / name} is not what was made; {again}.")
    return manifest
