"""Trajectories of an evaluation that is not finished yet, kept so that it can go on.

The file begins with a header that says what the evaluation is made of; each further line is
a finished trajectory. It is appended to, so its last line may be torn; that line is dropped.
"""

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from pydantic import ValidationError

from mem1.errors import InputError
from mem1.records import Trajectory


class Partial:
    """The partial results at ``path`` of the evaluation described by ``header``.

    A context manager: ``done`` holds what earlier runs finished, ``add`` appends. Leaving it
    closes the file and keeps it.

    Raises:
        InputError: the file belongs to another evaluation, or is damaged before its end.
    """

    def __init__(self, path: Path, header: dict[str, Any]) -> None:
        self.path = path
        self._header = json.dumps(header, sort_keys=True)
        self._file: TextIO | None = None
        self.done = self._read()

    def _read(self) -> list[Trajectory]:
        if not self.path.is_file():
            return []
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        header, *lines = whole.decode("utf-8", errors="replace").split("\n")[:-1] or [""]
        if header and header != self._header:
            raise InputError(
                f"{self.path} holds partial results made with other settings, inputs or code: "
                f"remove it to start again, or restore what it was made with."
            )
        try:
            done = [Trajectory.model_validate_json(line) for line in lines]
        except ValidationError as error:
            raise InputError(f"{self.path} is damaged: remove it to start again.") from error
        if len(whole) < len(content):
            os.truncate(self.path, len(whole))
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
        self._write(trajectory.model_dump_json())
