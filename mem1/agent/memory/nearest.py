"""Which notes are nearest to a text.

Vectors are those of a sentence encoder (``retrieval.encoder``), as in A-MEM. Where none is
configured they are TF-IDF vectors of words, which need no model: notes that share rare words are
near to each other. Equal distances stay in the order of the notes.
"""

import math
import re
import threading
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np

from mem1.config_retrieval import Encoder

_WORD = re.compile(r"[^\W_]+")


class Index(Protocol):
    """Finds the nearest of a few texts."""

    name: str  # of what makes the vectors; it goes into the manifest

    def nearest(self, query: str, texts: Sequence[str], k: int) -> list[int]:
        """Places of at most ``k`` of ``texts``, nearest to ``query`` first."""
        ...


class Words:
    """Cosines of TF-IDF vectors; the frequencies are those in the texts at hand."""

    name = "tf-idf of words"

    def nearest(self, query: str, texts: Sequence[str], k: int) -> list[int]:
        """See ``Index``."""
        counts = [_counts(text) for text in texts]
        seen = Counter(word for one in counts for word in one)
        rarity = {word: math.log((1 + len(texts)) / (1 + n)) + 1 for word, n in seen.items()}
        vectors = [_weighted(one, rarity) for one in counts]
        asked = _weighted(_counts(query), rarity)
        scores = [sum(w * asked.get(word, 0.0) for word, w in one.items()) for one in vectors]
        return sorted(range(len(texts)), key=lambda i: -scores[i])[:k]


@lru_cache(maxsize=4096)
def _counts(text: str) -> Counter[str]:
    return Counter(_WORD.findall(text.lower()))


def _weighted(counts: Counter[str], rarity: dict[str, float]) -> dict[str, float]:
    """The vector of a text, of length 1; words that are in no note weigh nothing."""
    weights = {w: (1 + math.log(n)) * rarity[w] for w, n in counts.items() if w in rarity}
    length = math.sqrt(sum(weight * weight for weight in weights.values()))
    return {word: weight / length for word, weight in weights.items()} if length else {}


class Vectors:
    """Cosines of the vectors of an encoder. Each text is encoded alone, and once.

    Raises:
        InputError: the encoder cannot be had.
    """

    def __init__(self, settings: Encoder) -> None:
        from mem1.retrieval.encoder import Encoder as Loaded

        self._encoder = Loaded(settings)
        self.name = f"encoder {self._encoder.digest}"
        self._vectors: dict[str, np.ndarray] = {}
        self._lock = threading.Lock()  # trajectories can be in threads of their own

    def _vector(self, text: str) -> np.ndarray:
        with self._lock:
            if text not in self._vectors:
                [self._vectors[text]] = self._encoder.passages([text])
            return self._vectors[text]

    def nearest(self, query: str, texts: Sequence[str], k: int) -> list[int]:
        """See ``Index``."""
        asked = self._vector(query)
        scores = [float(self._vector(text) @ asked) for text in texts]
        return sorted(range(len(texts)), key=lambda i: -scores[i])[:k]
