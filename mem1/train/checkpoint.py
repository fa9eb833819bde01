"""Checkpoints of a training: atomic, digested, the newest two kept, one writer at a time.

The folder is not an output of the workflow, which would delete it when a job fails.
Nothing random has to be kept beside the step: all streams are named by seed and step. The
state of torch's generator is kept all the same, for models with dropout.
"""

import fcntl
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from mem1.errors import InputError
from mem1.provenance import file_digest, read_json, replacing, write_json

KEPT = 2


class Checkpoints:
    """The checkpoints of one run.

    ``identity`` names what the run is made of (configuration, start, data), by digest. A
    checkpoint of another identity is refused.
    """

    def __init__(self, folder: Path, identity: dict[str, str]) -> None:
        self.folder = folder
        self._identity = identity

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder: two trainings must not write the same checkpoints.

        Raises:
            InputError: another process holds it.
        """
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
        """Keep ``state`` after ``step`` steps; the manifest is written last."""
        path = self._path(step)
        state = {**state, "torch_rng": torch.get_rng_state()}
        with replacing(path) as temporary:
            torch.save(state, temporary)
        manifest = {"step": step, "sha256": file_digest(path), "identity": self._identity}
        write_json(path.with_suffix(".json"), manifest)
        for old in self._steps()[:-KEPT]:
            self._path(old).with_suffix(".json").unlink()
            self._path(old).unlink(missing_ok=True)

    def latest(self) -> tuple[int, dict[str, Any]] | None:
        """The newest (step, state), or None before the first; sets torch's generator.

        Raises:
            InputError: it is damaged, or belongs to another configuration, start or data.
        """
        steps = self._steps()
        if not steps:
            return None
        path = self._path(steps[-1])
        manifest = read_json(path.with_suffix(".json"))
        found = manifest["identity"]
        for name in sorted(found.keys() | self._identity.keys()):
            if found.get(name) != self._identity.get(name):
                raise InputError(
                    f"{path} belongs to a training with another {name}: restore that, or "
                    f"remove the folder {self.folder} to start from the beginning."
                )
        if not path.is_file() or file_digest(path) != manifest["sha256"]:
            raise InputError(
                f"{path} is damaged: remove it and {path.with_suffix('.json').name} to go on "
                f"from the checkpoint before."
            )
        state = torch.load(io.BytesIO(path.read_bytes()), weights_only=True)
        torch.set_rng_state(state.pop("torch_rng"))
        return steps[-1], state

    def _path(self, step: int) -> Path:
        return self.folder / f"step-{step:06d}.pt"

    def _steps(self) -> list[int]:
        return sorted(int(path.stem.split("-")[1]) for path in self.folder.glob("step-*.json"))
