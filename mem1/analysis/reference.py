"""A committed run of a preset: which files are kept, and what the run was made with.

The committed folder is flat; its ``reference.json`` says where each file was, its digest, and
what made it: commit, machine, versions of libraries, digests of settings, code and inputs.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from mem1.config_learning import Section
from mem1.errors import InputError
from mem1.made import here, without
from mem1.provenance import file_digest, json_digest, read_json

MANIFEST = "reference.json"
KEPT = {  # folder of the results -> files of it that are kept
    "tables": ("*.csv", "*.md", "*.tex"),
    "figures": ("*.csv", "*.md", "*.png", "*.svg"),
    ".": ("claims.md", "claims.json"),
}
STATE = ("checkpoints", "cache", "tracking")  # folders without results


class Kept(Section):
    """One file of a reference."""

    source: str = Field(description="where it was, relative to the results of the preset")
    sha256: str


class Made(Section):
    """What a run was made with."""

    commit: str = Field(description="of the repository; -dirty with changes, or unknown")
    machine: str = Field(description="operating system and processor")
    versions: dict[str, str] = Field(description="of Python and of libraries")
    configuration: dict[str, str] = Field(description="stage to digest of its frozen section")


class Reference(Section):
    """``reference.json``."""

    version: Literal[1] = 1
    preset: str
    made: Made
    commands: dict[str, dict[str, Any]] = Field(
        description="manifest to what it says: digests of code, settings, inputs and outputs"
    )
    files: dict[str, Kept]


def made(results: Path) -> Made:
    """What the run below ``results`` was made with, as far as it can be told now."""
    stages = sorted((results / "config").glob("*.json"))
    return Made(
        **here(),
        configuration={path.stem: json_digest(read_json(path)) for path in stages},
    )


def kept_files(results: Path) -> Iterator[tuple[str, Path]]:
    """Name in the reference and place of every file that is kept.

    Raises:
        InputError: there are no tables, figures or claims, or two files would have one name.
    """
    seen: dict[str, Path] = {}
    for folder, patterns in KEPT.items():
        paths = sorted(p for pattern in patterns for p in (results / folder).glob(pattern))
        if not paths:
            raise InputError(f"{results / folder} holds nothing to keep: run the workflow first.")
        named = {path.name: path for path in paths}
        for name, path in named.items():
            if name in seen and file_digest(seen[name]) != file_digest(path):
                raise InputError(f"{seen[name]} and {path} differ: a reference has one {name}.")
            if name not in seen:
                yield name, path
        seen |= named
    for path in sorted(results.glob("train/*/metrics.jsonl")):
        yield f"{path.parent.name}.jsonl", path


def manifests(results: Path) -> list[Path]:
    """All manifests of the run below ``results``."""
    found = results.rglob("*manifest.json")
    return sorted(p for p in found if p.relative_to(results).parts[0] not in STATE)


def describe(results: Path, preset: str) -> Reference:
    """The manifest of what is kept of the run below ``results``.

    Raises:
        InputError: see ``kept_files``.
    """
    return Reference(
        preset=preset,
        made=made(results),
        commands={
            path.relative_to(results).as_posix(): without(read_json(path))
            for path in manifests(results)
        },
        files={
            name: Kept(source=path.relative_to(results).as_posix(), sha256=file_digest(path))
            for name, path in kept_files(results)
        },
    )


def read(folder: Path) -> Reference:
    """The manifest of the reference in ``folder``.

    Raises:
        InputError: missing or malformed.
    """
    path = folder / MANIFEST
    try:
        return Reference.model_validate(read_json(path))
    except ValidationError as error:
        raise InputError(f"{path} is no manifest of a reference: make it again.") from error


def load(folder: Path) -> Reference:
    """``read``, after comparing the files in ``folder`` with it.

    Raises:
        InputError: missing or malformed, or a file is not the one that was kept.
    """
    reference = read(folder)
    for name, kept in reference.files.items():
        if not (folder / name).is_file() or file_digest(folder / name) != kept.sha256:
            raise InputError(
                f"{folder / name} is not what {MANIFEST} records: restore both from the repository."
            )
    return reference


def differences(reference: Made, new: Made) -> list[str]:
    """What the two runs were made with that is not the same, in sentences."""
    out = []
    if reference.commit != new.commit:
        out.append(f"Commit: {reference.commit[:12]} then, {new.commit[:12]} now.")
    if reference.machine != new.machine:
        out.append(f"Machine: {reference.machine} then, {new.machine} now.")
    for name in sorted(reference.versions.keys() | new.versions.keys()):
        then, now = (made.versions.get(name, "none") for made in (reference, new))
        if then != now:
            out.append(f"{name}: {then} then, {now} now.")
    stages = reference.configuration.keys() | new.configuration.keys()
    changed = [
        stage
        for stage in sorted(stages)
        if reference.configuration.get(stage) != new.configuration.get(stage)
    ]
    if changed:
        out.append(f"Configuration: other settings of {', '.join(changed)}.")
    return out


def to_json(reference: Reference) -> str:
    """``reference.json``."""
    return json.dumps(reference.model_dump(mode="json"), indent=1, sort_keys=True) + "\n"
