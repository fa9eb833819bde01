"""Weights on their way to another process."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from mem1.train.forward import Actor
from mem1.train.model import new_model
from mem1.train.placement import by_checkpoint, shapes
from mem1.train.players import plain
from mem1.train.weights import Shape, buckets, write
from tests.unit.train.conftest import MODEL, OPTIMIZER


def test_file_holds_the_weights_by_the_names_of_a_checkpoint(tmp_path: Path) -> None:
    model = new_model(MODEL, 50, 0)
    policy = plain(Actor(model), OPTIMIZER)
    path = tmp_path / "weights.safetensors"
    write(path, shapes(policy), by_checkpoint(policy))

    model.save_pretrained(tmp_path / "model")
    expected = load_file(tmp_path / "model" / "model.safetensors")
    found = load_file(path)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    assert path.stat().st_mode & 0o077 == 0
    assert [one.name for one in tmp_path.iterdir() if "weights" in one.name] == [path.name]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_halves_keep_their_bits(dtype: torch.dtype, tmp_path: Path) -> None:
    value = torch.randn(3, 5, generator=torch.Generator().manual_seed(0)).to(dtype).t()
    write(tmp_path / "w", [Shape("w", dtype, (5, 3))], [("w", value)])
    assert torch.equal(load_file(tmp_path / "w")["w"], value)


def test_a_tensor_of_another_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="w is not"):
        write(tmp_path / "w", [Shape("w", torch.float32, (2,))], [("w", torch.zeros(3))])
    assert not (tmp_path / "w").exists()


def test_buckets_are_full_and_in_order() -> None:
    sizes = [3, 1, 1, 9, 2, 2]
    found = buckets([Shape(str(n), torch.float32, (n,)) for n in sizes], most=4 * 4)
    assert [[len(one.shape) and one.shape[0] for one in group] for group in found] == [
        [3, 1], [1], [9], [2, 2],
    ]  # fmt: skip
