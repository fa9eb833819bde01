"""Checkpoints of a training: atomic, digested, the newest two kept, one writer at a time.

The folder is not an output of the workflow, which would delete it when a job fails.
Nothing random has to be kept beside the step: all streams are named by seed and step. The
state of torch's generator on the CPU is kept all the same, for models with dropout.

Of several processes each writes its own part, a file; then the first one writes the manifest,
which names all parts by digest. A folder that is used by several nodes lies on a file system
that they share. What is wrong with a checkpoint is told to all before any of them reads it, so
that all go on from the same one. How parts become those of another number of processes is
known to what is trained (``train.shards``).
"""

import fcntl
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mem1.errors import InputError
from mem1.provenance import file_digest, read_json, replacing, write_json
from mem1.train.processes import ALONE, Processes

KEPT = 2


@dataclass(frozen=True)
class Manifest:
    """What a checkpoint is made of."""

    parts: dict[str, str]  # sha256 of each file, by name; in the order of processes
    identity: dict[str, str]


def part_names(step: int, count: int) -> list[str]:
    """The files of the checkpoint after ``step`` steps of ``count`` processes, by rank."""
    stem = f"step-{step:06d}"
    if count == 1:
        return [f"{stem}.pt"]
    return [f"{stem}-{rank + 1}of{count}.pt" for rank in range(count)]


def read_manifest(path: Path, step: int) -> Manifest | None:
    """The manifest in ``path``; None if it is damaged, or that of an older version of the code."""
    try:
        found = read_json(path)
        parts, identity = found["parts"], dict(found["identity"])
        return Manifest({name: parts[name] for name in part_names(step, len(parts))}, identity)
    except (InputError, KeyError, TypeError, ValueError):
        return None


class Checkpoints:
    """The checkpoints of one run.

    ``identity`` names what the run is made of (configuration, input, code), by digest. A
    checkpoint of another identity is refused, but for the parts in ``accepted``.
    """

    def __init__(
        self,
        folder: Path,
        identity: dict[str, str],
        accepted: Sequence[str] = (),
        processes: Processes = ALONE,
    ) -> None:
        self.folder = folder
        self._identity = identity
        self.accepted = accepted
        self._processes = processes

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder, if first: two trainings must not write the same checkpoints.

        Raises:
            InputError: another process holds it.
        """
        if not self._processes.first:
            yield
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / "lock", "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise InputError(
                    f"{self.folder} is in use by another training: wait for it or end it."
                ) from error
            yield

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Keep ``state``, this process's part, after ``step`` steps; all processes call it.

        The manifest is written when all parts are on disk. No process goes on, or ends,
        before it is there.

        Raises:
            InputError: the disk is full.
        """
        processes = self._processes
        names = part_names(step, processes.count)
        path = self.folder / names[processes.rank]
        with replacing(path) as temporary:
            torch.save({**state, "torch_rng": torch.get_rng_state()}, temporary)
        digests = processes.gather(file_digest(path))
        if processes.first:
            parts = dict(zip(names, digests, strict=True))
            manifest = {"step": step, "parts": parts, "identity": self._identity}
            write_json(self._path(step), manifest)
            self._tidy()
        processes.wait()

    def latest(self) -> tuple[int, list[dict[str, Any]]] | None:
        """The newest whole one as (step, state of each process that saved), or None before it.

        All processes call it, and get the same one. Tensors are read when they are used. It
        sets torch's generator. From a checkpoint before a damaged one, a training goes on to
        the same end.

        Raises:
            InputError: none can be used, or it belongs to another configuration, start or data.
        """
        rank = self._processes.rank
        steps = self._processes.gather(self._steps())[0]
        for step in reversed(steps):
            manifest = self._processes.gather(read_manifest(self._path(step), step))[0]
            if manifest is None:
                self._pass_over(self._path(step), "damaged, or of an older version")
                continue
            self._refuse_others(step, manifest)
            fault = self._fault(manifest)
            if fault is not None:
                self._pass_over(self.folder / fault, "damaged")
                continue
            states = [
                torch.load(self.folder / name, map_location="cpu", weights_only=True, mmap=True)
                for name in manifest.parts
            ]
            generators = [state.pop("torch_rng") for state in states]
            torch.set_rng_state(generators[rank if rank < len(generators) else 0])
            return step, states
        if steps:
            raise InputError(
                f"All checkpoints in {self.folder} are damaged, or of an older version: remove "
                f"that folder to start from the beginning."
            )
        return None

    def _pass_over(self, path: Path, why: str) -> None:
        if self._processes.first:
            print(f"{path} is {why}, and not used.", file=sys.stderr)

    def _refuse_others(self, step: int, manifest: Manifest) -> None:
        """Refuse the checkpoint of another training.

        Raises:
            InputError: it is one.
        """
        found = manifest.identity
        for name in sorted(found.keys() | self._identity.keys()):
            if found.get(name) != self._identity.get(name) and name not in self.accepted:
                raise InputError(
                    f"{self._path(step)} belongs to a training with another {name}: restore that, "
                    f"remove the folder {self.folder} to start from the beginning, or go on all "
                    f"the same with --accept {name} (MEM1_ACCEPT={name} in the workflow)."
                )

    def _fault(self, manifest: Manifest) -> str | None:
        """The first part that is not what was saved, for any process; None if all are.

        Each process looks whether all are there, and digests its own; where there were more
        or fewer processes they are shared out.
        """
        processes, wrong = self._processes, []
        for place, (name, expected) in enumerate(manifest.parts.items()):
            path, mine = self.folder / name, place % processes.count == processes.rank
            if not path.is_file() or (mine and file_digest(path) != expected):
                wrong.append(name)
        return next((name for found in processes.gather(wrong) for name in found), None)

    def _tidy(self) -> None:
        """Remove all but the newest checkpoints, and what a save that was killed left over."""
        steps = self._steps()
        for old in steps[:-KEPT]:
            self._path(old).unlink()
        manifests = [read_manifest(self._path(step), step) for step in steps[-KEPT:]]
        named = {name for one in manifests if one is not None for name in one.parts}
        for path in self.folder.glob("step-*.pt"):
            if path.name not in named:
                path.unlink(missing_ok=True)
        for path in self.folder.glob(".step-*.tmp-*"):
            path.unlink(missing_ok=True)

    def _path(self, step: int) -> Path:
        return self.folder / f"step-{step:06d}.json"

    def _steps(self) -> list[int]:
        return sorted(int(path.stem.split("-")[1]) for path in self.folder.glob("step-*.json"))
