"""The passages of a corpus, left on the disk and read when they are asked for.

In memory is only where each line of their file begins: 8 bytes a passage, and not even those
where an index has them in a file that is mapped (``matching``). The Wikipedia dump of the paper
has 21 million passages, which as Python objects would take more memory than its index.
"""

import hashlib
import os
import weakref
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import overload

import numpy as np

from mem1 import provenance
from mem1.errors import InputError
from mem1.records import Passage, parse

OFFSETS = "offsets.npy"  # in the folder of an index: [N + 1], see PassageFile
BLOCK = 64  # passages read at once when all are read in order
BYTES = 1 << 24  # read at once when lines are counted


class PassageFile(Sequence[Passage]):
    """The passages of a JSONL file in order; a slice is another view of the same file.

    The file is opened once: one that is renamed to its place later is not looked at. Several
    threads and forked processes may read.
    """

    def __init__(
        self,
        path: Path,
        offsets: np.ndarray,
        corpus: str | None = None,
        before: int = 0,
        file: "_File | None" = None,
    ) -> None:
        """Read ``path`` at ``offsets``.

        Args:
            path: the file.
            offsets: [N + 1] int64, the first byte of each line, and the one behind the last.
            corpus: ``corpus_digest`` of the passages, where it is known.
            before: lines of the file before the first of these, for messages.
            file: what to read from; None: open ``path``.

        Raises:
            InputError: there is no such file.
        """
        self._path = path
        self._offsets = offsets
        self._before = before
        self._file = file or _File(path)
        self.corpus = corpus

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, index: int) -> Passage: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Passage]: ...
    def __getitem__(self, index: int | slice) -> Passage | Sequence[Passage]:
        """One passage, or a view of those of a slice without steps.

        Raises:
            InputError: a line is no passage, or the file was cut after it was opened.
        """
        if isinstance(index, slice):
            first, end, step = index.indices(len(self))
            if step != 1:
                return [self[i] for i in range(first, end, step)]
            offsets = self._offsets[first : max(first, end) + 1]
            return PassageFile(self._path, offsets, None, self._before + first, self._file)
        number = range(len(self))[index]
        return self._read(number, number + 1)[0]

    def __iter__(self) -> Iterator[Passage]:
        for first in range(0, len(self), BLOCK):
            yield from self._read(first, min(first + BLOCK, len(self)))

    def _read(self, first: int, end: int) -> list[Passage]:
        bounds = self._offsets[first : end + 1].tolist()
        text = self._file.read(bounds[0], bounds[-1])
        return [
            parse(text[a - bounds[0] : b - bounds[0]], Passage, self._path, number)
            for number, (a, b) in enumerate(pairwise(bounds), start=self._before + first + 1)
        ]


class _File:
    """A file that is open until nobody reads it any more."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise _missing(path) from error
        weakref.finalize(self, os.close, self._number)

    def read(self, first: int, end: int) -> bytes:
        """The bytes from ``first`` to before ``end``."""
        text = os.pread(self._number, end - first, first)
        if len(text) != end - first:
            raise InputError(f"{self._path} was cut while it was read: restore it, and run again.")
        return text


def _missing(path: Path) -> InputError:
    return InputError(f"{path} does not exist: make it first, or correct the path.")


def scan(path: Path) -> PassageFile:
    """The passages of ``path``, one a line; lines are found and not yet read.

    Raises:
        InputError: there is no such file.
    """
    offsets = array("q", [0])
    size = 0
    try:
        with open(path, "rb") as file:
            while block := file.read(BYTES):
                ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n")) + 1
                offsets.frombytes((ends + size).astype(np.int64).tobytes())
                size += len(block)
    except FileNotFoundError as error:
        raise _missing(path) from error
    if offsets[-1] != size:  # the last line has no end
        offsets.append(size)
    return PassageFile(path, np.frombuffer(offsets, np.int64))


def matching(path: Path, corpus: str, index_dir: Path) -> PassageFile:
    """The passages in ``path``, which are those that the index in ``index_dir`` was built from.

    Args:
        path: the file, in any layout of its JSON.
        corpus: ``corpus_digest`` of the passages of the index.
        index_dir: holds ``OFFSETS``, checked by the caller.

    Raises:
        InputError: there is no such file, or it holds others.
    """
    offsets = np.asarray(np.load(index_dir / OFFSETS, mmap_mode="r", allow_pickle=False))
    passages = holding(path, corpus, offsets)
    if passages is None:
        raise InputError(
            f"{path} does not hold the {len(offsets) - 1} passages that {index_dir} was built "
            f"from: rebuild the index, or name the right file."
        )
    return passages


def holding(path: Path, corpus: str, offsets: np.ndarray | None = None) -> PassageFile | None:
    """The passages in ``path`` if their digest is ``corpus``, else None.

    Args:
        path: the file. Laid out as ``records.write_jsonl`` does, it is not parsed.
        corpus: a ``corpus_digest``.
        offsets: [N + 1] of its lines in that layout; None: find them.

    Raises:
        InputError: there is no such file, or a line is no passage.
    """
    if not path.is_file():
        raise _missing(path)
    plain = provenance.file_digest(path) == corpus
    if plain and offsets is not None:
        return PassageFile(path, offsets, corpus)
    passages = scan(path)
    if not plain and corpus_digest(passages) != corpus:
        return None
    passages.corpus = corpus
    return passages


def _line(passage: Passage) -> bytes:
    """``passage`` as ``records.write_jsonl`` writes it."""
    return passage.model_dump_json().encode() + b"\n"


def corpus_digest(passages: Iterable[Passage]) -> str:
    """sha256 over the passages in order; blind to how their file is laid out."""
    digest = hashlib.sha256()
    for passage in passages:
        digest.update(_line(passage))
    return digest.hexdigest()


@dataclass(frozen=True)
class Survey:
    """What an index has to know of its passages."""

    corpus: str  # corpus_digest
    offsets: np.ndarray  # [N + 1] int64, of their lines as ``records.write_jsonl`` writes them


def survey(passages: Sequence[Passage]) -> Survey:
    """Look at all passages once; refuse what cannot be indexed.

    Raises:
        InputError: there is nothing, a line is no passage, or an id occurs twice.
    """
    if not passages:
        raise InputError("There are no passages to index: give a file with at least one.")
    digest = hashlib.sha256()
    offsets = np.zeros(len(passages) + 1, np.int64)
    ids = np.empty(len(passages), np.int64)
    for number, passage in enumerate(passages):
        line = _line(passage)
        digest.update(line)
        offsets[number + 1] = len(line)
        ids[number] = hash(passage.id)
    _check_unique(passages, ids)
    return Survey(digest.hexdigest(), np.cumsum(offsets, out=offsets))


def _check_unique(passages: Sequence[Passage], hashes: np.ndarray) -> None:
    """Refuse an id that occurs twice; only ids with equal hashes are compared as texts.

    Raises:
        InputError: naming the first one.
    """
    hashes.sort()
    shared = set(hashes[1:][hashes[1:] == hashes[:-1]].tolist())
    seen: set[str] = set()
    for passage in passages if shared else []:
        if passage.id in seen:
            raise InputError(f"Passage id {passage.id!r} occurs twice: make ids unique.")
        if hash(passage.id) in shared:
            seen.add(passage.id)
