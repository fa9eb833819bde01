"""Trainings of preset `smoke`, killed in the middle of writing, end with the bytes of a whole run.

They die at a stated moment, whatever the speed of the machine; `test_chaos` has random ones.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mem1 import config_files, stages
from mem1.dependencies import code_digest
from mem1.provenance import file_digest, write_json
from mem1.train.model import WEIGHTS

ROOT = Path(__file__).resolve().parents[2]
# Of a checkpoint first the state is renamed, then its manifest. Each run goes on from the one
# before: nothing is whole yet; a state without its manifest; the next state; what comes after it.
RENAMES = (1, 2, 3, 3)
DYING = """
import os, signal

left, rename = int(os.environ["DIE_AT_RENAME"]), os.replace


def replace(*arguments, **options):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(*arguments, **options)


os.replace = replace
"""


def command(verb: str, *arguments: object) -> list[str]:
    return [sys.executable, "-m", f"mem1.{verb}", *map(str, arguments)]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """World, index, tokenizer, panel and frozen sections of the preset."""
    folder = tmp_path_factory.mktemp("smoke")
    settings = config_files.load(ROOT / "config/config.yaml", ROOT / "config/smoke.yaml")
    for name in ("world", "retrieval", "tasks-train-2", "run-sft-mem1", "run-rl-mem1"):
        section = stages.frozen(settings, name)
        write_json(folder / f"{name}.json", section.model_dump(mode="json"))
    world = folder / "world"
    panel = folder / "train-2.jsonl"
    for line in (
        command("make_world", "--config", folder / "world.json", "--seed", 0, "--split", "train",
                "--output-dir", world),
        command("build_index", "--config", folder / "retrieval.json", "--passages",
                world / "passages.jsonl", "--output-dir", folder / "index"),
        command("make_tokenizer", "--atlas", "--output-dir", folder / "tokenizer"),
        command("compose", "--config", folder / "tasks-train-2.json", "--seed", 0, "--questions",
                world / "questions.jsonl", "--split", "train", "--horizon", 2, "--output", panel),
    ):  # fmt: skip
        subprocess.run(line, check=True, cwd=ROOT)
    return folder


def training(inputs: Path, stage: str, folder: Path) -> list[str]:
    """The command of a training that writes below ``folder``."""
    arguments = {
        "config": inputs / f"run-{stage}-mem1.json",
        "start": ROOT / "models/base",
        "index": inputs / "index",
        "checkpoint-dir": folder / "checkpoints",
        "output-dir": folder / "run",
    }
    if stage == "sft":
        arguments |= {"tokenizer": inputs / "tokenizer", "world": inputs / "world"}
    else:
        passages = inputs / "world/passages.jsonl"
        arguments |= {"tasks": inputs / "train-2.jsonl", "passages": passages}
    pairs = [(f"--{name}", value) for name, value in arguments.items()]
    return command(f"train_{stage}", *(word for pair in pairs for word in pair))


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["sft", "rl"])
def test_killed_training_ends_with_the_same_weights(
    stage: str, inputs: Path, tmp_path: Path
) -> None:
    subprocess.run(training(inputs, stage, tmp_path / "whole"), check=True, cwd=ROOT)
    (tmp_path / "sitecustomize.py").write_text(DYING)
    for number in RENAMES:
        dying = {"PYTHONPATH": str(tmp_path), "DIE_AT_RENAME": str(number)}
        line = training(inputs, stage, tmp_path / "cut")
        died = subprocess.run(line, cwd=ROOT, env=os.environ | dying, check=False)
        assert died.returncode == -signal.SIGKILL
        assert not (tmp_path / "cut/run/manifest.json").exists()

    subprocess.run(training(inputs, stage, tmp_path / "cut"), check=True, cwd=ROOT)

    for name in (f"model/{WEIGHTS}", "metrics.jsonl"):
        whole, cut = (tmp_path / kind / "run" / name for kind in ("whole", "cut"))
        assert file_digest(whole) == file_digest(cut), name


def test_checkpoint_of_another_configuration_is_refused(inputs: Path, tmp_path: Path) -> None:
    line = training(inputs, "sft", tmp_path)
    checkpoints = tmp_path / "checkpoints"
    checkpoints.mkdir()
    identity = {"code": code_digest("train_sft"), "configuration": "another", "input": "x"}
    (checkpoints / "step-000001.pt").write_bytes(b"whole")
    parts = {"step-000001.pt": file_digest(checkpoints / "step-000001.pt")}
    other = {"step": 1, "parts": parts, "identity": identity}
    write_json(checkpoints / "step-000001.json", other)

    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 2
    assert "another configuration" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()
