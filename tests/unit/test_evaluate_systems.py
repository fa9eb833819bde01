"""The command with models that others serve or have published, and with a stand-in for the web."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from mem1 import evaluate
from mem1.config_retrieval import Retrieval
from mem1.errors import InputError
from mem1.provenance import write_json
from mem1.records import Task, Trajectory, read_jsonl, write_jsonl
from mem1.retrieval import bm25
from mem1.tasks.compose import save_panel
from tests.unit.agent.engines.openai_server import BASE, ROOT, Served
from tests.unit.agent.engines.test_http import AGENT, TASKS, WORLD
from tests.unit.retrieval.servers import scripted, send
from tests.unit.test_evaluate import make_inputs

SETTINGS = Retrieval(k=3, k1=1.5, b=0.75)


def atlas_inputs(folder: Path, tasks: list[Task] = TASKS, **system: Any) -> list[str]:
    """A small world and a panel; the arguments of the command, without a model."""
    write_jsonl(folder / "passages.jsonl", WORLD.passages)
    bm25.build(WORLD.passages, SETTINGS, folder / "index")
    save_panel(folder / "panel.jsonl", tasks, {})
    section = {
        "policy": "mem1",
        "prompt": "mem1",
        "agent": AGENT.model_dump(mode="json"),
        "k": 3,
        "temperature": 0.0,
        "batch": 1,
        "seed": 0,
        **system,
    }
    write_json(folder / "config.json", section)
    return (
        f"--config {folder}/config.json --system other --tasks {folder}/panel.jsonl "
        f"--passages {folder}/passages.jsonl --index {folder}/index --output {folder}/out.jsonl"
    ).split()


def server(url: str) -> dict[str, Any]:
    return {
        "url": f"{url}/v1",
        "model": "base",
        "api": "tokens",
        "tokenizer": str(BASE),
        "retries": 0,
    }


def outcomes(path: Path) -> list[Any]:
    """What was done, without times."""
    return [
        (one.task_id, one.end, one.answers, [turn.output for turn in one.turns], one.score)
        for one in read_jsonl(path, Trajectory)
    ]


def test_a_server_that_dies_costs_no_finished_trajectory(
    tmp_path: Path, base_server: Served
) -> None:
    served = 0
    last = 12  # answers that the server gives before it breaks down

    def forward(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        nonlocal served
        served += 1
        if served > last:
            send(handler, b"<html>Bad gateway</html>", 502)
            return
        request = urllib.request.Request(base_server.url + "/completions", body)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=60) as answer:
            send(handler, answer.read())

    with scripted(forward) as url:
        arguments = atlas_inputs(tmp_path, engine="http", server=server(url))
        with pytest.raises(InputError, match=r"/v1/completions gave no answer in 1 attempts"):
            evaluate.main(arguments)
        kept = (tmp_path / ".out.jsonl.partial").read_text(encoding="utf-8").splitlines()[1:]
        assert 1 <= len(kept) < len(TASKS)
        assert not (tmp_path / "out.jsonl").exists()
        served, last = 0, 10**6
        evaluate.main(arguments)
    rest = sum(len(one.turns) for one in read_jsonl(tmp_path / "out.jsonl", Trajectory))
    texts = [line.partition(" ")[2] for line in kept]
    finished = sum(len(Trajectory.model_validate_json(text).turns) for text in texts)
    assert served == rest - finished  # nothing was asked twice

    whole = tmp_path / "whole"
    whole.mkdir()
    evaluate.main([*atlas_inputs(whole, engine="hf"), "--model", str(BASE)])
    assert outcomes(tmp_path / "out.jsonl") == outcomes(whole / "out.jsonl")
    manifest = json.loads((tmp_path / "out.manifest.json").read_text(encoding="utf-8"))
    assert str(BASE / "tokenizer.json") in manifest["inputs"]


def publish(folder: Path) -> Path:
    """The base model as others would have published it."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(BASE)
    model.resize_token_embeddings(1664)  # rounded up, as published vocabularies are
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(BASE / name, folder / name)
    return folder


def test_a_published_checkpoint_acts_with_its_own_tokenizer(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder in (ours, theirs):
        folder.mkdir()
    model = publish(theirs / "model")

    evaluate.main([*atlas_inputs(ours, TASKS[:2], engine="hf"), "--model", str(BASE)])
    arguments = atlas_inputs(theirs, TASKS[:2], engine="hf")
    evaluate.main([*arguments, "--model", str(model)])

    assert outcomes(ours / "out.jsonl") == outcomes(theirs / "out.jsonl")


@pytest.mark.parametrize(
    ("system", "more", "message"),
    [
        (
            {"engine": "hf", "hub": {"name": "lab/name", "revision": "unverified"}},
            [],
            r"systems\.other\.model: the commit of lab/name is unverified: look it up at https",
        ),
        (
            {"engine": "hf", "hub": {"name": "lab/name", "revision": "a" * 40}},
            ["--model", str(BASE)],
            "engine hf and a name on the Hub: leave --model out",
        ),
        (
            {"engine": "http", "server": server("http://127.0.0.1:1")},
            ["--model", str(BASE)],
            "engine http: leave --model out",
        ),
        (
            {"engine": "http", "server": server("http://127.0.0.1:1") | {"tokenizer": "nowhere"}},
            [],
            r"systems\.other\.server\.tokenizer: nowhere is no folder",
        ),
        ({"engine": "oracle-reader"}, [], "brings no tokenizer: name one with --tokenizer"),
        ({"engine": "hf"}, ["--model", str(ROOT / "docs")], r"tokenizer\.json does not exist"),
    ],
)
def test_what_a_system_lacks_is_said_in_one_sentence(
    tmp_path: Path, system: dict[str, Any], more: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        evaluate.main([*atlas_inputs(tmp_path, TASKS[:1], **system), *more])


def stand_in(folder: Path) -> list[str]:
    """Arguments of an oracle that searches the web, which the pages of ``folder`` stand in for."""
    arguments = make_inputs(folder)
    section = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    changed = {"k": 2, "stand_in": SETTINGS.model_dump(mode="json")}
    write_json(folder / "config.json", section | changed)
    return arguments


def test_the_web_is_stood_in_for_while_the_command_runs(tmp_path: Path) -> None:
    evaluate.main(stand_in(tmp_path))
    done = read_jsonl(tmp_path / "eval" / "2.jsonl", Trajectory)
    links = [link for one in done for turn in one.turns for link in turn.passages]
    assert sum(one.score.em for one in done if one.score) == 6
    assert links
    assert all(link.startswith("https://stand-in.invalid/") for link in links)
    assert all(len(turn.passages) <= 2 for one in done for turn in one.turns)
    manifest = json.loads((tmp_path / "eval" / "2.manifest.json").read_text(encoding="utf-8"))
    assert manifest["web"] == "stand-in"
    assert str(tmp_path / "index" / "manifest.json") in manifest["inputs"]
    assert children() == []


def test_a_stand_in_that_does_not_start_says_why(tmp_path: Path) -> None:
    arguments = stand_in(tmp_path)
    write_jsonl(tmp_path / "passages.jsonl", [])
    with pytest.raises(InputError, match=r"The stand-in for the web did not start \(it said: err"):
        evaluate.main(arguments)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_the_stand_in_ends_with_a_command_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\n"
        "from mem1.config_retrieval import Retrieval\n"
        "from mem1.retrieval.stand_in import web_stand_in\n"
        "folder = Path(sys.argv[1])\n"
        "settings = Retrieval(k=3, k1=1.5, b=0.75)\n"
        "with web_stand_in(settings, 2, folder / 'passages.jsonl', folder / 'index'):\n"
        "    print('ready', flush=True)\n    time.sleep(600)\n"
    )
    make_inputs(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    [child] = children(process.pid)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    until = time.monotonic() + 60  # at once, on a machine that is not busy
    while running(child) and time.monotonic() < until:
        time.sleep(0.05)
    assert not running(child)


def running(process: int) -> bool:
    """Whether ``process`` has not ended, waited for or not."""
    try:
        status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def children(parent: int | None = None) -> list[int]:
    """Processes that serve passages and were started by ``parent``, this process by default."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text(encoding="utf-8").rpartition(")")[2].split()
            command = (status.parent / "cmdline").read_text(encoding="utf-8")
        except OSError:
            continue
        if int(fields[1]) == (parent or os.getpid()) and "mem1.serve_retriever" in command:
            found.append(int(status.parent.name))
    return found
