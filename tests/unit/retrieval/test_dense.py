"""Dense retrieval: exact where it says so, close elsewhere, from an index that proves itself."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mem1 import provenance
from mem1.config_retrieval import Dense, Encoder, Faiss
from mem1.errors import InputError
from mem1.records import Passage, write_jsonl
from mem1.retrieval import dense, vectors
from mem1.retrieval import encoder as encoders
from mem1.retrieval.build import build
from tests.unit.retrieval.encoders import HashEncoder, save_random, settings_of

FLAT: dict[str, Any] = {
    "kind": "flat",
    "links": 16,
    "build_width": 64,
    "search_width": 64,
    "cells": 8,
    "probes": 4,
    "parts": 16,
    "train_on": 2000,
}
NAMED = Encoder(
    model="hash",
    revision=None,
    pooling="mean",
    query_prefix="",
    passage_prefix="",
    max_tokens=8,
    batch=4,
)


def section(encoder: Encoder = NAMED, **index: Any) -> Dense:
    return Dense(encoder=encoder, index=Faiss(**FLAT | index))


def pages(count: int) -> list[Passage]:
    return [Passage(id=f"p{i}", title=f"Page {i}", text=f"n{i:05}") for i in range(count)]


def built(
    folder: Path, passages: Sequence[Passage], shards: int = 1, **index: Any
) -> dense.DenseRetriever:
    write_jsonl(folder / "passages.jsonl", passages)
    files = [folder / "vectors" / f"{s}-of-{shards}.npy" for s in range(1, shards + 1)]
    for number, path in enumerate(files, start=1):
        vectors.encode_shard(HashEncoder(), folder / "passages.jsonl", number, shards, path)
    dense.build(passages, files, section(**index), folder / "index")
    return load(folder, **index)


def load(folder: Path, encoder: HashEncoder | None = None, **index: Any) -> dense.DenseRetriever:
    return dense.load(
        section(**index),
        folder / "index",
        folder / "passages.jsonl",
        encoder=encoder or HashEncoder(),
    )


def ids(retriever: dense.DenseRetriever, query: str, k: int) -> list[str]:
    return [hit.passage.id for hit in retriever.search([query], k)[0]]


def test_flat_is_brute_force(tmp_path: Path) -> None:
    passages = pages(300)
    retriever = built(tmp_path, passages)
    encoder = HashEncoder()
    matrix = encoder.passages([vectors.text_of(p) for p in passages])
    queries = [f"query {i}" for i in range(40)]
    scores = encoder.queries(queries) @ matrix.T
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :7]
    for row, hits in enumerate(retriever.search(queries, 7)):
        assert [hit.passage.id for hit in hits] == [f"p{i}" for i in expected[row]]
        assert [hit.score for hit in hits] == pytest.approx(scores[row, expected[row]], abs=1e-5)


@pytest.mark.parametrize(("kind", "floor"), [("hnsw", 0.95), ("ivfpq", 0.6)])
def test_inexact_indices_find_most_of_what_flat_finds(
    tmp_path: Path, kind: str, floor: float
) -> None:
    passages = pages(2000)
    queries = [f"query {i}" for i in range(50)]
    exact = built(tmp_path / "flat", passages).search(queries, 10)
    found = built(tmp_path / kind, passages, kind=kind, probes=8).search(queries, 10)
    shared = [
        len({a.passage.id for a in x} & {b.passage.id for b in y})
        for x, y in zip(exact, found, strict=True)
    ]
    assert sum(shared) / (10 * len(queries)) >= floor


@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivfpq"])
def test_the_number_of_shards_changes_no_byte_of_the_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(vectors, "CHUNK", 100)
    passages = pages(1000)
    for shards in (1, 3):
        built(tmp_path / str(shards), passages, shards, kind=kind)
    for name in (dense.INDEX, dense.MANIFEST):
        one, three = (tmp_path / s / "index" / name for s in ("1", "3"))
        assert one.read_bytes() == three.read_bytes()


@settings(max_examples=25, deadline=None)
@given(batch=st.lists(st.integers(0, 30), min_size=1, max_size=30), k=st.integers(1, 12))
def test_a_batch_gives_what_single_queries_give(
    random: dense.DenseRetriever, batch: list[int], k: int
) -> None:
    queries = [" ".join(f"word{(7 * i + j) % 200}" for j in range(i % 5 + 1)) for i in batch]
    for query, hits in zip(queries, random.search(queries, k), strict=True):
        alone = random.search([query], k)[0]
        assert [hit.passage.id for hit in hits] == [hit.passage.id for hit in alone]
        assert [h.score for h in hits] == pytest.approx([h.score for h in alone], abs=1e-5)


@pytest.fixture(scope="module")
def random(tmp_path_factory: pytest.TempPathFactory) -> dense.DenseRetriever:
    """Sixty passages, each text twice, with an encoder of random weights."""
    folder = tmp_path_factory.mktemp("random")
    texts = [" ".join(f"word{(3 * i + j) % 200}" for j in range(i % 9 + 1)) for i in range(30)]
    passages = [Passage(id=f"p{i}", title="", text=text) for i, text in enumerate(texts * 2)]
    write_jsonl(folder / "passages.jsonl", passages)
    chosen = section(settings_of(save_random(folder / "encoder")))
    vectors.encode_shard(
        encoders.Encoder(chosen.encoder), folder / "passages.jsonl", 1, 1, folder / "1.npy"
    )
    dense.build(passages, [folder / "1.npy"], chosen, folder / "index")
    return dense.load(chosen, folder / "index", folder / "passages.jsonl")


def test_equal_texts_are_in_order_of_passages(random: dense.DenseRetriever) -> None:
    hits = random.search(["word3 word9"], 20)[0]
    places = [int(hit.passage.id[1:]) for hit in hits]
    assert all(i + 30 in places[n + 1 : n + 2] for n, i in enumerate(places[:-1]) if i < 30)


def test_settled_sorts_runs_of_equal_scores_by_number() -> None:
    scores = np.array([0.9, 0.5 + 1e-7, 0.5, 0.5 - 1e-7, 0.1])
    assert [i for _, i in dense.settled(scores, np.array([8, 7, 3, 5, -1]))] == [8, 3, 5, 7]


def test_k_cuts_and_may_exceed_the_corpus(tmp_path: Path) -> None:
    retriever = built(tmp_path, pages(5))
    assert ids(retriever, "any", 2) == ids(retriever, "any", 50)[:2]
    assert len(ids(retriever, "any", 50)) == 5
    assert retriever.search([], 3) == []


def test_k_must_be_positive(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        built(tmp_path, pages(3)).search(["x"], 0)


@pytest.mark.parametrize("damage", [lambda b: b[:-9], lambda b: b[:-1] + b"?", lambda b: None])
def test_a_damaged_index_is_named(tmp_path: Path, damage: Any) -> None:
    built(tmp_path, pages(20))
    path = tmp_path / "index" / dense.INDEX
    content = damage(path.read_bytes())
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(InputError, match=r"index\.faiss has changed since it was made"):
        load(tmp_path)


def test_an_index_swapped_for_another_is_named(tmp_path: Path) -> None:
    for name, count in (("one", 20), ("two", 21)):
        built(tmp_path / name, pages(count))
    source = tmp_path / "two" / "index" / dense.INDEX
    (tmp_path / "one" / "index" / dense.INDEX).write_bytes(source.read_bytes())
    with pytest.raises(InputError, match=r"index\.faiss has changed since it was made"):
        load(tmp_path / "one")


@pytest.mark.parametrize("text", ["{}", "[]", "{"])
def test_a_broken_manifest_is_named(tmp_path: Path, text: str) -> None:
    built(tmp_path, pages(3))
    (tmp_path / "index" / dense.MANIFEST).write_text(text)
    with pytest.raises(InputError, match=r"manifest\.json is"):
        load(tmp_path)


def test_another_encoder_of_queries_is_refused(tmp_path: Path) -> None:
    built(tmp_path, pages(3))
    with pytest.raises(InputError, match=r"encoded by another encoder than hash \(files differ\)"):
        load(tmp_path, encoder=HashEncoder("other"))


def test_other_settings_of_the_index_are_refused(tmp_path: Path) -> None:
    built(tmp_path, pages(3))
    with pytest.raises(InputError, match=r"other settings of retrieval\.dense\.index"):
        load(tmp_path, kind="hnsw")


def test_settings_of_a_search_need_no_new_index_and_change_the_digest(tmp_path: Path) -> None:
    first = built(tmp_path, pages(3)).digest
    assert load(tmp_path, search_width=99).digest != first


def test_other_passages_are_refused(tmp_path: Path) -> None:
    built(tmp_path, pages(4))
    write_jsonl(tmp_path / "passages.jsonl", pages(4)[::-1])
    with pytest.raises(InputError, match=r"does not hold the 4 passages"):
        load(tmp_path)


def test_an_index_of_another_library_version_is_refused(tmp_path: Path) -> None:
    built(tmp_path, pages(3))
    path = tmp_path / "index" / dense.MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), "faiss": "0.0.1"}))
    with pytest.raises(InputError, match=r"built by faiss 0\.0\.1"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ({"kind": "ivfpq", "parts": 5}, "parts is 5, and vectors have 16 numbers"),
        ({"kind": "ivfpq", "cells": 64}, "cannot be learned from 20 vectors"),
    ],
)
def test_settings_that_do_not_fit_leave_nothing_behind(
    tmp_path: Path, index: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        built(tmp_path, pages(20), **index)
    assert not (tmp_path / "index").exists()


def test_two_builds_into_one_folder_are_refused(tmp_path: Path) -> None:
    built(tmp_path, pages(3))
    before = provenance.tree_digest(tmp_path / "index")
    retrieval = retrieval_section()
    shards = [tmp_path / "vectors" / "1-of-1.npy"]
    with (
        provenance.exclusive(tmp_path / "index"),
        pytest.raises(InputError, match=r"Another process is writing .*index: wait for it"),
    ):
        build(pages(3), shards, retrieval, tmp_path / "index")
    assert provenance.tree_digest(tmp_path / "index") == before


def test_an_index_without_vectors_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"encode the passages with mem1\.encode_passages"):
        build(pages(3), [], retrieval_section(), tmp_path / "index")


def retrieval_section() -> Any:
    from mem1.config_retrieval import Retrieval

    return Retrieval(kind="dense", k=3, k1=1.5, b=0.75, dense=section())
