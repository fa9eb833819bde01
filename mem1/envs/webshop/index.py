"""BM25 as Lucene computes it, in single precision, with the original's k1 and b.

A document's length counts only as the one byte that Lucene keeps of it: exact below 40,
with three significant bits above. Equal scores stay in the order of the documents. (The
original's searcher orders them by id; no recorded ranking tells the two apart.)
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mem1.envs.webshop.lucene import analyze

K1, B = np.float32(0.9), np.float32(0.4)
_EXACT = 24  # lengths below need no rounding


def length_byte(length: int) -> int:
    """The byte that Lucene keeps for a document of ``length`` terms."""
    rest = length - _EXACT
    if rest < 8:
        return length
    shift = rest.bit_length() - 4
    return _EXACT + (((rest >> shift) & 7) | ((shift + 1) << 3))


def byte_length(byte: int) -> int:
    """The length that Lucene reads back from ``byte``: the least that has it."""
    rest = byte - _EXACT
    if rest < 8:
        return byte
    return _EXACT + (((rest & 7) | 8) << ((rest >> 3) - 1))


class _Posting(NamedTuple):
    """Where a term occurs."""

    documents: NDArray[np.intp]
    shares: NDArray[np.float32]  # 1 + frequency / norm in each of them
    idf: np.float32
    gains: NDArray[np.float32]  # what each of them gains from a query with the term once


def _posting(entries: Sequence[tuple[int, int]], norms: NDArray[np.float32], size: int) -> _Posting:
    documents = np.array([number for number, _ in entries], np.intp)
    counts = np.array([count for _, count in entries], np.float32)
    shares = np.float32(1) + counts * norms[documents]
    idf = np.float32(math.log(1 + (size - len(entries) + 0.5) / (len(entries) + 0.5)))
    return _Posting(documents, shares, idf, idf - idf / shares)


class Index:
    """Searches texts. Immutable; searches may run side by side."""

    def __init__(self, texts: Sequence[str]) -> None:
        terms = [analyze(text) for text in texts]
        self.lengths = [len(document) for document in terms]  # in terms, before the byte
        self._size = len(terms)
        average = np.float32(sum(self.lengths) / max(len(terms), 1))
        kept = np.array([byte_length(length_byte(n)) for n in self.lengths], np.float32)
        one = np.float32(1)
        norms = one / (K1 * ((one - B) + B * kept / max(average, one)))
        postings: dict[str, list[tuple[int, int]]] = {}
        for number, document in enumerate(terms):
            for term, count in Counter(document).items():
                postings.setdefault(term, []).append((number, count))
        self._postings = {
            term: _posting(entries, norms, self._size) for term, entries in postings.items()
        }

    @property
    def terms(self) -> int:
        """Number of different terms."""
        return len(self._postings)

    def search(self, query: str, limit: int) -> list[int]:
        """The numbers of the ``limit`` best documents that share a term with ``query``."""
        total = np.zeros(self._size, np.float64)
        for term, count in Counter(analyze(query)).items():
            posting = self._postings.get(term)
            if posting is not None:
                weight = np.float32(count) * posting.idf
                gains = weight - weight / posting.shares if count > 1 else posting.gains
                total[posting.documents] += gains
        scores = total.astype(np.float32)
        found = np.flatnonzero(scores)
        if len(found) > limit:
            least = np.partition(scores[found], -limit)[-limit]
            found = found[scores[found] >= least]
        best = found[np.argsort(-scores[found], kind="stable")]
        return [int(number) for number in best[:limit]]
