"""Servers for tests: real processes of ours, and one that misbehaves as it is told."""

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from mem1.config_retrieval import Retrieval
from mem1.provenance import write_json
from mem1.records import Passage, write_jsonl
from mem1.retrieval import bm25
from mem1.retrieval.transport import Patience

ROOT = Path(__file__).parents[3]
SETTINGS = Retrieval(k=3, k1=1.5, b=0.75)
# A timeout that an idle server could miss on a busy machine is for silent servers alone.
QUICK = Patience(attempts=4, timeout=60, first=0.01, longest=0.02)  # gives up soon
HASTY = Patience(attempts=100, timeout=0.5, first=0.01, longest=0.02)  # outlasts silence
STEADY = Patience(attempts=400, timeout=60, first=0.05, longest=0.5)  # outlasts a restart
CITIES = [
    Passage(id="p0", title="Velmora", text="Velmora is a company. It makes glass."),
    Passage(id="p1", title="Ann Lee", text="Ann Lee founded the company Velmora in York."),
    Passage(id="p2", title="York", text="York is a city."),
]


def indexed(folder: Path, passages: list[Passage] = CITIES) -> bm25.BM25Retriever:
    """Passages, their index and a frozen section in ``folder``; the retriever over them."""
    write_json(folder / "retrieval.json", SETTINGS.model_dump())
    write_jsonl(folder / "passages.jsonl", passages)
    bm25.build(passages, SETTINGS, folder / "index")
    return bm25.load(folder / "index", folder / "passages.jsonl")


class Served:
    """A server process over the files that ``indexed`` wrote."""

    def __init__(self, folder: Path, *arguments: str, port: int = 0) -> None:
        command = [sys.executable, "-m", "mem1.serve_retriever", "--port", str(port)]
        command += ["--config", f"{folder}/retrieval.json", "--index", f"{folder}/index"]
        command += ["--passages", f"{folder}/passages.jsonl", *arguments]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        assert self.url.startswith("http://127.0.0.1:"), self.process.communicate()[1]
        self.port = int(self.url.rsplit(":", 1)[1])

    def kill(self) -> None:
        """As if the machine had gone."""
        self.process.kill()
        self.process.communicate()

    def stop(self) -> tuple[int, str]:
        """Ask it to stop; its exit status and what it complained of."""
        self.process.terminate()
        errors = self.process.communicate(timeout=60)[1]
        return self.process.returncode, errors


@contextmanager
def served(folder: Path, *arguments: str) -> Iterator[Served]:
    """A server that is gone afterwards, whatever happens."""
    server = Served(folder, *arguments)
    try:
        yield server
    finally:
        server.kill()


def ask(
    server: Served, body: Any, path: str = "/retrieve", method: str = "POST"
) -> tuple[int, Any]:
    """Status and JSON of one request; ``body`` may be bytes."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.request(method, path, data)
    reply = connection.getresponse()
    value = json.loads(reply.read())
    connection.close()
    return reply.status, value


def alive(server: Served) -> bool:
    """Whether it still finds what is in ``CITIES``."""
    return ask(server, {"queries": ["York"], "topk": 1})[1]["result"][0][0]["id"] == "p2"


def accepts(port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=60).close()
    except ConnectionRefusedError:
        return False
    return True


Respond = Callable[[BaseHTTPRequestHandler, bytes], None]


@contextmanager
def scripted(respond: Respond) -> Iterator[str]:
    """The address of a server in this process that answers each request with ``respond``."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

        def _answer(self) -> None:
            respond(self, self.rfile.read(int(self.headers.get("Content-Length", 0))))

        do_POST = do_GET = do_HEAD = _answer  # noqa: N815 - names that the base class gives

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def send(handler: BaseHTTPRequestHandler, value: Any, status: int = 200, cut: int = 0) -> None:
    """Answer with ``value`` as JSON, without its last ``cut`` bytes."""
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(text)))
    handler.end_headers()
    with suppress(ConnectionError):  # the client did not wait
        handler.wfile.write(text[: len(text) - cut])


def say_nothing(handler: BaseHTTPRequestHandler) -> None:
    """Answer nothing until the client has hung up."""
    handler.close_connection = True
    with suppress(ConnectionError):
        handler.connection.recv(1)
