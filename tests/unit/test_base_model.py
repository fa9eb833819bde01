"""The committed base model is the one that was trained, and its training can be repeated."""

import json
import subprocess
import sys
from pathlib import Path
from statistics import fmean

import pytest
from safetensors.torch import load_file

from mem1 import config_files, stages
from mem1.provenance import file_digest, write_json
from mem1.records import StepMetrics, read_jsonl
from mem1.tasks import tokenizer
from mem1.train.base import base_rate, horizons_at
from mem1.train.model import WEIGHTS, load_model

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "models/base"


def test_weights_are_those_of_the_manifest() -> None:
    manifest = json.loads((FOLDER / "manifest.json").read_text())

    assert file_digest(FOLDER / WEIGHTS) == manifest["outputs"][WEIGHTS]


def test_it_is_small_and_loads_with_the_tokenizer_of_atlas() -> None:
    _, codec = load_model(FOLDER)

    assert (FOLDER / WEIGHTS).stat().st_size < 10 * 2**20
    assert codec.backend.to_str() == tokenizer.word_level().to_str()


def test_its_metrics_cover_the_configured_training() -> None:
    settings = config_files.load(ROOT / "config/config.yaml")
    steps = [row.step for row in read_jsonl(FOLDER / "metrics.jsonl", StepMetrics)]

    assert steps == list(range(10, settings.base.steps + 1, 10))  # means of ten steps


def test_its_learning_rate_was_the_one_that_the_schedule_gives() -> None:
    settings = config_files.load(ROOT / "config/config.yaml", ROOT / "config/base.yaml")
    run = stages.base_run(settings)
    for row in read_jsonl(FOLDER / "metrics.jsonl", StepMetrics):  # means of ten steps
        expected = fmean(base_rate(step, run) for step in range(row.step - 10, row.step))
        assert row.values["rate"] == pytest.approx(expected, rel=1e-3)


def test_its_tasks_grow_with_the_steps() -> None:
    settings = config_files.load(ROOT / "config/config.yaml", ROOT / "config/base.yaml")
    run = stages.base_run(settings)
    growth = run.base.growth
    for first, largest in growth.items():
        assert horizons_at(first, run) == list(range(1, largest + 1))
    assert max(horizons_at(max(growth) - 1, run)) < max(growth.values())


@pytest.mark.slow
def test_a_shortened_training_runs_and_repeats_itself(tmp_path: Path) -> None:
    settings = config_files.load(ROOT / "config/config.yaml", ROOT / "config/base.yaml")
    run = stages.base_run(settings).model_dump(mode="json")
    run["base"] |= {
        "steps": 12,
        "tokens": 2000,
        "growth": {"0": 2},
        "restarts": {},
        "precision": "fp32",
    }
    run["base"]["optimizer"]["warmup"] = 1
    write_json(tmp_path / "base.json", run)
    for name in ("first", "second"):
        subprocess.run(
            [sys.executable, "-m", "mem1.train_base", "--config", tmp_path / "base.json",
             "--checkpoint-dir", tmp_path / f"{name}-checkpoints", "--output-dir", tmp_path / name],
            check=True, cwd=ROOT,
        )  # fmt: skip

    first, second = (load_file(tmp_path / name / WEIGHTS) for name in ("first", "second"))

    assert all(first[key].equal(second[key]) for key in first)
    each_step = read_jsonl(tmp_path / "first-checkpoints/metrics.jsonl", StepMetrics)
    losses = [row.values["mem1/loss"] for row in each_step]
    assert max(losses[-3:]) < losses[0] - 0.5
