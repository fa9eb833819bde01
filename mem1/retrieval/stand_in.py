"""The stand-in for the web as a process of its own, for a command that needs one while it runs."""

import ctypes
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

from mem1 import keys
from mem1.config_retrieval import Retrieval
from mem1.errors import InputError
from mem1.retrieval.web import WebRetriever

_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
_SIGNAL_AT_PARENTS_END = 1  # PR_SET_PDEATHSIG of prctl(2)


@contextmanager
def web_stand_in(
    settings: Retrieval, results: int, passages: Path, index: Path, threads: int = 1
) -> Iterator[WebRetriever]:
    """A web retriever that asks ``mem1.serve_retriever --web-stand-in`` over an index.

    The server listens at a free port of this machine, and is gone with the block; on Linux it
    goes with this process too, however that ends.

    Args:
        settings: what ``index`` was built with.
        results: web results of a query.
        passages: the passages (JSONL) of the index.
        index: its folder.
        threads: of the server.

    Raises:
        InputError: it does not start; the message has what it said.
    """
    with TemporaryDirectory() as folder, TemporaryFile("w+", encoding="utf-8") as said:
        config = Path(folder, "retrieval.json")
        config.write_text(json.dumps(settings.model_dump(mode="json")), encoding="utf-8")
        options = {"config": config, "passages": passages, "index": index, "threads": threads}
        command = [sys.executable, "-m", "mem1.serve_retriever", "--web-stand-in", "--port", "0"]
        command += [text for name, value in options.items() for text in (f"--{name}", str(value))]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=said, text=True, preexec_fn=_end_with_parent
        )
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            if not address:
                process.wait()
                said.seek(0)
                last = (said.read().strip().splitlines() or ["nothing"])[-1]
                raise InputError(
                    f"The stand-in for the web did not start (it said: {last}): correct what it "
                    f"names, or build {index} again."
                )
            yield WebRetriever(
                f"{address}/search", results, key=keys.read(keys.RETRIEVER_TOKEN) or "stand-in"
            )
        finally:
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()


def _end_with_parent() -> None:
    """Called in the child: ask the kernel to end it when its parent is gone."""
    if _LIBC is not None:
        _LIBC.prctl(_SIGNAL_AT_PARENTS_END, signal.SIGTERM)
