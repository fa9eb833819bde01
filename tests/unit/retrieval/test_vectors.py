"""Shards of vectors: the same rows however many there are, resumed, checked."""

import json
from pathlib import Path

import numpy as np
import pytest

from mem1.errors import InputError
from mem1.records import Passage, read_jsonl, write_jsonl
from mem1.retrieval import vectors
from tests.unit.retrieval.encoders import HashEncoder

COUNT = 25


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "CHUNK", 4)


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    passages = [Passage(id=str(i), title=f"Page {i}", text=f"text {i}") for i in range(COUNT)]
    write_jsonl(tmp_path / "passages.jsonl", passages)
    return tmp_path / "passages.jsonl"


def encode(pages: Path, shards: int, encoder: HashEncoder | None = None) -> list[Path]:
    files = [pages.parent / f"{shards}" / f"{s}-of-{shards}.npy" for s in range(1, shards + 1)]
    for number, path in enumerate(files, start=1):
        vectors.encode_shard(encoder or HashEncoder(), pages, number, shards, path)
    return files


def opened(files: list[Path], pages: Path) -> vectors.Vectors:
    return vectors.Vectors(files, read_jsonl(pages, Passage))


@pytest.mark.parametrize("total", [0, 1, 4, 25, 1000])
@pytest.mark.parametrize("shards", [1, 2, 7, 40])
def test_spans_cover_everything_once_in_whole_chunks(total: int, shards: int) -> None:
    spans = [vectors.span(total, shard, shards) for shard in range(1, shards + 1)]
    assert [i for first, end in spans for i in range(first, end)] == list(range(total))
    assert all(first % 4 == 0 or first == total for first, _ in spans)


@pytest.mark.parametrize("shards", [2, 3, 10])
def test_the_number_of_shards_changes_no_byte(pages: Path, shards: int) -> None:
    whole = np.load(encode(pages, 1)[0])
    read = opened(encode(pages, shards), pages)
    assert np.concatenate(list(read.blocks(6))).tobytes() == whole.tobytes()


def test_texts_of_different_chunks_are_never_encoded_together(pages: Path) -> None:
    encoder = HashEncoder()
    encode(pages, 2, encoder)
    assert encoder.calls == [4] * 6 + [1]


def test_rows_are_read_across_shards(pages: Path) -> None:
    whole = np.load(encode(pages, 1)[0])
    numbers = np.array([0, 3, 11, 12, 24])
    assert opened(encode(pages, 3), pages).rows(numbers).tobytes() == whole[numbers].tobytes()


def test_an_interrupted_shard_goes_on_behind_its_last_chunk(pages: Path) -> None:
    whole = encode(pages, 1)[0].read_bytes()

    class Interrupted(HashEncoder):
        def passages(self, texts):
            if len(self.calls) == 3:
                raise KeyboardInterrupt
            return super().passages(texts)

    output = pages.parent / "again.npy"
    with pytest.raises(KeyboardInterrupt):
        vectors.encode_shard(Interrupted(), pages, 1, 1, output)
    assert not output.exists()
    encoder = HashEncoder()
    vectors.encode_shard(encoder, pages, 1, 1, output)
    assert encoder.calls == [4, 4, 4, 1]
    assert output.read_bytes() == whole
    left = {p.name for p in pages.parent.iterdir() if "again" in p.name}
    assert left == {"again.npy", "again.manifest.json", ".again.npy.lock"}


def test_a_partial_shard_of_another_encoder_is_refused(pages: Path) -> None:
    class Interrupted(HashEncoder):
        def passages(self, texts):
            if self.calls:
                raise KeyboardInterrupt
            return super().passages(texts)

    output = pages.parent / "again.npy"
    with pytest.raises(KeyboardInterrupt):
        vectors.encode_shard(Interrupted(), pages, 1, 1, output)
    with pytest.raises(InputError, match=r"of other passages or of another encoder: remove it"):
        vectors.encode_shard(HashEncoder("other"), pages, 1, 1, output)


def test_two_processes_cannot_write_one_shard(pages: Path) -> None:
    output = pages.parent / "one.npy"

    class Nested(HashEncoder):
        def passages(self, texts):
            vectors.encode_shard(HashEncoder(), pages, 1, 1, output)
            return super().passages(texts)

    with pytest.raises(InputError, match=r"Another process is writing .*one\.npy: wait for it"):
        vectors.encode_shard(Nested(), pages, 1, 1, output)


def test_a_corrupted_shard_is_named(pages: Path) -> None:
    files = encode(pages, 2)
    files[1].write_bytes(files[1].read_bytes()[:-1] + b"?")
    with pytest.raises(InputError, match=r"2-of-2\.npy has changed"):
        opened(files, pages)


def test_swapped_shards_are_refused(pages: Path) -> None:
    files = encode(pages, 2)
    first, second = (path.read_bytes() for path in files)
    files[0].write_bytes(second)
    files[1].write_bytes(first)
    with pytest.raises(InputError, match=r"1-of-2\.npy has changed"):
        opened(files, pages)


@pytest.mark.parametrize(
    ("kept", "message"),
    [([0], "hold 12 vectors for 25 passages"), ([1], "begins with passage 12, and 0 are there")],
)
def test_missing_shards_are_refused(pages: Path, kept: list[int], message: str) -> None:
    files = encode(pages, 2)
    with pytest.raises(InputError, match=message):
        opened([files[i] for i in kept], pages)


def test_the_same_shard_twice_is_refused(pages: Path) -> None:
    files = encode(pages, 2)
    with pytest.raises(InputError, match="begins with passage 0, and 12 are there before it"):
        opened([files[0], *files], pages)


def test_a_shard_of_another_encoder_is_refused(pages: Path) -> None:
    files = encode(pages, 2)
    vectors.encode_shard(HashEncoder("other"), pages, 2, 2, files[1])
    with pytest.raises(InputError, match=r"2-of-2\.npy was made by another encoder"):
        opened(files, pages)


def test_shards_of_other_passages_are_refused(pages: Path) -> None:
    files = encode(pages, 2)
    passages = read_jsonl(pages, Passage)
    passages[20] = passages[20].model_copy(update={"text": "changed"})
    with pytest.raises(InputError, match=r"2-of-2\.npy was made of other passages"):
        vectors.Vectors(files, passages)


def test_a_shard_without_a_manifest_is_named(pages: Path) -> None:
    files = encode(pages, 1)
    vectors.manifest_path(files[0]).write_text(json.dumps({}))
    with pytest.raises(InputError, match=r"1-of-1\.manifest\.json is no manifest of a shard"):
        opened(files, pages)
