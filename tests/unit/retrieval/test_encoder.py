"""The encoder against naive computations, one text at a time."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from mem1.errors import InputError
from mem1.retrieval import encoder_files
from mem1.retrieval.encoder import Encoder, pool
from tests.unit.retrieval.encoders import save_random, settings_of

TEXTS = ["glass", "word1 word2 word3 york", "city", "word9 word8 word7 word6 word5 word4", "york"]


@pytest.fixture(scope="module")
def random(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_random(tmp_path_factory.mktemp("encoder") / "random")


def naive(folder: Path, text: str, pooling: str = "mean") -> np.ndarray:
    """One text alone, nothing padded, in double precision behind the model."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    with torch.no_grad():
        hidden = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].double().numpy()
    vector = hidden.mean(axis=0) if pooling == "mean" else hidden[0]
    return vector / np.linalg.norm(vector)


def test_the_mean_leaves_padding_out() -> None:
    hidden = torch.tensor([[[3.0, 0.0], [1.0, 4.0], [100.0, 100.0]]])
    got = pool(hidden, torch.tensor([[1, 1, 0]]), "mean")
    assert got[0].tolist() == pytest.approx([2 / 8**0.5, 2 / 8**0.5])


def test_cls_takes_the_first_token() -> None:
    hidden = torch.tensor([[[3.0, 4.0], [100.0, 0.0]]])
    assert pool(hidden, torch.tensor([[1, 1]]), "cls")[0].tolist() == pytest.approx([0.6, 0.8])


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_passages_are_what_a_naive_computation_gives(random: Path, pooling: str) -> None:
    encoder = Encoder(settings_of(random, pooling=pooling))
    expected = [naive(random, f"passage: {text}", pooling) for text in TEXTS]
    np.testing.assert_allclose(encoder.passages(TEXTS), expected, atol=1e-5)


def test_queries_have_a_prefix_of_their_own(random: Path) -> None:
    encoder = Encoder(settings_of(random))
    np.testing.assert_allclose(
        encoder.queries(["york"])[0], naive(random, "query: york"), atol=1e-5
    )
    assert np.abs(encoder.queries(["york"]) - encoder.passages(["york"])).max() > 1e-2


def test_vectors_have_length_one_and_are_float32(random: Path) -> None:
    vectors = Encoder(settings_of(random)).queries(TEXTS)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_the_batch_changes_no_vector(random: Path) -> None:
    one, many = (Encoder(settings_of(random, batch=size)) for size in (1, 5))
    np.testing.assert_allclose(one.passages(TEXTS), many.passages(TEXTS), atol=1e-6)


def test_the_same_texts_give_the_same_bytes(random: Path) -> None:
    encoder = Encoder(settings_of(random))
    assert encoder.passages(TEXTS).tobytes() == encoder.passages(TEXTS).tobytes()


def test_what_is_too_long_is_cut(random: Path) -> None:
    encoder = Encoder(settings_of(random, max_tokens=8, passage_prefix=""))
    long = " ".join(f"word{i}" for i in range(60))
    cut = " ".join(f"word{i}" for i in range(6))  # with [CLS] and [SEP]
    np.testing.assert_allclose(encoder.passages([long]), encoder.passages([cut]), atol=1e-6)


def test_no_text_gives_no_vector(random: Path) -> None:
    assert Encoder(settings_of(random)).queries([]).shape == (0, 16)


def test_more_tokens_than_positions_are_refused(random: Path) -> None:
    with pytest.raises(InputError, match=r"max_tokens is 65, and .* has 64 positions: lower it"):
        Encoder(settings_of(random, max_tokens=65))


def test_the_fingerprint_knows_weights_prefixes_and_pooling(random: Path, tmp_path: Path) -> None:
    settings = settings_of(random)
    first = encoder_files.fingerprint(settings, random)
    other = save_random(tmp_path / "random", seed=1)
    assert encoder_files.fingerprint(settings, other) != first
    for change in ({"query_prefix": ""}, {"pooling": "cls"}, {"max_tokens": 16}):
        assert encoder_files.fingerprint(settings_of(random, **change), random) != first
    assert encoder_files.fingerprint(settings_of(random, batch=9), random) == first


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("package:no_such_package", r"no_such_package, which is not installed: run pip install"),
        ("no/such/folder", r"no checkpoint in no/such/folder: name a folder with config.json"),
    ],
)
def test_an_encoder_that_is_not_there_is_one_sentence(model: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        encoder_files.locate(settings_of(Path(), model=model))


def test_damaged_weights_are_one_sentence(tmp_path: Path) -> None:
    folder = save_random(tmp_path / "random")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"cannot be loaded from .*: restore it"):
        Encoder(settings_of(folder))
