import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem1.envs.webshop.index import Index, byte_length, length_byte


@pytest.mark.parametrize(
    ("length", "byte"),
    [(0, 0), (23, 23), (24, 24), (39, 39), (40, 40), (41, 40), (42, 41), (225, 68), (258, 70)],
)
def test_known_bytes(length, byte):
    assert length_byte(length) == byte


@given(st.integers(0, 10**6))
def test_a_byte_stands_for_the_least_length_that_has_it(length):
    kept = byte_length(length_byte(length))
    assert length_byte(kept) == length_byte(length)
    assert kept == length if length < 40 else 0 <= length - kept < kept / 8


TEXTS = ["red lamp", "red red chair with a cushion", "green table", "lamp"]


def score(query: dict[str, int], text: str) -> float:
    """BM25 as in the notes of Lucene, in double precision; lengths here are below 40."""
    documents = [[w for w in t.split() if w not in ("with", "a")] for t in TEXTS]
    average = sum(map(len, documents)) / len(documents)
    own = documents[TEXTS.index(text)]
    total = 0.0
    for word, times in query.items():
        n = sum(word in document for document in documents)
        f = own.count(word)
        idf = math.log(1 + (len(documents) - n + 0.5) / (n + 0.5))
        total += times * idf * f / (f + 0.9 * (1 - 0.4 + 0.4 * len(own) / average))
    return total


@pytest.mark.parametrize("query", [{"red": 1}, {"red": 1, "lamp": 1}, {"lamp": 3, "red": 1}])
def test_order_is_that_of_the_formula(query):
    text = " ".join(word for word, times in query.items() for _ in range(times))
    scores = [score(query, text) for text in TEXTS]
    expected = sorted((i for i, s in enumerate(scores) if s), key=lambda i: -scores[i])
    assert Index(TEXTS).search(text, 10) == expected


def test_equal_scores_keep_the_order_of_the_documents():
    index = Index(["blue mug", "red mug", "blue mug", "blue mug"])
    assert index.search("blue", 10) == [0, 2, 3]
    assert index.search("blue", 2) == [0, 2]


LONG = [text * 100_000 for text in ("lamp", "_", "_\u0301", "\u200d")]  # in linear time


@pytest.mark.parametrize("query", ["", "   ", "the", "unknown", "[]*?~^\\", *LONG])
def test_what_is_in_no_document_finds_nothing(query):
    assert Index(TEXTS).search(query, 10) == []


def test_no_documents():
    assert Index([]).search("lamp", 5) == []
