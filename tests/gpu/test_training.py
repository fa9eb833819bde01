"""Reinforcement learning on a GPU: the losses of the CPU, plain and under ZeRO-3."""

from pathlib import Path

import pytest
import torch
from torch import distributed as dist

from mem1.records import StepMetrics, read_jsonl
from mem1.train.processes import Processes
from tests.parity.test_zero import LOSSES, train

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
STEPS = 2  # sampled tokens can differ by rounding soon after


def losses(folder: Path) -> list[list[float]]:
    rows = read_jsonl(folder / "metrics.jsonl", StepMetrics)
    return [[row.values[name] for name in LOSSES] for row in rows]


@pytest.fixture(scope="module")
def on_cpu(tmp_path_factory: pytest.TempPathFactory) -> list[list[float]]:
    folder = tmp_path_factory.mktemp("cpu")
    train("plain", 1, STEPS, folder)
    return losses(folder)


@pytest.mark.parametrize("engine", ["plain", "zero3"])
def test_first_steps_are_those_of_the_cpu(
    engine: str, on_cpu: list[list[float]], tmp_path: Path
) -> None:
    train(engine, 1, STEPS, tmp_path, gpu=True)

    for ours, theirs in zip(losses(tmp_path), on_cpu, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-3)


@pytest.mark.parametrize("engine", ["plain", "zero3"])
def test_bfloat16_with_gradient_checkpointing_trains(engine: str, tmp_path: Path) -> None:
    train(engine, 1, STEPS, tmp_path, gpu=True, precision="bf16", gradient_checkpointing=True)
    rows = read_jsonl(tmp_path / "metrics.jsonl", StepMetrics)

    assert all(row.values["logprob_gap_mean"] < 0.05 for row in rows)
    assert rows[-1].values["gradient_norm"] > 0


def test_numbers_of_the_cpu_are_summed_between_gpus() -> None:
    torch.cuda.set_device(0)
    dist.init_process_group("nccl", store=dist.HashStore(), rank=0, world_size=1)
    try:
        mine = torch.tensor([1.5, 2.0], dtype=torch.float64)
        found = Processes(0, 2).total(mine)  # says two, to take part in the sum of one
        assert (found.device.type, found.tolist()) == ("cpu", mine.tolist())
    finally:
        dist.destroy_process_group()
