"""The import from a server that speaks the Hub's API, by a process of its own."""

import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from mem1.provenance import file_digest
from mem1.records import Question, read_jsonl
from mem1.tasks import catalogue, hub
from tests.unit.retrieval.servers import ROOT, Respond, scripted
from tests.unit.tasks.test_hub import BY_REVISION, QUESTIONS, dataset, questions

__all__ = ["questions"]  # a fixture

PATIENT = {"HF_HUB_ETAG_TIMEOUT": "120", "HF_HUB_DOWNLOAD_TIMEOUT": "120"}  # seconds


def serve(file: Path, digest: str) -> Respond:
    """Answers as the Hub does of a repository with one file that is not in LFS."""
    content = file.read_bytes()

    def respond(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        info = {"type": "file", "path": f"folder/{file.name}", "size": len(content), "oid": digest}
        answers: dict[str, bytes] = {
            "revision": json.dumps({"id": "someone/sets", "sha": "a" * 40}).encode(),
            "paths-info": json.dumps([info]).encode(),
            "resolve": content,
        }
        asked = next((name for name in answers if f"/{name}/" in handler.path), None)
        answer = answers.get(asked or "", b"")
        handler.send_response(200 if asked else 404)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(answer)))
        handler.send_header("ETag", f'"{digest}"')
        handler.send_header("X-Repo-Commit", "a" * 40)
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(answer)

    return respond


@pytest.mark.parametrize("same", [True, False])
def test_a_file_that_is_not_in_lfs_is_pinned_by_its_commit(
    tmp_path: Path, questions: Path, same: bool
) -> None:
    row = dataset(questions, **BY_REVISION)
    section = {"part": "test", "max_passages": None, "sets": [row.model_dump(mode="json")]}
    (tmp_path / "sources.json").write_text(json.dumps(section))
    digest = catalogue.git_digest(questions) if same else "0" * 40
    with scripted(serve(questions, digest)) as url:
        command = [sys.executable, "-m", "mem1.import_hub", "--config", f"{tmp_path}/sources.json"]
        done = subprocess.run(
            [*command, "--output-dir", f"{tmp_path}/world"],
            cwd=ROOT,
            env=os.environ | PATIENT | {"HF_ENDPOINT": url, "HF_HOME": f"{tmp_path}/home"},
            capture_output=True,
            text=True,
            check=False,
        )
    if not same:
        assert done.returncode == 2
        assert "and the Hub's 0000" in done.stderr.splitlines()[-1]
        assert not (tmp_path / "world").exists()
        return
    assert done.returncode == 0, done.stderr
    assert read_jsonl(tmp_path / "world" / "questions.jsonl", Question)[0].text == "who?"
    manifest = json.loads((tmp_path / "world" / "manifest.json").read_text())
    assert manifest["inputs"] == {
        hub.address(row): {"sha256": file_digest(questions), "count": len(QUESTIONS)}
    }
