"""What comes from outside is data, servers are for this machine, and keys are shown nowhere."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from mem1 import config_files, evaluate, keys, track_results, tracking
from mem1.errors import InputError
from mem1.retrieval.client import HTTPRetriever
from mem1.train.model import load_checkpoint
from tests.unit.agent.engines.openai_server import BASE
from tests.unit.agent.engines.test_http import TASKS
from tests.unit.retrieval.servers import QUICK, ROOT, ask, indexed, scripted, send, served
from tests.unit.test_evaluate_systems import atlas_inputs

SECRET = "sk-do-not-show-4711"
SOURCES = sorted(p for folder in ("mem1", "benchmarks") for p in (ROOT / folder).rglob("*.py"))

FORBIDDEN = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal"}


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Every call in a file, with its dotted name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def unsafe(path: Path) -> list[str]:
    """What in a file could run a program that a data file holds."""
    found = []
    for name, call in calls(path):
        given = {word.arg: ast.unparse(word.value) for word in call.keywords}
        base, _, verb = name.rpartition(".")
        if name in {"eval", "exec", "yaml.load", "os.system", "os.popen"}:
            found.append(name)
        if given.get("shell") == "True" or "trust_remote_code" in given:
            found.append(ast.unparse(call))
        if name == "torch.load" and given.get("weights_only") != "True":
            found.append(ast.unparse(call))
        if base in {"np", "numpy"} and verb == "load" and given.get("allow_pickle") != "False":
            found.append(ast.unparse(call))
        model = verb == "from_pretrained" and "Tokenizer" not in base
        if model and given.get("use_safetensors") != "True":
            found.append(ast.unparse(call))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names]
            module = getattr(node, "module", None)
            found += sorted(FORBIDDEN & {*names, module})
    return found


def test_no_file_can_run_a_program_that_data_holds() -> None:
    assert len(SOURCES) > 200
    assert {str(path): found for path in SOURCES if (found := unsafe(path))} == {}


def test_a_checkpoint_of_pickles_is_refused(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((BASE / name).read_bytes())
    torch.save(load_file(BASE / "model.safetensors"), tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match="no checkpoint that transformers can load"):
        load_checkpoint(tmp_path)


def test_yaml_makes_no_objects(tmp_path: Path) -> None:
    path = tmp_path / "evil.yaml"
    path.write_text(f"seed: !!python/object/apply:pathlib.Path.touch [{tmp_path / 'made'}]")
    with pytest.raises(InputError, match="not valid YAML"):
        config_files.load(ROOT / "config" / "config.yaml", path)
    assert not (tmp_path / "made").exists()


# Paths and names of the configuration.


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("base_model", "base_model: ../elsewhere"),
        ("base_model", "base_model: models/../../elsewhere"),
        ("systems.x.model", "systems: {x: {label: X, engine: hf, model: ../w, policy: full, "
         "prompt: full}}"),
        ("systems.x.server.tokenizer", "systems: {x: {label: X, engine: http, policy: full, "
         "prompt: full, server: {url: 'http://a', model: m, api: text, tokenizer: ../t}}}"),
        ("sources.files.0.path", "sources: {kind: files, files: [{layout: musique, path: ../x}]}"),
        ("memory.encoder.model", "agent: {memory: {encoder: {model: ../e, revision: null, "
         "pooling: mean, query_prefix: '', passage_prefix: '', max_tokens: 8, batch: 1}}}"),
    ],
)  # fmt: skip
def test_a_path_that_leads_out_of_the_project_is_refused(
    tmp_path: Path, place: str, text: str
) -> None:
    path = tmp_path / "overlay.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=rf"{place}: .* leads out of the project"):
        config_files.load(ROOT / "config" / "config.yaml", path)


def test_an_absolute_path_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "overlay.yaml"
    path.write_text(f"base_model: {tmp_path}/model", encoding="utf-8")
    loaded = config_files.load(ROOT / "config" / "config.yaml", path)
    assert loaded.base_model == f"{tmp_path}/model"


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "a b", "$(x)", "x;y", ""])
@pytest.mark.parametrize("section", ["runs", "systems"])
def test_a_name_that_is_no_name_of_a_folder_is_refused(
    tmp_path: Path, section: str, name: str
) -> None:
    whole = {
        "runs": {"stage": "sft", "policy": "mem1", "start": "base", "seed": 0},
        "systems": {"label": "X", "engine": "oracle-reader", "policy": "mem1", "prompt": "mem1"},
    }
    path = tmp_path / "overlay.yaml"
    path.write_text(json.dumps({section: {name: whole[section]}}), encoding="utf-8")
    with pytest.raises(InputError, match=f"{section}"):
        config_files.load(ROOT / "config" / "config.yaml", path)


# Servers.


def test_a_server_for_other_machines_wants_a_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(keys.RETRIEVER_TOKEN, raising=False)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mem1.serve_retriever", "--host", "0.0.0.0", "--port", "0"),
            *("--config", tmp_path / "x", "--index", tmp_path, "--passages", tmp_path / "y"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert f"set the environment variable {keys.RETRIEVER_TOKEN}" in done.stderr


def test_a_server_with_a_token_answers_those_who_have_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    retriever = indexed(tmp_path)
    monkeypatch.setenv(keys.RETRIEVER_TOKEN, SECRET)
    with served(tmp_path) as server:
        refusal = (401, {"error": "This server wants a token."})
        assert ask(server, {"queries": ["York"]}) == refusal
        assert ask(server, b"", "/health", "GET") == refusal
        assert HTTPRetriever(server.url).search(["York"], 2) == retriever.search(["York"], 2)
        monkeypatch.setenv(keys.RETRIEVER_TOKEN, "sk-wrong-0815")
        with pytest.raises(InputError, match="wants another token") as raised:
            HTTPRetriever(server.url, patience=QUICK)
        assert "sk-wrong-0815" not in str(raised.value)
        assert SECRET not in str(raised.value)


# Keys.


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:pass@host:5000/a", "https://...@host:5000/a"),
        ("postgresql://u:p%40ss@db/name", "postgresql://...@db/name"),
        ("https://host/v1?key=abc&x=1", "https://host/v1?..."),
        ("failed: 'http://u:p@h/x?token=t' (refused)", "failed: 'http://...@h/x?...' (refused)"),
        ("sqlite:////place/mlflow.db", "sqlite:////place/mlflow.db"),
        ("mail me@host about it", "mail me@host about it"),
    ],
)
def test_addresses_are_shown_without_what_is_secret_in_them(text: str, shown: str) -> None:
    assert keys.hidden(text) == shown


def test_receipts_and_warnings_of_a_tracker_hold_no_password(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    address = f"http://me:{SECRET}@127.0.0.1:9"
    assert SECRET not in tracking.display(address)
    with tracking.Live.open(address, "x", "run", tmp_path, {}) as live:
        live.log(1, {"loss": 1.0})
    shown = capsys.readouterr().err
    assert "no live metrics" in shown
    assert SECRET not in shown


@pytest.mark.parametrize("name", ["sk-do-not-show", "my key", "$KEY", "4711"])
def test_a_key_in_place_of_its_variable_is_refused_and_not_shown(tmp_path: Path, name: str) -> None:
    server = {"url": "http://a/v1", "model": "m", "api": "text", "tokenizer": "t", "key": name}
    system = {"label": "X", "engine": "http", "policy": "full", "prompt": "full", "server": server}
    path = tmp_path / "overlay.yaml"
    path.write_text(json.dumps({"systems": {"x": system}}), encoding="utf-8")
    with pytest.raises(InputError, match=r"systems\.x\.server\.key") as raised:
        config_files.load(ROOT / "config" / "config.yaml", path)
    assert name not in str(raised.value)


def test_a_key_lands_neither_in_results_nor_in_mlflow(
    tmp_path: Path, uri: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", SECRET)
    sent: list[str | None] = []

    def answer(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        sent.append(handler.headers["Authorization"])
        if len(sent) == 1:  # a server that complains, and repeats the key
            send(handler, json.dumps({"error": f"busy, {SECRET}"}).encode(), 503)
            return
        text = "<think> a </think> <answer> a ; b </answer>"
        choice = {"text": text, "finish_reason": "stop"}
        send(handler, json.dumps({"choices": [choice]}).encode())

    home = tmp_path / "results" / "secret"
    home.mkdir(parents=True)
    with scripted(answer) as url:
        server = {"url": f"{url}/v1", "model": "m", "api": "text", "tokenizer": str(BASE),
                  "key": "SOME_KEY", "retries": 1}  # fmt: skip
        arguments = atlas_inputs(home, TASKS[:1], engine="http", server=server)
        output = home / "eval" / "other" / f"{TASKS[0].horizon}.jsonl"
        arguments[arguments.index("--output") + 1] = str(output)
        evaluate.main(arguments)
    for folder in ("tables", "figures"):
        (home / folder).mkdir()
        (home / folder / "x.md").write_text("x")
    line = ["--tracking-uri", uri, "--output", str(home / "tracking" / "results.json")]
    track_results.main([*line, "--others", str(output.with_suffix(".manifest.json"))])
    assert set(sent) == {f"Bearer {SECRET}"}
    database = tracking.database(uri)
    assert database is not None
    everything = [p for top in (tmp_path, database.parent) for p in top.rglob("*") if p.is_file()]
    assert output in everything
    assert [path for path in everything if SECRET.encode() in path.read_bytes()] == []
    assert SECRET not in "".join(capsys.readouterr())
