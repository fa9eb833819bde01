"""Trajectories of an evaluation that is not finished yet, kept so that it can go on.

The file begins with a header that says what the evaluation is made of; each further line is
a finished trajectory behind its digest. It is appended to, so its last line may be torn. What
follows the first line that is not whole is dropped, and played again.
"""

import hashlib
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from mem1.errors import InputError
from mem1.provenance import text_digest
from mem1.records import Trajectory


class Partial:
    """The partial results at ``path`` of the evaluation described by ``header``.

    A context manager: ``done`` holds what earlier runs finished, ``add`` appends. Leaving it
    closes the file and keeps it.

    Raises:
        InputError: the file belongs to another evaluation.
    """

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        self.path = path
        self._header = json.dumps(header, sort_keys=True)
        self._file: TextIO | None = None
        self.done = self._read()

    def _read(self) -> list[Trajectory]:
        if not self.path.is_file():
            return []
        header, *lines = self.path.read_bytes().splitlines(keepends=True) or [b""]
        done: list[Trajectory] = []
        whole = len(header)
        own = header.decode(errors="replace") == self._header + "\n"
        if header.endswith(b"\n") and not own and lines:
            raise InputError(
                f"{self.path} holds partial results made with other settings, inputs or code: "
                f"remove it to start again, or restore what it was made with."
            )
        if not own:  # nothing is finished: nothing is lost
            lines, whole = [], 0
        for line in lines:
            digest, _, text = line.removesuffix(b"\n").partition(b" ")
            if not line.endswith(b"\n") or hashlib.sha256(text).hexdigest().encode() != digest:
                break
            done.append(Trajectory.model_validate_json(text))
            whole += len(line)
        os.truncate(self.path, whole)
        return done

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(self.path, "a", encoding="utf-8")
        if self._file.tell() == 0:
            self._write(self._header)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()

    def _write(self, line: str) -> None:
        assert self._file is not None
        self._file.write(line + "\n")
        self._file.flush()

    def add(self, trajectory: Trajectory) -> None:
        """Append a finished trajectory."""
        text = trajectory.model_dump_json()
        self._write(f"{text_digest(text)} {text}")
