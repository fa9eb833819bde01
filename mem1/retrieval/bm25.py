"""BM25 over passages: build an index folder once, load it anywhere, search in batches.

The index folder holds the files of ``bm25s``, the places of the passages in their file
(``retrieval.passages``) and ``manifest.json``, which is written last and records the digests
of the corpus, of the settings that shape the index and of every file. Loading compares all of
them, so a result can never come from an index that belongs to other passages.

Scores are BM25 in Lucene's form, float32. The paper retrieves with E5 over the Wikipedia
dump of 2018; BM25 needs no model and no download. Tokens are runs of letters and digits in
lower case. No stop words are removed (names and titles are made of them: "The Who", "It"),
and there is no stemming (generated names have no stems, and it would need a language).
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bm25s
import numpy as np

from mem1 import config_retrieval, provenance
from mem1.errors import InputError
from mem1.records import Passage, Record, read_record
from mem1.retrieval.base import Hit
from mem1.retrieval.bm25_index import Matrix, Postings
from mem1.retrieval.passages import OFFSETS, matching, survey
from mem1.retrieval.top_k import TopK

MANIFEST = "manifest.json"
METHOD = "lucene"
FILES = (
    "data.csc.index.npy",
    "indices.csc.index.npy",
    "indptr.csc.index.npy",
    "params.index.json",
    "vocab.index.json",
    OFFSETS,
)

_WORD = re.compile(r"[^\W_]+")


class Manifest(Record):
    """What an index was made of."""

    bm25s: str  # version of the library
    method: str
    k1: float
    b: float
    passages: int
    corpus: str  # digest of the passages, see retrieval.passages
    files: dict[str, str]  # name -> sha256


def words(text: str) -> list[str]:
    """The tokens of ``text``: runs of letters and digits, in lower case."""
    return _WORD.findall(text.lower())


def build(
    passages: Sequence[Passage], settings: config_retrieval.Retrieval, output_dir: Path
) -> None:
    """Index title and text of ``passages`` into ``output_dir``, whole or not at all.

    The same passages and settings give the same bytes. ``settings.k`` is a property of a
    search, not of the index, and changes nothing here.

    Raises:
        InputError: there is nothing to index, an id occurs twice, or the folder holds files
            that are no index.
    """
    known = survey(passages)
    provenance.check_replaceable(output_dir, {*FILES, MANIFEST})
    index = _index(passages, settings)
    with provenance.replacing(output_dir) as folder:
        index.save(folder, show_progress=False)
        np.save(folder / OFFSETS, known.offsets)
        manifest = Manifest(
            bm25s=bm25s.__version__,
            method=METHOD,
            k1=settings.k1,
            b=settings.b,
            passages=len(passages),
            corpus=known.corpus,
            files=provenance.file_digests(folder, FILES),
        )
        provenance.write_json(folder / MANIFEST, manifest.model_dump())


def in_memory(passages: Sequence[Passage], settings: config_retrieval.Retrieval) -> "BM25Retriever":
    """An index that is used at once and not kept: training of the base model makes many.

    Raises:
        InputError: there is nothing to index, or an id occurs twice.
    """
    corpus = survey(passages).corpus
    return BM25Retriever(_index(passages, settings), passages, corpus)


def _index(passages: Sequence[Passage], settings: config_retrieval.Retrieval) -> bm25s.BM25:
    postings = Postings(words(f"{p.title} {p.text}") for p in passages)
    if not postings.vocab:
        raise InputError("No passage holds a word: give passages with letters or digits.")
    index = Matrix(
        k1=settings.k1, b=settings.b, method=METHOD, backend="numpy", csc_backend="numpy"
    )
    index.index(postings, create_empty_token=False, show_progress=False)
    return index


def load(index_dir: Path, passages_path: Path) -> "BM25Retriever":
    """The retriever in ``index_dir`` over the passages in ``passages_path``.

    Raises:
        InputError: a file is missing, or differs from what the manifest says; the message
            names it.
    """
    manifest = read_record(
        index_dir / MANIFEST, Manifest, "manifest of a BM25 index", "rebuild the index"
    )
    provenance.check_digests(
        manifest.files, provenance.file_digests(index_dir, FILES), f"The index {index_dir}"
    )
    passages = matching(passages_path, manifest.corpus, index_dir)
    if manifest.bm25s != bm25s.__version__:
        raise InputError(
            f"{index_dir} was built by bm25s {manifest.bm25s}, and {bm25s.__version__} is "
            f"installed: rebuild the index."
        )
    # Mapped: processes that search in one index share its memory.
    index = bm25s.BM25.load(index_dir, backend="numpy", show_progress=False, mmap=True)
    for name in ("data", "indices", "indptr"):
        index.scores[name] = np.asarray(index.scores[name])  # slices of a memmap are slow
    return BM25Retriever(index, passages, provenance.json_digest(manifest.model_dump()))


class BM25Retriever:
    """A loaded index. Made by ``load``."""

    def __init__(self, index: Any, passages: Sequence[Passage], digest: str) -> None:
        """Keep a loaded ``bm25s.BM25`` with the passages it was built from, in that order."""
        self._index = index
        self._top_k = TopK(index.scores)
        self.passages = passages
        self.digest = digest

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """At most ``k`` hits for each query, best first; equal scores in order of passages.

        Only passages that share a word with the query are hits, so a query that is empty or
        has no known word gives an empty list, and ``k`` may exceed the corpus.

        Raises:
            ValueError: ``k`` is not positive.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        return [self._search(query, k) for query in queries]

    def _search(self, query: str, k: int) -> list[Hit]:
        ids = self._index.get_tokens_ids(words(query))
        if not ids:
            return []
        best = zip(*self._top_k.search(ids, k), strict=True)
        return [Hit(self.passages[i], float(score)) for i, score in best]
