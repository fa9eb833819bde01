"""Checkpoints of a training: atomic, digested, the newest two kept, one writer at a time.

The folder is not an output of the workflow, which would delete it when a job fails.
Nothing random has to be kept beside the step: all streams are named by seed and step. The
state of torch's generator in each process is kept all the same, for models with dropout.

Of several processes all read and the first one writes. States hold whole tensors, so that
another number of processes can go on with them.
"""

import fcntl
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from mem1.errors import InputError
from mem1.provenance import file_digest, read_json, replacing, write_json
from mem1.train.processes import ALONE, Processes

KEPT = 2


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
        self._accepted = accepted
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
        """Keep ``state`` after ``step`` steps; the manifest is written last.

        All processes call it; the state is that of the first.
        """
        generators = self._processes.gather(torch.get_rng_state())
        if not self._processes.first:
            return
        path = self._path(step)
        state = {**state, "torch_rng": generators}
        with replacing(path) as temporary:
            torch.save(state, temporary)
        manifest = {"step": step, "sha256": file_digest(path), "identity": self._identity}
        write_json(path.with_suffix(".json"), manifest)
        for old in self._steps()[:-KEPT]:
            self._path(old).with_suffix(".json").unlink()
            self._path(old).unlink(missing_ok=True)

    def latest(self) -> tuple[int, dict[str, Any]] | None:
        """The newest whole (step, state), or None before the first; sets torch's generator.

        From one before a damaged one, a training goes on to the same end.

        Raises:
            InputError: all are damaged, or it belongs to another configuration, start or data.
        """
        steps = self._steps()
        for step in reversed(steps):
            path = self._path(step)
            if not self._whole(path):
                if self._processes.first:
                    print(f"{path} is damaged, and not used.", file=sys.stderr)
                continue
            state = torch.load(path, weights_only=True, mmap=True)
            generators = state.pop("torch_rng")
            rank = self._processes.rank
            torch.set_rng_state(generators[rank if rank < len(generators) else 0])
            return step, state
        if steps:
            raise InputError(
                f"All checkpoints in {self.folder} are damaged: remove that folder to start from "
                f"the beginning."
            )
        return None

    def _whole(self, path: Path) -> bool:
        """Whether the checkpoint at ``path`` is what was saved.

        Raises:
            InputError: it is of another training.
        """
        try:
            manifest = read_json(path.with_suffix(".json"))
            found, expected = manifest["identity"], manifest["sha256"]
        except (InputError, KeyError, TypeError):
            return False
        if not path.is_file() or file_digest(path) != expected:
            return False
        for name in sorted(found.keys() | self._identity.keys()):
            if found.get(name) != self._identity.get(name) and name not in self._accepted:
                raise InputError(
                    f"{path} belongs to a training with another {name}: restore that, remove "
                    f"the folder {self.folder} to start from the beginning, or go on all the "
                    f"same with --accept {name} (MEM1_ACCEPT={name} in the workflow)."
                )
        return True

    def _path(self, step: int) -> Path:
        return self.folder / f"step-{step:06d}.pt"

    def _steps(self) -> list[int]:
        return sorted(int(path.stem.split("-")[1]) for path in self.folder.glob("step-*.json"))
