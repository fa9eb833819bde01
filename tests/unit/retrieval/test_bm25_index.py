"""The matrix built in blocks is that of bm25s, bit by bit."""

import bm25s
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mem1.retrieval.bm25_index import Matrix, Postings

TEXTS = st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=12), min_size=1, max_size=20)


@settings(max_examples=100, deadline=None)
@given(
    texts=TEXTS,
    block=st.integers(1, 40),
    k1=st.sampled_from([0.0, 0.9, 1.5]),
    b=st.sampled_from([0.0, 0.4, 0.75, 1.0]),
)
def test_the_matrix_is_that_of_bm25s(
    texts: list[list[str]], block: int, k1: float, b: float
) -> None:
    assume(any(texts))
    vocabulary: dict[str, int] = {}
    ids = [[vocabulary.setdefault(word, len(vocabulary)) for word in text] for text in texts]
    theirs = bm25s.BM25(k1=k1, b=b, method="lucene")
    theirs.index((ids, vocabulary), create_empty_token=False, show_progress=False)
    ours = Matrix(k1=k1, b=b, method="lucene")
    ours.index(Postings(texts, block), create_empty_token=False, show_progress=False)

    assert list(ours.vocab_dict.items()) == list(vocabulary.items())
    assert ours.scores.keys() == theirs.scores.keys()
    assert ours.scores["num_docs"] == theirs.scores["num_docs"]
    for name in ("data", "indices", "indptr"):
        assert ours.scores[name].dtype == theirs.scores[name].dtype
        assert ours.scores[name].tobytes() == theirs.scores[name].tobytes()
