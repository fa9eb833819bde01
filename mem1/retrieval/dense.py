"""Dense retrieval: the passages whose vectors have the largest cosine with the query's.

The index folder holds ``index.faiss``, the places of the passages in their file
(``retrieval.passages``) and ``manifest.json``, which is written last and records the digests of
the corpus, of the encoder (weights, tokenizer, prefixes, pooling, longest text) and of both
files, with the settings that shaped the index. Loading compares all of them, so queries are never
encoded by another model than the passages were.

The paper retrieves with E5 (base) in an exact index over the 21 million passages of the
Wikipedia dump of 2018. Which encoder is used here is a setting, and so is the kind of index.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import faiss
import numpy as np

from mem1 import config_retrieval, provenance
from mem1.errors import InputError
from mem1.records import Passage, Record, read_record
from mem1.retrieval import faiss_index
from mem1.retrieval.base import Hit
from mem1.retrieval.passages import OFFSETS, PassageFile, matching, survey
from mem1.retrieval.vectors import Vectors

MANIFEST = "manifest.json"
INDEX = "index.faiss"
FILES = (INDEX, OFFSETS)
SEARCHING = {"search_width", "probes"}  # settings of a search: they do not shape the index
# Scores of one query that differ by less are equal: batches and paddings move them by 1e-7.
EQUAL = 2e-6
MARGIN = 16  # hits fetched beyond k, so that equal scores at the cut are all there


class QueryEncoder(Protocol):
    """What encodes queries; see ``retrieval.encoder``."""

    fingerprint: dict[str, Any]

    def queries(self, texts: Sequence[str]) -> np.ndarray:
        """[B, D] float32."""
        ...


class Manifest(Record):
    """What an index was made of."""

    faiss: str  # version of the library
    encoder: dict[str, Any]  # fingerprint of the encoder
    settings: dict[str, Any]  # section of the index, without what concerns a search only
    passages: int
    corpus: str  # digest of the passages, see retrieval.passages
    files: dict[str, str]  # name -> sha256


def _shaping(settings: config_retrieval.Faiss) -> dict[str, Any]:
    return settings.model_dump(exclude=SEARCHING)


def build(
    passages: Sequence[Passage],
    shards: Sequence[Path],
    settings: config_retrieval.Dense,
    output_dir: Path,
    threads: int = 1,
) -> None:
    """Index the vectors in ``shards`` of ``passages`` into ``output_dir``, whole or not at all.

    The same vectors and settings give the same bytes, however many shards there are.

    Raises:
        InputError: unusable passages, shards or settings, or the folder holds files that are no
            index.
    """
    known = survey(passages)
    provenance.check_replaceable(output_dir, {*FILES, MANIFEST})
    vectors = Vectors(shards, passages)
    with provenance.replacing(output_dir) as folder:
        folder.mkdir()
        faiss_index.build(vectors, settings.index, folder / INDEX, threads)
        np.save(folder / OFFSETS, known.offsets)
        manifest = Manifest(
            faiss=faiss.__version__,
            encoder=vectors.encoder,
            settings=_shaping(settings.index),
            passages=len(passages),
            corpus=known.corpus,
            files=provenance.file_digests(folder, FILES),
        )
        provenance.write_json(folder / MANIFEST, manifest.model_dump())


def load(
    settings: config_retrieval.Dense,
    index_dir: Path,
    passages_path: Path,
    threads: int = 1,
    encoder: QueryEncoder | None = None,
    passages: Sequence[Passage] | None = None,
) -> "DenseRetriever":
    """The retriever in ``index_dir`` over the passages in ``passages_path``.

    Args:
        settings: the encoder of queries and the settings of the index.
        index_dir: what ``build`` wrote.
        passages_path: the passages (JSONL).
        threads: of the search.
        encoder: the loaded encoder; None: load the one of ``settings``.
        passages: those that an index of the same passages was loaded with, to share their file.

    Raises:
        InputError: a file is missing, or differs from what the manifest says; the message
            names it.
    """
    manifest = read_manifest(index_dir)
    provenance.check_digests(
        manifest.files, provenance.file_digests(index_dir, FILES), f"The index {index_dir}"
    )
    if manifest.settings != _shaping(settings.index):
        raise InputError(
            f"{index_dir} was built with other settings of retrieval.dense.index: rebuild the "
            f"index, or restore them."
        )
    if manifest.faiss != faiss.__version__:
        raise InputError(
            f"{index_dir} was built by faiss {manifest.faiss}, and {faiss.__version__} is "
            f"installed: rebuild the index."
        )
    if not isinstance(passages, PassageFile) or passages.corpus != manifest.corpus:
        passages = matching(passages_path, manifest.corpus, index_dir)
    if encoder is None:
        from mem1.retrieval.encoder import Encoder

        encoder = Encoder(settings.encoder)
    if encoder.fingerprint != manifest.encoder:
        differing = [
            k for k in manifest.encoder if encoder.fingerprint.get(k) != manifest.encoder[k]
        ]
        raise InputError(
            f"The passages of {index_dir} were encoded by another encoder than "
            f"{settings.encoder.model} ({', '.join(differing)} differ): encode them again, or "
            f"name their encoder."
        )
    made_from = {**manifest.model_dump(), "search": settings.index.model_dump(include=SEARCHING)}
    return DenseRetriever(
        faiss_index.load(index_dir / INDEX, settings.index, threads),
        passages,
        encoder,
        provenance.json_digest(made_from),
    )


def read_manifest(index_dir: Path) -> Manifest:
    """The manifest of the dense index in ``index_dir``.

    Raises:
        InputError: there is none.
    """
    return read_record(
        index_dir / MANIFEST, Manifest, "manifest of a dense index", "rebuild the index"
    )


class DenseRetriever:
    """A loaded index with the encoder of queries. Made by ``load``."""

    def __init__(
        self, index: Any, passages: Sequence[Passage], encoder: QueryEncoder, digest: str
    ) -> None:
        """Keep a loaded FAISS index of ``passages``, in their order."""
        self._index = index
        self._encoder = encoder
        self.passages = passages
        self.digest = digest

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """At most ``k`` hits for each query, best first; equal scores in order of passages.

        ``ivfpq`` and ``hnsw`` may find fewer than ``k``, and not the best.

        Raises:
            ValueError: ``k`` is not positive.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        if not queries:
            return []
        wanted = min(k + MARGIN, len(self.passages))
        scores, numbers = self._index.search(self._encoder.queries(queries), wanted)  # [Q, wanted]
        return [
            [Hit(self.passages[i], score) for score, i in settled(row, found)[:k]]
            for row, found in zip(scores, numbers, strict=True)
        ]


def settled(scores: np.ndarray, numbers: np.ndarray) -> list[tuple[float, int]]:
    """(score, number) of what was found, best first, each run of equal scores by number.

    Args:
        scores: [K], falling.
        numbers: [K] of the passages; -1 where there was none.
    """
    found = [(float(s), int(i)) for s, i in zip(scores, numbers, strict=True) if i >= 0]
    out: list[tuple[float, int]] = []
    start = 0
    for place in range(1, len(found) + 1):
        if place == len(found) or found[place - 1][0] - found[place][0] > EQUAL:
            out += sorted(found[start:place], key=lambda pair: pair[1])
            start = place
    return out
