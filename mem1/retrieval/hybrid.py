"""BM25 and dense retrieval, fused by ranks (reciprocal rank fusion, Cormack et al., 2009).

A passage scores the sum of 1 / (constant + rank) over the lists that it is in; only the first
``depth`` ranks of each count. The paper has no such retriever.

The index folder holds one folder for each part and ``manifest.json``, written last, with the
digests of their manifests.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from mem1 import config_retrieval, provenance
from mem1.records import Passage, Record, read_record
from mem1.retrieval import bm25, dense
from mem1.retrieval.base import Hit, Retriever

MANIFEST = "manifest.json"
PARTS = ("bm25", "dense")


class Manifest(Record):
    """What an index was made of."""

    kind: Literal["hybrid"]
    passages: int
    corpus: str  # digest of the passages, see retrieval.passages
    parts: dict[str, str]  # part -> sha256 of its manifest


def build(
    passages: Sequence[Passage],
    shards: Sequence[Path],
    settings: config_retrieval.Retrieval,
    output_dir: Path,
    threads: int = 1,
) -> None:
    """Build both indices into ``output_dir``, whole or not at all.

    Raises:
        InputError: unusable passages, shards or settings, or the folder holds files that are no
            index.
    """
    assert settings.dense is not None
    provenance.check_replaceable(output_dir, {*PARTS, MANIFEST})
    with provenance.replacing(output_dir) as folder:
        bm25.build(passages, settings, folder / "bm25")
        dense.build(passages, shards, settings.dense, folder / "dense", threads)
        manifest = Manifest(
            kind="hybrid",
            passages=len(passages),
            corpus=dense.read_manifest(folder / "dense").corpus,
            parts=_parts(folder),
        )
        provenance.write_json(folder / MANIFEST, manifest.model_dump())


def _parts(folder: Path) -> dict[str, str]:
    manifests = {part: folder / part / MANIFEST for part in PARTS}
    return {
        part: provenance.file_digest(path) if path.is_file() else "missing"
        for part, path in manifests.items()
    }


def load(
    settings: config_retrieval.Retrieval, index_dir: Path, passages_path: Path, threads: int = 1
) -> "HybridRetriever":
    """The retriever in ``index_dir`` over the passages in ``passages_path``.

    Raises:
        InputError: a file is missing, or differs from what a manifest says; the message names
            it.
    """
    assert settings.dense is not None
    assert settings.hybrid is not None
    manifest = read_record(
        index_dir / MANIFEST, Manifest, "manifest of a hybrid index", "rebuild the index"
    )
    provenance.check_digests(manifest.parts, _parts(index_dir), f"The index {index_dir}")
    words = bm25.load(index_dir / "bm25", passages_path)
    vectors = dense.load(
        settings.dense, index_dir / "dense", passages_path, threads, passages=words.passages
    )
    return HybridRetriever(words, vectors, settings.hybrid)


class HybridRetriever:
    """Two retrievers over the same passages, as one."""

    def __init__(
        self, words: Retriever, vectors: Retriever, settings: config_retrieval.Hybrid
    ) -> None:
        """Fuse ``words`` (first where scores are equal) and ``vectors``."""
        self.words = words
        self.vectors = vectors
        self._settings = settings
        self.digest = provenance.json_digest(
            [words.digest, vectors.digest, settings.model_dump(mode="json")]
        )

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """At most ``k`` hits for each query, best first; no more than are in either list.

        Raises:
            ValueError: ``k`` is not positive.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        depth = max(k, self._settings.depth)
        lists = (self.words.search(queries, depth), self.vectors.search(queries, depth))
        return [fused(both, self._settings.constant)[:k] for both in zip(*lists, strict=True)]


def fused(lists: Sequence[Sequence[Hit]], constant: float) -> list[Hit]:
    """All passages of ``lists`` with their fused scores, best first.

    Equal scores stay in the order in which their passages appear, list after list.
    """
    scores: dict[str, float] = {}
    passages: dict[str, Passage] = {}
    for hits in lists:
        for rank, hit in enumerate(hits, start=1):
            scores[hit.passage.id] = scores.get(hit.passage.id, 0.0) + 1 / (constant + rank)
            passages.setdefault(hit.passage.id, hit.passage)
    best = sorted(scores, key=lambda name: -scores[name])
    return [Hit(passages[name], scores[name]) for name in best]
