"""Leaving passages out of the count changes no result, not even the last bit of a score."""

import numpy as np
import pytest

from mem1.retrieval import top_k
from mem1.retrieval.bm25_index import Matrix, Postings
from mem1.seeding import array_stream

PASSAGES = 3000


def index(random: np.random.Generator, words: int) -> Matrix:
    """Passages of up to 30 words that follow Zipf's law, many of them alike."""
    lengths = random.integers(0, 30, PASSAGES)
    texts = [[str(w) for w in np.minimum(random.zipf(1.3, n), words)] for n in lengths]
    made = Matrix(k1=1.5, b=0.75, method="lucene")
    made.index(Postings(texts), create_empty_token=False, show_progress=False)
    return made


def exhaustive(made: Matrix, words: list[int], k: int) -> list[tuple[int, float]]:
    """Every passage scored by bm25s, and all of them sorted."""
    scores = made.get_scores_from_ids(words)
    best = np.argsort(-scores, kind="stable")[:k]
    return [(int(i), float(scores[i])) for i in best if scores[i] > 0]


@pytest.mark.parametrize("words", [5, 300])
@pytest.mark.parametrize(
    "lookup", [0, top_k.LOOKUP, 10**9], ids=["soon", "as set", "never"]
)  # when to stop adding up
def test_the_best_are_those_of_scoring_every_passage(
    monkeypatch: pytest.MonkeyPatch, words: int, lookup: int
) -> None:
    monkeypatch.setattr(top_k, "LOOKUP", lookup)
    random = array_stream(0, "top_k", words, lookup)
    made = index(random, words)
    lists = top_k.TopK(made.scores)
    for number in range(200):
        asked = np.minimum(random.zipf(1.2, random.integers(1, 9)), words).astype(str)
        query = made.get_tokens_ids(asked.tolist())  # with words that occur twice
        k = (1, 3, 50, 2 * PASSAGES)[number % 4]
        passages, scores = lists.search(query, k)
        expected = exhaustive(made, query, k)
        assert list(zip(passages.tolist(), scores.tolist(), strict=True)) == expected


def test_long_lists_are_not_read_where_they_cannot_matter() -> None:
    rare = range(0, PASSAGES, 100)
    texts = [["the", "of", *(["velmora", "york"] if i in rare else [])] for i in range(PASSAGES)]
    made = Matrix(k1=1.5, b=0.75, method="lucene")
    made.index(Postings(texts), create_empty_token=False, show_progress=False)
    lists = top_k.TopK(made.scores)
    start, end = made.scores["indptr"][made.vocab_dict["the"] :][:2]
    common = made.scores["data"][start:end]
    common[np.isin(np.arange(PASSAGES), rare, invert=True)] = 1e9  # would win if it were added

    query = made.get_tokens_ids(["the", "velmora", "of", "york"])
    assert lists.search(query, 3)[0].tolist() == [0, 100, 200]
