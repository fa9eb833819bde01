"""Reinforcement learning that searches at a server, as processes of their own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mem1 import config_files, stages
from mem1.provenance import file_digest, write_json
from mem1.records import write_jsonl
from mem1.retrieval import bm25
from mem1.tasks import atlas, compose
from tests.unit.retrieval.servers import ROOT, served

SHORT = {
    "rl": {"engine": "plain", "steps": 1, "tasks": 1, "group": 2},
    "tasks": {"train_count": 2, "max_turns": {1: 2, 2: 2, 16: 2}},
    "agent": {"max_new_tokens": 64},
    "runs": {"rl-mem1": {"start": "base"}},
}


@pytest.mark.slow
def test_a_training_over_http_is_the_one_in_process(tmp_path: Path) -> None:
    smoke = config_files.load(ROOT / "config" / "config.yaml", ROOT / "config" / "smoke.yaml")
    settings = config_files.parse(config_files.merge(smoke.model_dump(), SHORT))
    world = atlas.generate(settings.world, settings.seed, "train")
    write_jsonl(tmp_path / "passages.jsonl", world.passages)
    bm25.build(world.passages, settings.retrieval, tmp_path / "index")
    write_json(tmp_path / "retrieval.json", settings.retrieval.built().model_dump(mode="json"))
    tasks = compose.compose(world.questions, 2, 2, "train", settings.tasks, 0)
    compose.save_panel(tmp_path / "panel.jsonl", tasks, {})

    def trained(name: str, url: object, *index: str) -> tuple[str, str]:
        """Digest of the weights, and the metrics, of a training that searches so."""
        changed = config_files.merge(settings.model_dump(), {"retrieval": {"url": url}})
        run = stages.training_run(config_files.parse(changed), "rl-mem1")
        write_json(tmp_path / f"{name}.json", run.model_dump(mode="json"))
        command = [sys.executable, "-m", "mem1.train_rl", "--config", f"{tmp_path}/{name}.json"]
        command += ["--start", "models/base", "--tasks", f"{tmp_path}/panel.jsonl"]
        command += ["--passages", f"{tmp_path}/passages.jsonl", *index]
        command += ["--checkpoint-dir", f"{tmp_path}/{name}-checkpoints"]
        command += ["--output-dir", f"{tmp_path}/{name}"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        folder = tmp_path / name
        return file_digest(folder / "model" / "model.safetensors"), metrics(folder)

    here = trained("here", None, "--index", f"{tmp_path}/index")
    with served(tmp_path) as server:
        elsewhere = {"train": server.url, "test": "http://127.0.0.1:9"}
        assert trained("there", elsewhere) == here
    manifest = json.loads((tmp_path / "there" / "manifest.json").read_text())
    assert f"{tmp_path}/there/retriever.json" in manifest["inputs"]


def metrics(folder: Path) -> str:
    """What was logged, without times."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert len(rows) == 1
    values = rows[0]["values"]
    return json.dumps({k: v for k, v in values.items() if "second" not in k}, sort_keys=True)
