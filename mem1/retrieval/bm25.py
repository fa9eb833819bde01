"""BM25 over passages: build an index folder once, load it anywhere, search in batches.

The index folder holds the files of ``bm25s`` and ``manifest.json``, which is written last
and records the digests of the corpus, of the settings that shape the index and of every
file. Loading compares all of them, so a result can never come from an index that belongs
to other passages.

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
from pydantic import ValidationError

from mem1 import config_retrieval, provenance
from mem1.errors import InputError
from mem1.records import Passage, Record, read_jsonl
from mem1.retrieval.base import Hit

MANIFEST = "manifest.json"
METHOD = "lucene"
FILES = (
    "data.csc.index.npy",
    "indices.csc.index.npy",
    "indptr.csc.index.npy",
    "params.index.json",
    "vocab.index.json",
)

_WORD = re.compile(r"[^\W_]+")


class Manifest(Record):
    """What an index was made of."""

    bm25s: str  # version of the library
    method: str
    k1: float
    b: float
    passages: int
    corpus: str  # corpus_digest of the passages
    files: dict[str, str]  # name -> sha256


def words(text: str) -> list[str]:
    """The tokens of ``text``: runs of letters and digits, in lower case."""
    return _WORD.findall(text.lower())


def corpus_digest(passages: Sequence[Passage]) -> str:
    """sha256 over the passages in order; blind to how their file is laid out."""
    return provenance.text_digest("".join(p.model_dump_json() + "\n" for p in passages))


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
    check_passages(passages)
    provenance.check_replaceable(output_dir, {*FILES, MANIFEST})
    index = _index(passages, settings)
    with provenance.replacing(output_dir) as folder:
        index.save(folder, show_progress=False)
        manifest = Manifest(
            bm25s=bm25s.__version__,
            method=METHOD,
            k1=settings.k1,
            b=settings.b,
            passages=len(passages),
            corpus=corpus_digest(passages),
            files=_digests(folder),
        )
        provenance.write_json(folder / MANIFEST, manifest.model_dump())


def in_memory(passages: Sequence[Passage], settings: config_retrieval.Retrieval) -> "BM25Retriever":
    """An index that is used at once and not kept: training of the base model makes many.

    Raises:
        InputError: there is nothing to index, or an id occurs twice.
    """
    check_passages(passages)
    return BM25Retriever(_index(passages, settings), passages, corpus_digest(passages))


def _index(passages: Sequence[Passage], settings: config_retrieval.Retrieval) -> bm25s.BM25:
    vocabulary: dict[str, int] = {}  # in order of appearance: a set would depend on the hash seed
    ids = [
        [vocabulary.setdefault(word, len(vocabulary)) for word in words(f"{p.title} {p.text}")]
        for p in passages
    ]
    if not vocabulary:
        raise InputError("No passage holds a word: give passages with letters or digits.")
    index = bm25s.BM25(
        k1=settings.k1, b=settings.b, method=METHOD, backend="numpy", csc_backend="numpy"
    )
    index.index((ids, vocabulary), create_empty_token=False, show_progress=False)
    return index


def check_passages(passages: Sequence[Passage]) -> None:
    """Refuse what cannot be indexed.

    Raises:
        InputError: there is nothing, or an id occurs twice.
    """
    if not passages:
        raise InputError("There are no passages to index: give a file with at least one.")
    seen: set[str] = set()
    for passage in passages:
        if passage.id in seen:
            raise InputError(f"Passage id {passage.id!r} occurs twice: make ids unique.")
        seen.add(passage.id)


def _digests(folder: Path) -> dict[str, str]:
    """Digests of the index files; others, such as Snakemake's mark, are none of ours."""
    return {
        name: provenance.file_digest(folder / name) if (folder / name).is_file() else "missing"
        for name in FILES
    }


def load(index_dir: Path, passages_path: Path) -> "BM25Retriever":
    """The retriever in ``index_dir`` over the passages in ``passages_path``.

    Raises:
        InputError: a file is missing, or differs from what the manifest says; the message
            names it.
    """
    path = index_dir / MANIFEST
    try:
        manifest = Manifest.model_validate(provenance.read_json(path))
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"])) or "the file"
        raise InputError(
            f"{path} is no index manifest ({where}: {error.errors()[0]['msg']}): rebuild the index."
        ) from error
    provenance.check_digests(manifest.files, _digests(index_dir), f"The index {index_dir}")
    passages = read_jsonl(passages_path, Passage)
    if corpus_digest(passages) != manifest.corpus:
        raise InputError(
            f"{passages_path} does not hold the {manifest.passages} passages that {index_dir} "
            f"was built from: rebuild the index, or name the right file."
        )
    if manifest.bm25s != bm25s.__version__:
        raise InputError(
            f"{index_dir} was built by bm25s {manifest.bm25s}, and {bm25s.__version__} is "
            f"installed: rebuild the index."
        )
    index = bm25s.BM25.load(index_dir, backend="numpy", show_progress=False)
    return BM25Retriever(index, passages, provenance.json_digest(manifest.model_dump()))


class BM25Retriever:
    """A loaded index. Made by ``load``."""

    def __init__(self, index: Any, passages: Sequence[Passage], digest: str) -> None:
        """Keep a loaded ``bm25s.BM25`` with the passages it was built from, in that order."""
        self._index = index
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
        scores = self._index.get_scores_from_ids(ids)  # [passages], 0 where no word is shared
        candidates = np.flatnonzero(scores > 0)
        if len(candidates) > k:
            least = np.partition(scores, len(scores) - k)[len(scores) - k]
            candidates = np.flatnonzero(scores >= least)  # in order of passages, ties included
        best = candidates[np.argsort(-scores[candidates], kind="stable")][:k]
        return [Hit(self.passages[i], float(scores[i])) for i in best]
