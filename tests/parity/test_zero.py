"""DeepSpeed ZeRO-3 in one and two processes against plain torch: losses, weights, resume."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mem1.errors import InputError
from mem1.records import StepMetrics, read_jsonl
from mem1.train.experience import own_tasks
from mem1.train.processes import Processes

ROOT = Path(__file__).resolve().parents[2]
STEPS = 10
LOSSES = ("policy", "kl", "entropy", "critic/loss", "reward", "logprob_gap_mean")


def train(
    engine: str, processes: int, steps: int, folder: Path, gpu: bool = False, **changes: object
) -> None:
    """Train in ``folder`` to step ``steps``, with other settings where ``changes`` names them."""
    launcher = [sys.executable]
    if processes > 1:
        launcher += ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    line = [*launcher, str(Path(__file__).with_name("zero_worker.py")), engine, str(steps)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    if not gpu:  # where a compiler is needed: to make the fused kernel
        environment["CUDA_VISIBLE_DEVICES"] = ""
        environment["PATH"] = str(Path(sys.executable).parent)  # so that none is found
    done = subprocess.run(
        [*line, str(folder), json.dumps(changes)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain")
    train("plain", 1, STEPS, folder)
    return folder


@pytest.fixture(scope="module", params=[1, 2], ids=["one process", "two processes"])
def zero(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zero")
    train("zero3", request.param, STEPS, folder)
    return folder


def assert_same(one: Path, other: Path) -> None:
    """The losses of all steps agree to 1e-5, and so do the weights."""
    rows = [read_jsonl(folder / "metrics.jsonl", StepMetrics) for folder in (one, other)]
    assert len(rows[0]) == len(rows[1]) == STEPS
    for ours, theirs in zip(*rows, strict=True):
        for name in LOSSES:
            assert ours.values[name] == pytest.approx(theirs.values[name], abs=1e-5), name
    weights = [torch.load(folder / "weights.pt") for folder in (one, other)]
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_ten_steps_are_those_of_plain_torch(plain: Path, zero: Path) -> None:
    assert_same(plain, zero)


@pytest.mark.slow
def test_engine_samples_with_the_weights_that_learn(zero: Path) -> None:
    rows = read_jsonl(zero / "metrics.jsonl", StepMetrics)

    assert max(row.values["logprob_gap_max"] for row in rows) < 1e-5
    assert rows[-1].values["kl"] > 1e-6  # they have moved


@pytest.mark.slow
def test_another_number_of_processes_goes_on(plain: Path, tmp_path: Path) -> None:
    train("zero3", 2, STEPS // 2, tmp_path)
    train("zero3", 1, STEPS, tmp_path)

    assert_same(plain, tmp_path)


@pytest.mark.slow
def test_gradient_checkpointing_changes_nothing(plain: Path, tmp_path: Path) -> None:
    train("zero3", 1, STEPS, tmp_path, gradient_checkpointing=True)

    assert_same(plain, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["plain", "zero3"])
def test_bfloat16_is_near_fp32(engine: str, plain: Path, tmp_path: Path) -> None:
    train(engine, 1, 2, tmp_path, precision="bf16")
    exact, half = (
        read_jsonl(folder / "metrics.jsonl", StepMetrics)[1].values for folder in (plain, tmp_path)
    )

    assert 1e-5 < half["logprob_gap_mean"] < 2e-2
    assert half["critic/loss"] == pytest.approx(exact["critic/loss"], rel=0.2)


def test_uneven_division_is_refused_with_the_numbers() -> None:
    with pytest.raises(InputError, match=r"6 cannot be divided among 4 processes"):
        own_tasks(12, 2, Processes(0, 4))


def test_each_task_belongs_to_one_process() -> None:
    owned = [own_tasks(12, 2, Processes(rank, 3)) for rank in range(3)]

    assert sorted(i for parts in owned for part in parts for i in part) == list(range(12))
    assert [sorted(i for parts in owned for i in parts[m]) for m in (0, 1)] == [
        list(range(6)),
        list(range(6, 12)),
    ]


def test_several_processes_of_the_plain_engine_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")

    with pytest.raises(InputError, match="2 processes"):
        Processes.started("plain")
