"""BM25: the right passages, always in the same order, from an index that proves itself."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mem1 import config_retrieval
from mem1.errors import InputError
from mem1.records import Passage, write_jsonl
from mem1.retrieval import bm25

SETTINGS = config_retrieval.Retrieval(k=3, k1=1.5, b=0.75)
PASSAGES = [
    Passage(id="p0", title="Velmora", text="Velmora is a company. It makes glass."),
    Passage(id="p1", title="Ann Lee", text="Ann Lee founded the company Velmora in York."),
    Passage(id="p2", title="York", text="York is a city."),
    Passage(id="p3", title="Ann Day", text="A city of glass: a book by The Who."),
]


def built(folder: Path, passages: list[Passage] = PASSAGES) -> bm25.BM25Retriever:
    write_jsonl(folder / "passages.jsonl", passages)
    bm25.build(passages, SETTINGS, folder / "index")
    return bm25.load(folder / "index", folder / "passages.jsonl")


def found(retriever: bm25.BM25Retriever, query: str, k: int = 10) -> list[str]:
    return [hit.passage.id for hit in retriever.search([query], k)[0]]


def test_the_passage_that_fits_best_comes_first(tmp_path: Path) -> None:
    retriever = built(tmp_path)
    assert found(retriever, "Ann Lee")[0] == "p1"
    assert found(retriever, "velmora")[0] == "p0"


def test_the_title_is_indexed(tmp_path: Path) -> None:
    assert found(built(tmp_path), "day") == ["p3"]


def test_stop_words_are_kept(tmp_path: Path) -> None:
    assert found(built(tmp_path), "The Who")[0] == "p3"


def test_scores_are_lucene_bm25(tmp_path: Path) -> None:
    lengths = [len(bm25.words(f"{p.title} {p.text}")) for p in PASSAGES]
    idf = math.log(1 + (4 - 2 + 0.5) / (2 + 0.5))  # "york" stands in 2 of 4 passages
    frequency = 2  # in title and text of p2
    length = 1 - 0.75 + 0.75 * lengths[2] / (sum(lengths) / 4)
    expected = idf * frequency / (frequency + 1.5 * length)
    hit = built(tmp_path).search(["York"], 1)[0][0]
    assert hit.passage.id == "p2"
    assert hit.score == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("query", ["", "  ", "?!", "zzz unknown", "_"])
def test_a_query_without_a_known_word_finds_nothing(tmp_path: Path, query: str) -> None:
    assert built(tmp_path).search([query], 3) == [[]]


def test_only_passages_that_share_a_word_are_hits(tmp_path: Path) -> None:
    assert sorted(found(built(tmp_path), "glass", k=100)) == ["p0", "p3"]


def test_k_cuts(tmp_path: Path) -> None:
    assert (
        found(built(tmp_path), "city glass ann", k=1)
        == found(built(tmp_path), "city glass ann", k=4)[:1]
    )


def test_k_must_be_positive(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        built(tmp_path).search(["x"], 0)


def test_ties_are_in_order_of_passages(tmp_path: Path) -> None:
    same = [Passage(id=f"s{i}", title="Same", text="equal words") for i in range(50)]
    retriever = built(tmp_path, same)
    assert found(retriever, "equal", k=3) == ["s0", "s1", "s2"]
    assert found(retriever, "same words", k=50) == [p.id for p in same]


def test_a_batch_gives_what_single_queries_give(tmp_path: Path) -> None:
    retriever = built(tmp_path)
    queries = ["York", "", "glass company", "York"]
    assert retriever.search(queries, 3) == [retriever.search([q], 3)[0] for q in queries]
    assert retriever.search([], 3) == []


WORDS = st.lists(st.sampled_from(["red", "green", "blue", "the", "é"]), min_size=1, max_size=6)


@settings(max_examples=25, deadline=None)
@given(texts=st.lists(WORDS, min_size=1, max_size=12), query=WORDS, k=st.integers(1, 15))
def test_hits_are_the_head_of_the_full_ranking(
    tmp_path_factory: pytest.TempPathFactory, texts: list[list[str]], query: list[str], k: int
) -> None:
    passages = [Passage(id=str(i), title="", text=" ".join(text)) for i, text in enumerate(texts)]
    retriever = built(tmp_path_factory.mktemp("any"), passages)
    hits = retriever.search([" ".join(query)], k)[0]
    everything = retriever.search([" ".join(query)], len(passages))[0]
    assert hits == everything[:k]
    keys = [(-hit.score, int(hit.passage.id)) for hit in everything]
    assert keys == sorted(keys)
    sharing = {str(i) for i, text in enumerate(texts) if set(text) & set(query)}
    assert {hit.passage.id for hit in everything} == sharing


def test_building_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        bm25.build(PASSAGES, SETTINGS, tmp_path / name)
    for path in sorted((tmp_path / "one").iterdir()):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_k_is_no_property_of_the_index(tmp_path: Path) -> None:
    first = built(tmp_path).digest
    bm25.build(PASSAGES, SETTINGS.model_copy(update={"k": 7}), tmp_path / "index")
    assert bm25.load(tmp_path / "index", tmp_path / "passages.jsonl").digest == first


def test_the_digest_depends_on_settings_and_passages(tmp_path: Path) -> None:
    first = built(tmp_path).digest
    bm25.build(PASSAGES, SETTINGS.model_copy(update={"b": 0.5}), tmp_path / "index")
    assert bm25.load(tmp_path / "index", tmp_path / "passages.jsonl").digest != first
    assert built(tmp_path, PASSAGES[::-1]).digest != first


@pytest.mark.parametrize("name", bm25.FILES)
def test_a_corrupted_file_is_named(tmp_path: Path, name: str) -> None:
    built(tmp_path)
    path = tmp_path / "index" / name
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(InputError, match=f"{name} has changed"):
        bm25.load(tmp_path / "index", tmp_path / "passages.jsonl")


@pytest.mark.parametrize("name", bm25.FILES)
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    built(tmp_path)
    (tmp_path / "index" / name).unlink()
    with pytest.raises(InputError, match=f"{name} has changed.*found missing"):
        bm25.load(tmp_path / "index", tmp_path / "passages.jsonl")


@pytest.mark.parametrize(
    "changed",
    [PASSAGES[:3], PASSAGES[::-1], [*PASSAGES[:3], PASSAGES[3].model_copy(update={"text": "x"})]],
)
def test_other_passages_are_refused(tmp_path: Path, changed: list[Passage]) -> None:
    built(tmp_path)
    write_jsonl(tmp_path / "passages.jsonl", changed)
    with pytest.raises(InputError, match=r"passages\.jsonl does not hold the 4 passages"):
        bm25.load(tmp_path / "index", tmp_path / "passages.jsonl")


def test_the_layout_of_the_passages_file_does_not_matter(tmp_path: Path) -> None:
    built(tmp_path)
    lines = [json.dumps(p.model_dump(), sort_keys=True, indent=None) for p in PASSAGES]
    (tmp_path / "passages.jsonl").write_text("\n".join(lines))
    assert found(bm25.load(tmp_path / "index", tmp_path / "passages.jsonl"), "day") == ["p3"]


@pytest.mark.parametrize("text", ["{}", "[]", "{"])
def test_a_broken_manifest_is_named(tmp_path: Path, text: str) -> None:
    built(tmp_path)
    (tmp_path / "index" / "manifest.json").write_text(text)
    with pytest.raises(InputError, match=r"manifest\.json is"):
        bm25.load(tmp_path / "index", tmp_path / "passages.jsonl")


def test_an_index_of_another_library_version_is_refused(tmp_path: Path) -> None:
    built(tmp_path)
    path = tmp_path / "index" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "bm25s": "0.0.1"}))
    with pytest.raises(InputError, match=r"built by bm25s 0\.0\.1"):
        bm25.load(tmp_path / "index", tmp_path / "passages.jsonl")


def test_a_mark_of_snakemake_in_the_folder_does_no_harm(tmp_path: Path) -> None:
    built(tmp_path)
    (tmp_path / "index" / ".snakemake_timestamp").touch()
    assert found(built(tmp_path), "day") == ["p3"]
    (tmp_path / "index" / ".snakemake_timestamp").touch()
    bm25.load(tmp_path / "index", tmp_path / "passages.jsonl")


def test_a_folder_with_other_files_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match=r"holds 'thesis\.txt'"):
        bm25.build(PASSAGES, SETTINGS, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize(
    ("passages", "message"),
    [
        ([], "no passages to index"),
        ([PASSAGES[0], PASSAGES[0]], "'p0' occurs twice"),
        ([Passage(id="x", title="?", text="...")], "No passage holds a word"),
    ],
)
def test_passages_that_cannot_be_indexed_are_refused(
    tmp_path: Path, passages: list[Passage], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        bm25.build(passages, SETTINGS, tmp_path / "index")
    assert not (tmp_path / "index").exists()


def test_a_passage_without_words_is_never_found(tmp_path: Path) -> None:
    retriever = built(tmp_path, [Passage(id="e", title="", text="..."), *PASSAGES])
    assert found(retriever, "Velmora York glass", k=5) == found(
        built(tmp_path), "Velmora York glass", k=5
    )
