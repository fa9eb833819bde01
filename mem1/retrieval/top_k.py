"""The best passages for a query without scoring all of them.

The words are added up from the rarest to the most frequent. As soon as the words that are left
could not lift a new passage among the best k, their long lists are only looked into for the
few passages that still can be (MaxScore; Turtle and Flood, 1995). The result is that of scoring
every passage, ties and last bits included.
"""

from typing import Any

import numpy as np

SAMPLE = 1 << 16  # postings of a word among which the k-th best score is looked for
LOOKUP = 16  # postings that can be added in the time in which one passage is looked up


class TopK:
    """The lists of postings of an index: scores of passages, by word."""

    def __init__(self, scores: dict[str, Any]) -> None:
        """Take ``scores`` of a ``bm25s.BM25`` without words that no passage holds."""
        self._data = np.asarray(scores["data"])  # [postings] float32, above 0
        self._indices = np.asarray(scores["indices"])  # [postings], ascending for each word
        self._starts = np.asarray(scores["indptr"])  # [words + 1]
        self._most = np.maximum.reduceat(self._data, self._starts[:-1])  # [words]
        self._passages = int(scores["num_docs"])

    def search(self, words: list[int], k: int) -> tuple[np.ndarray, np.ndarray]:
        """The passages with the ``k`` highest scores and these, best first.

        Only passages that hold one of ``words`` count, so there may be fewer than ``k``. Equal
        scores are in order of passages; a word that occurs twice counts twice.
        """
        candidates = self._candidates(words, k).astype(self._indices.dtype)
        scores = np.zeros(len(candidates), np.float32)
        for word in words:  # in this order, because sums of floats depend on it
            passages, values = self._list(word)
            places = np.searchsorted(passages, candidates)
            places[places == len(passages)] = 0
            scores += np.where(passages[places] == candidates, values[places], 0)
        best = np.argsort(-scores, kind="stable")[:k]
        return candidates[best], scores[best]

    def _candidates(self, words: list[int], k: int) -> np.ndarray:
        """All passages that may be among the best ``k``, ascending; few others."""
        lengths = {word: int(self._starts[word + 1] - self._starts[word]) for word in words}
        words = sorted(words, key=lengths.__getitem__)
        rest = float(self._most[words].sum(dtype=np.float64))  # what the words left can add
        slack = len(words) * 2.0**-22 * rest  # more than sums in two orders can differ by
        left = sum(lengths[word] for word in words)  # postings
        least = 0.0  # some k passages have this score or more
        scores = np.zeros(self._passages, np.float32)
        for word in words:
            passages, values = self._list(word)
            found = scores[passages] + values
            scores[passages] = found
            rest -= float(self._most[word])
            left -= len(passages)
            least = max(least, _kth(found[:SAMPLE], k))
            if least > rest + slack:
                candidates = _refined(scores, least, rest + slack, k)
                if LOOKUP * len(words) * len(candidates) <= left:
                    return candidates
        return _refined(scores, least, slack, k)

    def _list(self, word: int) -> tuple[np.ndarray, np.ndarray]:
        """The passages that hold ``word``, and their scores for it."""
        part = slice(self._starts[word], self._starts[word + 1])
        return self._indices[part], self._data[part]


def _kth(scores: np.ndarray, k: int) -> float:
    """The ``k``-th highest of ``scores``; 0 if there are fewer."""
    if len(scores) < k:
        return 0.0
    return float(np.partition(scores, len(scores) - k)[len(scores) - k])


def _refined(scores: np.ndarray, least: float, more: float, k: int) -> np.ndarray:
    """The passages that can still be among the best ``k`` if up to ``more`` is added to each."""
    found = np.flatnonzero(scores >= least - more if least > more else scores > 0)
    least = _kth(scores[found], k)
    return found[scores[found] >= least - more]
