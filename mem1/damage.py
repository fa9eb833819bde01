"""Results that are no longer what was made: found by their manifests before a run, and put aside.

A file that was damaged keeps its name, so the workflow would go on from it. A manifest is written
last, so only what is newer than its manifest is looked at: that costs next to nothing, and misses
what changed without a new time stamp, which ``mem1.verify`` finds. Has no counterpart in the
paper.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mem1.manifest import digest

ASIDE = "damaged"  # folder below the results
SKIPPED = frozenset({ASIDE, "checkpoints", "logs", "benchmarks", "cache"})


@dataclass(frozen=True)
class Damage:
    """A result that is not what its manifest says, or a manifest that is none."""

    manifest: Path
    path: Path  # the first such file or folder; the manifest itself where that cannot be read


def find(results: Path) -> list[Damage]:
    """What is damaged, or missing, of what has a manifest below the results of a preset."""
    found = []
    for manifest in sorted(results.rglob("*manifest.json")):
        if SKIPPED.isdisjoint(manifest.relative_to(results).parts):
            path = _damaged(manifest)
            found += [Damage(manifest, path)] if path else []
    return found


def put_aside(results: Path, damage: Damage) -> Path:
    """Move all that the manifest of ``damage`` is about, and it too, to a folder of its own.

    Then the workflow makes it again, whatever part of it is asked for. It would make what lies
    beside a damaged file again in any case.

    Returns:
        The folder.
    """
    folder = results / ASIDE
    recorded = [path for path, _ in _recorded(damage.manifest, _read(damage.manifest))]
    for path in {*recorded, damage.manifest}:
        if path.exists():
            target = folder / path.resolve().relative_to(results.resolve())
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_dir():
                shutil.rmtree(target)
            path.replace(target)
    return folder


def _damaged(manifest: Path) -> Path | None:
    """The first result of ``manifest`` that is not what it says; itself if it says nothing."""
    values = _read(manifest)
    if values is None:
        return manifest
    written = manifest.stat().st_mtime_ns
    for path, expected in _recorded(manifest, values):
        if not path.exists() or (_changed(path) > written and digest(path) != expected):
            return path
    return None


def _read(manifest: Path) -> Any:
    """What a manifest says; None where that cannot be read."""
    try:
        return json.loads(manifest.read_text(encoding="utf-8"))
    except ValueError:
        return None


def _changed(path: Path) -> int:
    """When ``path``, or what is in it, was last written to: nanoseconds since 1970."""
    inside = path.rglob("*") if path.is_dir() else ()
    return max(each.stat().st_mtime_ns for each in (path, *inside))


def _recorded(manifest: Path, values: Any) -> Iterator[tuple[Path, str]]:
    """What a manifest says of which files: path and digest."""
    if not isinstance(values, dict):
        return
    for kind in ("outputs", "files"):
        recorded = values.get(kind)
        for name, expected in recorded.items() if isinstance(recorded, dict) else ():
            yield manifest.parent / name, expected
    for kind, suffix in (("panel", ".jsonl"), ("file", ".npy")):
        if kind in values:
            name = manifest.name.removesuffix(".manifest.json") + suffix
            yield manifest.with_name(name), values[kind]
