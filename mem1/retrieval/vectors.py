"""Vectors of passages, made in shards that several machines can share, and read as one.

A shard is a float32 file of NumPy, [passages of the shard, width], with a manifest beside it
that is written last. Shards consist of whole chunks of ``CHUNK`` passages, counted from the
first passage of the corpus, and what is encoded together never leaves its chunk: so the number
of shards changes no byte of a vector, nor of an index made of them.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mem1 import provenance
from mem1.errors import InputError
from mem1.records import Passage, Record, read_record
from mem1.retrieval.passages import corpus_digest, scan

CHUNK = 512  # passages encoded, and kept when a shard is interrupted, together


class PassageEncoder(Protocol):
    """What makes the vectors; see ``retrieval.encoder``."""

    fingerprint: dict[str, Any]
    width: int

    def passages(self, texts: Sequence[str]) -> np.ndarray:
        """[B, width] float32."""
        ...


class ShardManifest(Record):
    """What a shard was made of."""

    encoder: dict[str, Any]
    chunk: int
    first: int  # number of its first passage in the corpus
    passages: int
    total: int  # passages of the corpus
    text: str  # sha256 of its passages
    file: str  # sha256 of the vectors


def text_of(passage: Passage) -> str:
    """What is encoded: title and text, each on its line, as in the passages of wiki-18."""
    return f"{passage.title}\n{passage.text}"


def span(total: int, shard: int, shards: int) -> tuple[int, int]:
    """First passage of a shard (counted from 1), and the one behind its last."""
    chunks = -(-total // CHUNK)
    first, end = (chunks * s // shards for s in (shard - 1, shard))
    return min(first * CHUNK, total), min(end * CHUNK, total)


def manifest_path(shard: Path) -> Path:
    """The manifest beside a file of vectors."""
    return shard.with_name(f"{shard.stem}.manifest.json")


def encode_shard(
    encoder: PassageEncoder, passages_path: Path, shard: int, shards: int, output: Path
) -> int:
    """Write the vectors of one shard to ``output``; return how many.

    Interrupted, it goes on behind the last whole chunk: vectors lie in a hidden file beside
    ``output`` until all are there.

    Raises:
        InputError: unusable passages; a partial shard of other passages or another encoder;
            or another process writes the same shard.
    """
    corpus = scan(passages_path)
    first, end = span(len(corpus), shard, shards)
    passages = corpus[first:end]
    made_from: dict[str, Any] = {
        "encoder": encoder.fingerprint,
        "chunk": CHUNK,
        "first": first,
        "passages": end - first,
        "total": len(corpus),
        "text": corpus_digest(passages),
    }
    with provenance.exclusive(output):
        partial = output.with_name(f".{output.name}.partial")
        progress = output.with_name(f".{output.name}.progress.json")
        start = _resumed(partial, progress, made_from)
        shape = (end - first, encoder.width)
        mode = "r+" if start else "w+"
        vectors = np.lib.format.open_memmap(partial, mode, np.dtype("<f4"), shape)
        while start < end - first:
            behind = min(start + CHUNK, end - first)
            vectors[start:behind] = encoder.passages([text_of(p) for p in passages[start:behind]])
            vectors.flush()
            start = behind
            provenance.write_json(progress, {"made_from": made_from, "done": start})
        del vectors
        manifest_path(output).unlink(missing_ok=True)
        with provenance.replacing(output) as temporary:
            partial.rename(temporary)
        progress.unlink(missing_ok=True)
        manifest = ShardManifest(**made_from, file=provenance.file_digest(output))
        provenance.write_json(manifest_path(output), manifest.model_dump())
    return end - first


def _resumed(partial: Path, progress: Path, made_from: dict[str, Any]) -> int:
    """How many vectors of a shard are there already.

    Raises:
        InputError: they are of other passages, or of another encoder.
    """
    if not (partial.is_file() and progress.is_file()):
        return 0
    found = provenance.read_json(progress)
    if found.get("made_from") != json.loads(json.dumps(made_from)):
        raise InputError(
            f"{partial} holds vectors of other passages or of another encoder: remove it to "
            f"start again, or restore what it was made with."
        )
    return int(found["done"])


class Vectors:
    """The shards of a corpus, checked and read as one matrix [passages, width]."""

    def __init__(self, shards: Sequence[Path], passages: Sequence[Passage]) -> None:
        """Open ``shards``, given in any order, of ``passages``.

        Raises:
            InputError: one is missing, damaged, of other passages or of another encoder, or
                they do not cover the passages exactly once.
        """
        found = sorted(
            ((_manifest(path), path) for path in shards),
            key=lambda pair: (pair[0].first, pair[0].passages),
        )
        behind = 0
        for manifest, path in found:
            if manifest.encoder != found[0][0].encoder or manifest.chunk != found[0][0].chunk:
                raise InputError(
                    f"{path} was made by another encoder than {found[0][1]}: encode it again."
                )
            if manifest.first != behind:
                raise InputError(
                    f"{path} begins with passage {manifest.first}, and {behind} are there before "
                    f"it: give each shard of the passages once."
                )
            behind += manifest.passages
            if corpus_digest(passages[manifest.first : behind]) != manifest.text:
                raise InputError(f"{path} was made of other passages: encode them again.")
        if behind != len(passages):
            raise InputError(
                f"The shards hold {behind} vectors for {len(passages)} passages: give all shards."
            )
        self.encoder = found[0][0].encoder
        self._parts = [np.load(path, mmap_mode="r", allow_pickle=False) for _, path in found]
        self.width: int = self._parts[0].shape[1]

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def blocks(self, size: int) -> Iterator[np.ndarray]:
        """All rows in order, ``size`` at a time wherever the shards end; the last may be less."""
        for start in range(0, len(self), size):
            yield self.rows(np.arange(start, min(start + size, len(self))))

    def rows(self, numbers: np.ndarray) -> np.ndarray:
        """[len(numbers), width] of the rows with these ascending numbers, in memory."""
        found, offset = [], 0
        for part in self._parts:
            mine = numbers[(numbers >= offset) & (numbers < offset + len(part))] - offset
            found.append(np.asarray(part[mine]))
            offset += len(part)
        return np.ascontiguousarray(np.concatenate(found))


def _manifest(shard: Path) -> ShardManifest:
    """The manifest of a shard, whose vectors are what it says.

    Raises:
        InputError: one of the two is missing, or the vectors have changed.
    """
    manifest = read_record(
        manifest_path(shard), ShardManifest, "manifest of a shard", "encode it again"
    )
    actual = provenance.file_digest(shard) if shard.is_file() else "missing"
    provenance.check_digests({shard.name: manifest.file}, {shard.name: actual}, f"{shard.parent}")
    return manifest
