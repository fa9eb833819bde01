"""Reciprocal rank fusion by hand, and a hybrid index that checks its parts."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from mem1.config_retrieval import Hybrid, Retrieval
from mem1.errors import InputError
from mem1.provenance import read_json, write_json
from mem1.records import Passage, write_jsonl
from mem1.retrieval import encoder, hybrid, vectors
from mem1.retrieval.base import Hit
from mem1.retrieval.build import build
from mem1.retrieval.open import open_retriever
from tests.unit.retrieval.encoders import save_random, settings_of
from tests.unit.retrieval.test_dense import section

PASSAGES = [
    Passage(id="a", title="Velmora", text="word1 glass"),
    Passage(id="b", title="York", text="city word2"),
    Passage(id="c", title="Ann", text="word3 glass city"),
]


class Fixed:
    """Always finds the same passages."""

    def __init__(self, names: str) -> None:
        self.digest = names

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        hits = [Hit(Passage(id=n, title="", text=""), 1.0) for n in self.digest[:k]]
        return [hits for _ in queries]


def fused(words: str, dense: str, k: int = 9, depth: int = 9) -> list[tuple[str, float]]:
    both = hybrid.HybridRetriever(Fixed(words), Fixed(dense), Hybrid(constant=60, depth=depth))
    return [(hit.passage.id, hit.score) for hit in both.search(["q"], k)[0]]


def test_fusion_by_hand() -> None:
    # a: 1/61 + 1/63, b: 1/62, c: 1/61 + 0, d: 1/62
    got = fused("ab", "cda")
    assert [name for name, _ in got] == ["a", "c", "b", "d"]
    assert [score for _, score in got] == pytest.approx([1 / 61 + 1 / 63, 1 / 61, 1 / 62, 1 / 62])


def test_two_middle_ranks_beat_one_first_rank() -> None:
    assert fused("xy", "zy")[0][0] == "y"  # 2/62 > 1/61


def test_depth_cuts_each_list_and_k_the_fusion() -> None:
    assert [name for name, _ in fused("ab", "cd", k=3, depth=1)] == ["a", "c", "b"]  # depth >= k
    assert [name for name, _ in fused("abc", "cde", k=1, depth=2)] == ["a"]


def test_an_empty_list_changes_nothing() -> None:
    assert [name for name, _ in fused("", "ab")] == ["a", "b"]


def test_k_must_be_positive() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        fused("a", "b", k=0)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Retrieval]:
    """A folder with passages, their vectors and a hybrid index, and its settings."""
    folder = tmp_path_factory.mktemp("hybrid")
    write_jsonl(folder / "passages.jsonl", PASSAGES)
    chosen = section(settings_of(save_random(folder / "encoder")))
    settings = Retrieval(
        kind="hybrid", k=3, k1=1.5, b=0.75, dense=chosen, hybrid=Hybrid(constant=60, depth=10)
    )
    vectors.encode_shard(
        encoder.Encoder(chosen.encoder), folder / "passages.jsonl", 1, 1, folder / "1.npy"
    )
    build(PASSAGES, [folder / "1.npy"], settings, folder / "index")
    return folder, settings


def test_it_is_opened_by_its_settings(made: tuple[Path, Retrieval]) -> None:
    folder, settings = made
    retriever = open_retriever(settings, folder / "index", folder / "passages.jsonl")
    assert isinstance(retriever, hybrid.HybridRetriever)
    assert {hit.passage.id for hit in retriever.search(["city"], 3)[0]} == {"a", "b", "c"}


def test_its_parts_are_indices_of_their_own(made: tuple[Path, Retrieval]) -> None:
    folder, settings = made
    digests = set()
    for kind in ("bm25", "dense"):
        part = settings.of_kind(kind)  # type: ignore[arg-type]
        retriever = open_retriever(part, folder / "index" / kind, folder / "passages.jsonl")
        digests.add(retriever.digest)
    assert len(digests) == 2


@pytest.mark.parametrize("kind", ["bm25", "dense"])
def test_an_index_of_another_kind_is_refused(made: tuple[Path, Retrieval], kind: str) -> None:
    folder, settings = made
    with pytest.raises(InputError, match=r"manifest\.json is no .*: rebuild the index"):
        open_retriever(settings.of_kind(kind), folder / "index", folder / "passages.jsonl")  # type: ignore[arg-type]


def test_a_part_that_was_rebuilt_alone_is_named(made: tuple[Path, Retrieval]) -> None:
    folder, settings = made
    path = folder / "index" / "bm25" / "manifest.json"
    before = path.read_bytes()
    path.write_bytes(before + b" ")
    try:
        with pytest.raises(InputError, match=r"bm25 has changed since it was made"):
            open_retriever(settings, folder / "index", folder / "passages.jsonl")
    finally:
        path.write_bytes(before)


@pytest.mark.parametrize(
    ("parts", "message"), [(None, "parts: Field required"), ([], "parts: Input should be")]
)
def test_a_manifest_without_its_parts_is_none(
    made: tuple[Path, Retrieval], tmp_path: Path, parts: object, message: str
) -> None:
    folder, settings = made
    values = read_json(folder / "index" / "manifest.json")
    values = {k: v for k, v in {**values, "parts": parts}.items() if v is not None}
    write_json(tmp_path / "manifest.json", values)
    with pytest.raises(InputError, match=rf"is no manifest of a hybrid index \({message}"):
        open_retriever(settings, tmp_path, folder / "passages.jsonl")


def test_building_again_replaces_the_index(made: tuple[Path, Retrieval]) -> None:
    folder, settings = made
    before = (folder / "index" / "manifest.json").read_bytes()
    build(PASSAGES, [folder / "1.npy"], settings, folder / "index")
    assert (folder / "index" / "manifest.json").read_bytes() == before
