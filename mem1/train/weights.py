"""The weights of a trainee as a file that another process reads, tensor by tensor.

The file is in the format of safetensors. Its header is written from shapes alone, and each tensor
goes to the file as soon as it is whole, so no second copy of a model that is in parts
(ZeRO-3) is ever on a device: one tensor, or one bucket of small ones, at a time.
"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

Named = Iterable[tuple[str, Tensor]]
BUCKET = 2**28  # bytes of parameters that are gathered together

_NAMES = {torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16"}


@dataclass(frozen=True)
class Shape:
    """What a tensor will be, known before it is there."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """How large it is."""
        return torch.Size(self.shape).numel() * self.dtype.itemsize


def buckets(shapes: Sequence[Shape], most: int = BUCKET) -> Iterator[list[Shape]]:
    """``shapes`` in groups of at most ``most`` bytes, or of one that has more; in order."""
    group: list[Shape] = []
    size = 0
    for one in shapes:
        if group and size + one.bytes > most:
            yield group
            group, size = [], 0
        group.append(one)
        size += one.bytes
    if group:
        yield group


def write(path: Path, shapes: Sequence[Shape], weights: Named) -> None:
    """Write ``weights``, which are what ``shapes`` say, to ``path``.

    Only the user can read the file. It is there under its name when it is whole.

    Raises:
        ValueError: a tensor is another one than its shape says.
    """
    header, end = {}, 0
    for one in shapes:
        start, end = end, end + one.bytes
        entry = {"dtype": _NAMES[one.dtype], "shape": one.shape, "data_offsets": [start, end]}
        header[one.name] = entry
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # tensors start at a multiple of 8
    temporary = path.with_name(f".{path.name}")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for one, (name, tensor) in zip(shapes, weights, strict=True):
            if (name, tensor.dtype, tuple(tensor.shape)) != (one.name, one.dtype, one.shape):
                raise ValueError(f"{name} is not {one}")
            file.write(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
    temporary.rename(path)


def drain(weights: Named) -> None:
    """Go through ``weights`` for nothing: they are gathered by all processes together."""
    for _ in weights:
        pass
