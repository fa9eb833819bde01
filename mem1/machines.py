"""The machine that a preset is made for (config/machines.yaml): devices and their memory.

They are resources, not settings: no result depends on them. The file gives rules their defaults,
which ``--set-resources train_rl:processes=8`` and the like replace.
"""

from dataclasses import dataclass
from pathlib import Path

import yaml

from mem1.errors import InputError

FILE = Path(__file__).parents[1] / "config" / "machines.yaml"


@dataclass(frozen=True)
class Machine:
    """Where trainings run."""

    processes: int = 1  # of an RL training, one for each device
    device_gib: int = 0  # memory of a device in GiB; 0: there are none

    @property
    def device_bytes(self) -> int | None:
        """Memory of a device; None where there are none."""
        return self.device_gib * 2**30 if self.device_gib else None


def machine_of(preset: str, file: Path = FILE) -> Machine:
    """What ``file`` says for ``preset``; one process without a device where it says nothing.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        return Machine(**(yaml.safe_load(file.read_text(encoding="utf-8")).get(preset) or {}))
    except (OSError, yaml.YAMLError, TypeError, AttributeError) as error:
        raise InputError(f"{file} does not say what machine a preset is for: {error}.") from error
