"""The matrix of ``bm25s`` from passages, in blocks of arrays instead of lists of Python.

``bm25s`` wants the words of all passages as lists of ints and sorts all postings at once,
which takes several times the memory of the index. Here a block of passages at a time
becomes postings, and each block is put into its place. The bytes are those that ``bm25s``
itself would write.
"""

import math
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import bm25s
import numpy as np

BLOCK = 1 << 22  # words that are sorted together: 32 MiB of keys


@dataclass
class Block:
    """Postings of some passages, by word and then by passage."""

    words: np.ndarray  # [words of the block] int32, ascending
    postings: np.ndarray  # [words of the block] int32: how many of each
    passages: np.ndarray  # [postings] int32
    counts: np.ndarray  # [postings] int32: of the word in the passage


class Postings:
    """The postings of all passages and what ``bm25s`` calls a tokenized corpus.

    Attributes:
        vocab: word -> number, in order of appearance.
        ids: this object, which is passed on to ``Matrix.build_index_from_ids``.
        lengths: [passages] int64, in words.
    """

    def __init__(self, texts: Iterable[list[str]], block: int = BLOCK) -> None:
        """Count the words of ``texts``, which are read once."""
        self.vocab: dict[str, int] = {}  # a set would depend on the hash seed
        self.ids = self
        lengths = array("q")
        self.blocks = list(self._blocks(texts, lengths, block))
        self.lengths = np.frombuffer(lengths, np.int64)

    def _blocks(
        self, texts: Iterable[list[str]], lengths: "array[int]", size: int
    ) -> Iterator[Block]:
        number = self.vocab.setdefault
        words, first = array("i"), 0
        for text in texts:
            words.extend([number(word, len(self.vocab)) for word in text])
            lengths.append(len(text))
            if len(words) >= size:
                yield _block(words, lengths[first:], first)
                words, first = array("i"), len(lengths)
        if words:
            yield _block(words, lengths[first:], first)


def _block(words: "array[int]", lengths: "array[int]", first: int) -> Block:
    """Sort and count ``words`` [all words], of passages from ``first`` on with these lengths."""
    passages = np.repeat(np.arange(first, first + len(lengths)), np.frombuffer(lengths, np.int64))
    keys = passages | np.frombuffer(words, np.int32).astype(np.int64) << 32
    keys.sort()
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    counts = np.diff(starts, append=len(keys))
    keys = keys[starts]
    unique, postings = np.unique(keys >> 32, return_counts=True)
    int32 = np.int32
    return Block(
        unique.astype(int32),
        postings.astype(int32),
        (keys & 0xFFFFFFFF).astype(int32),
        counts.astype(int32),
    )


class Matrix(bm25s.BM25):
    """``bm25s.BM25`` in Lucene's form, built from ``Postings``."""

    def build_index_from_ids(
        self, unique_token_ids: list[int], corpus_token_ids: Postings, **_: Any
    ) -> dict[str, Any]:
        """The scores, by word and then by passage; ``bm25s`` calls this from ``index``."""
        blocks, lengths = corpus_token_ids.blocks, corpus_token_ids.lengths
        self.nonoccurrence_array = None
        frequencies = np.zeros(len(unique_token_ids), np.int64)  # passages that hold the word
        for block in blocks:
            frequencies[block.words] += block.postings
        idf = _idf(frequencies, len(lengths))
        saturation = self.k1 * ((1 - self.b) + self.b * lengths / lengths.mean())  # [passages]
        indptr = np.concatenate([[0], np.cumsum(frequencies)])
        data = np.empty(indptr[-1], np.float32)
        indices = np.empty(indptr[-1], np.int32)
        heads = indptr[:-1].copy()  # where the next posting of each word belongs
        for block in blocks:
            counts = block.counts.astype(np.float64)
            before = np.cumsum(block.postings, dtype=np.int64) - block.postings
            places = np.repeat(heads[block.words] - before, block.postings)
            places += np.arange(len(counts))
            frequency = counts / (saturation[block.passages] + counts)
            data[places] = np.repeat(idf[block.words], block.postings) * frequency
            indices[places] = block.passages
            heads[block.words] += block.postings
        return {"data": data, "indices": indices, "indptr": indptr, "num_docs": len(lengths)}


def _idf(frequencies: np.ndarray, passages: int) -> np.ndarray:
    """Lucene's weight of words that so many passages hold. [words] -> [words] float32."""
    distinct, place = np.unique(frequencies, return_inverse=True)
    # `math.log`, as in bm25s: that of numpy may differ in the last bit.
    weights = [math.log(1 + (passages - n + 0.5) / (n + 0.5)) for n in distinct.tolist()]
    return np.array(weights, np.float32)[place]
