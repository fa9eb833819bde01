"""Commands that search, as processes of their own: at a server, on the web, from kept answers."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mem1.provenance import read_json, write_json
from mem1.records import Passage
from mem1.retrieval.web import KEY
from tests.unit.retrieval.servers import ROOT, indexed, served
from tests.unit.test_evaluate import make_inputs

SECRET = "sk-0123456789"
BM25 = {"k": 3, "k1": 1.5, "b": 0.75}


class Evaluations:
    """A small panel, its passages and their index, to be evaluated in several ways."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._arguments = make_inputs(folder)
        write_json(folder / "retrieval.json", BM25)

    def run(
        self, name: str, retrieval: Mapping[str, Any], *more: str, without: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Evaluate with these settings and arguments; records go to the folder ``name``."""
        section = read_json(self.folder / "config.json")
        write_json(self.folder / f"{name}.json", {**section, "retrieval": {**BM25, **retrieval}})
        pairs = dict(zip(self._arguments[::2], self._arguments[1::2], strict=True))
        pairs |= {"--config": f"{self.folder}/{name}.json"}
        pairs |= {"--output": f"{self.folder}/{name}/2.jsonl"}
        kept = [part for pair in pairs.items() if pair[0] not in without for part in pair]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MEM1_")}
        return subprocess.run(
            [sys.executable, "-m", "mem1.evaluate", *kept, *more],
            cwd=ROOT,
            env=environment | {KEY: SECRET},
            capture_output=True,
            text=True,
            check=False,
        )

    def records(self, name: str, *arguments: Any, **options: Any) -> list[Any]:
        """The records of such a run, without times."""
        done = self.run(name, *arguments, **options)
        assert done.returncode == 0, done.stderr
        lines = (self.folder / name / "2.jsonl").read_text(encoding="utf-8").splitlines()
        return [timeless(json.loads(line)) for line in lines]


def timeless(value: Any) -> Any:
    """``value`` without what a clock has measured."""
    if isinstance(value, dict):
        return {k: timeless(v) for k, v in value.items() if not k.endswith("seconds")}
    return [timeless(part) for part in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def evaluations(tmp_path_factory: pytest.TempPathFactory) -> Evaluations:
    return Evaluations(tmp_path_factory.mktemp("evaluations"))


@pytest.fixture(scope="module")
def in_process(evaluations: Evaluations) -> list[Any]:
    """What is recorded where the index is searched by the command itself."""
    found = evaluations.records("in-process", {})
    assert [record["score"]["em"] for record in found] == [2.0] * 3
    return found


def test_an_evaluation_over_http_records_what_one_in_process_does(
    evaluations: Evaluations, in_process: list[Any]
) -> None:
    with served(evaluations.folder) as server:
        found = evaluations.records("url", {"url": server.url}, without=("--index",))
    assert found == in_process


def test_a_server_of_another_split_is_refused(evaluations: Evaluations, tmp_path: Path) -> None:
    indexed(tmp_path, [Passage(id="Ada", title="Ada", text="Ada lives in Elsewhere.")])
    with served(tmp_path) as server:
        done = evaluations.run("other", {"url": server.url})
    assert done.returncode == 2
    assert f"{server.url} searches other passages than those in" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (evaluations.folder / "other").exists()


def test_an_evaluation_on_the_web_finds_the_pages_and_keeps_the_key_to_itself(
    evaluations: Evaluations,
) -> None:
    with served(evaluations.folder, "--web-stand-in") as server:
        web = {"kind": "web", "web": {"url": f"{server.url}/search", "results": 10}}
        found = evaluations.records("web", web, without=("--index",))
    assert [record["score"]["em"] for record in found] == [2.0] * 3
    seen = [name for record in found for turn in record["turns"] for name in turn["passages"]]
    assert "https://stand-in.invalid/Ada" in seen
    for path in (evaluations.folder / "web").iterdir():
        assert SECRET not in path.read_text(encoding="utf-8")


def test_recorded_answers_are_replayed_without_index_or_server(
    evaluations: Evaluations, in_process: list[Any]
) -> None:
    cache = ("--cache", f"{evaluations.folder}/answers.sqlite")
    assert evaluations.records("record", {"cache": "record"}, *cache) == in_process
    replayed = evaluations.records("replay", {"cache": "replay"}, *cache, without=("--index",))
    assert replayed == in_process
