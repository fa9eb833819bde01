"""Which commit MLflow is told, of a training that is older than the code that publishes it."""

import json

import pytest

from mem1 import tracking
from mem1.analysis import publish
from mem1.made import commit
from mem1.provenance import write_json
from mem1.records import StepMetrics, write_jsonl


def manifest(path, made):
    write_json(path, {"command": "train_rl"} | ({"made": {"commit": made}} if made else {}))
    return path


@pytest.mark.parametrize(
    ("made", "told"), [(["a"], "a"), (["b", "a", "b"], "a, b"), (["a", None], "a")]
)
def test_the_commits_are_those_of_the_manifests(made, told, tmp_path):
    paths = [manifest(tmp_path / f"{number}.json", one) for number, one in enumerate(made)]
    assert publish.made_at([*paths, tmp_path / "absent.json"]) == told


def test_without_a_manifest_that_says_so_it_is_the_commit_of_now(tmp_path):
    assert publish.made_at([manifest(tmp_path / "old.json", None)]) == commit()


def test_a_training_has_the_commit_that_it_was_made_at(uri, tmp_path):
    run = tmp_path / "train" / "rl-mem1"
    write_jsonl(run / "metrics.jsonl", [StepMetrics(step=1, values={"em": 1.0})])
    manifest(run / "manifest.json", "older")
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"name": "rl-mem1"}))
    receipt = publish.publish_run(uri, "commits", "rl-mem1", run, tmp_path / "state", config)
    tags = tracking.connect(uri).get_run(receipt["run_id"]).data.tags
    assert receipt["commit"] == tags["mem1.commit"] == "older"
