"""Checkpoints of ZeRO-3 in parts: what each process writes, and others make of it."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mem1.train.checkpoint import part_names
from tests.parity.launch import launch

STEPS = 3
SIZES = {"wide.weight": 301 * 401, "wide.bias": 401, "last.weight": 401, "last.bias": 1}
KINDS = [("fp32", 1), ("fp32", 2), ("bf16", 2)]  # precision, processes
OTHERS = {1: (2, 3), 2: (1, 3)}  # in how many others it is gone on with


def parts(folder: Path, step: int, count: int) -> list[dict]:
    """What each of ``count`` processes wrote after ``step`` steps."""
    return [torch.load(folder / n, weights_only=True) for n in part_names(step, count)]


def whole(folder: Path, step: int, count: int) -> dict[str, Tensor]:
    """Weights and moments of a checkpoint, flat, each put together from all parts."""
    found = parts(folder, step, count)
    result = {}
    for name in SIZES:
        result[name] = torch.cat([part["weights"][name] for part in found])
        for key in ("exp_avg", "exp_avg_sq"):
            tensors = [part["moments"][name][key] for part in found]
            result[f"{name} {key}"] = torch.cat(tensors)
    return result


def assert_equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


@dataclass(frozen=True)
class Trained:
    """A training of ``STEPS`` steps."""

    folder: Path
    precision: str
    count: int

    def copied(self, folder: Path) -> Path:
        """A copy that can be gone on with."""
        return shutil.copytree(self.folder, folder / "copy")


@pytest.fixture(scope="module", params=KINDS, ids=[f"{kind} in {n}" for kind, n in KINDS])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    precision, count = request.param
    folder = tmp_path_factory.mktemp("trained")
    launch("shard_worker.py", count, folder, STEPS, precision)
    return Trained(folder, precision, count)


@pytest.mark.slow
def test_each_process_writes_its_share_only(trained: Trained) -> None:
    count = trained.count
    for part in parts(trained.folder, STEPS, count):
        for name, size in SIZES.items():
            tensors = [part["weights"][name], *part["moments"][name].values()]
            assert all(len(one) <= -(-size // count) for one in tensors), name


@pytest.mark.slow
def test_a_file_has_the_bytes_of_the_share_with_padding(trained: Trained) -> None:
    count = trained.count
    share = sum(-(-size // count) for size in SIZES.values())
    for name in part_names(STEPS, count):
        assert (trained.folder / name).stat().st_size < 3 * 4 * share + 20_000, name


@pytest.mark.slow
def test_all_parts_have_each_number_once(trained: Trained) -> None:
    found = whole(trained.folder, STEPS, trained.count)

    assert {name: len(found[name]) for name in SIZES} == SIZES


@pytest.mark.slow
@pytest.mark.parametrize("place", [0, 1])
def test_another_number_of_processes_has_the_same_numbers(
    place: int, trained: Trained, tmp_path: Path
) -> None:
    count = OTHERS[trained.count][place]
    folder = trained.copied(tmp_path)

    launch("shard_worker.py", count, folder, 0, trained.precision)

    expected = whole(trained.folder, STEPS, trained.count)
    assert_equal(whole(folder, STEPS + 1, count), expected)
    weights = torch.load(folder / "weights.pt")
    kind = torch.bfloat16 if trained.precision == "bf16" else torch.float32
    assert_equal(
        {name: value.flatten() for name, value in weights.items()},
        {name: expected[name].to(kind) for name in SIZES},
    )


@pytest.mark.slow
def test_the_same_number_goes_on_bit_for_bit(trained: Trained, tmp_path: Path) -> None:
    count, folder = trained.count, trained.copied(tmp_path)
    for last in folder.glob(f"step-{STEPS:06d}*"):
        last.unlink()

    launch("shard_worker.py", count, folder, STEPS, trained.precision)

    assert_equal(whole(folder, STEPS, count), whole(trained.folder, STEPS, count))
