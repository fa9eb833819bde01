"""How long a search takes over HTTP, for 1, 8 and 32 clients at a time.

    python -m benchmarks.retrieval_server [--output FILE]

A server process searches generated passages with BM25 (``benchmarks.generated_text``); each
client is a thread that sends one query after another, each over a connection of its own, as
rollouts do. Output: the median and the 99th percentile of the latency, in milliseconds on the
wall, and searches per second; beside them the same searches in process. The numbers of clients
take turns. All clients are threads of one Python process, and clients and server share the
machine, so with many clients their own work is part of what they wait for.
"""

import os
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import common, generated_text
from mem1 import cli
from mem1.config_files import load
from mem1.errors import InputError
from mem1.provenance import read_json, write_json
from mem1.retrieval import bm25
from mem1.retrieval.base import Retriever
from mem1.retrieval.client import HTTPRetriever
from mem1.retrieval.passages import scan

K = 3
CLIENTS = (1, 8, 32)


def latencies(retriever: Retriever, queries: Sequence[str], clients: int) -> dict[str, float]:
    """What ``clients`` threads see that share the ``queries``."""

    def one(query: str) -> float:
        start = time.perf_counter()
        retriever.search([query], K)
        return 1e3 * (time.perf_counter() - start)

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(one, queries[:clients]))  # threads and caches are warm
        start = time.perf_counter()
        milliseconds = list(pool.map(one, queries))
        whole = time.perf_counter() - start
    return {
        "p50_ms": float(np.percentile(milliseconds, 50)),
        "p99_ms": float(np.percentile(milliseconds, 99)),
        "searches_per_s": len(queries) / whole,
    }


def measure(folder: Path, arguments: Namespace) -> dict[str, Any]:
    """Search in process and over HTTP, in turns. ``load_average``: of the machine before that.

    Raises:
        InputError: the server does not start.
    """
    settings = load(common.ROOT / "config" / "config.yaml").retrieval.of_kind("bm25").built()
    write_json(folder / "retrieval.json", settings.model_dump(mode="json"))
    corpus = generated_text.write(folder, arguments.passages, arguments.searches, arguments.seed)
    queries = read_json(folder / "queries.json")
    bm25.build(scan(folder / "passages.jsonl"), settings, folder / "index")
    local = bm25.load(folder / "index", folder / "passages.jsonl")
    command = [sys.executable, "-m", "mem1.serve_retriever", "--port", "0"]
    command += ["--config", str(folder / "retrieval.json"), "--index", str(folder / "index")]
    command += ["--passages", str(folder / "passages.jsonl")]
    with subprocess.Popen(command, cwd=common.ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            remote = HTTPRetriever(_address(server))
            if remote.search(queries[:64], K) != local.search(queries[:64], K):
                raise InputError("The server finds something else than the index in process.")
            runs = {"in process": partial(latencies, local, queries, 1)}
            runs |= {str(n): partial(latencies, remote, queries, n) for n in CLIENTS}
            load_average = common.significant(os.getloadavg()[0])
            found = [{name: run() for name, run in runs.items()} for _ in range(arguments.rounds)]
        finally:
            server.terminate()
    rows = {
        name: {
            value: common.spread([each[name][value] for each in found]) for value in found[0][name]
        }
        for name in runs
    }
    return {
        "corpus": corpus,
        "load_average": load_average,
        "in_process": rows.pop("in process"),
        "http_by_clients": rows,
    }


def _address(server: "subprocess.Popen[str]") -> str:
    assert server.stdout is not None
    address = server.stdout.readline().strip()
    if not address:
        raise InputError("The server did not start: see its message above.")
    return address


def main(argv: Sequence[str]) -> None:
    """Measure, print, write."""
    parser = cli.parser(__doc__)
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--searches", type=int, default=2000, help="by all clients together")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="JSON file; benchmarks/results/ without it")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        results = measure(Path(folder), arguments)
    rows = {"in process": results["in_process"]}
    rows |= {f"HTTP, {n} clients": row for n, row in results["http_by_clients"].items()}
    for name, row in rows.items():
        print(
            f"{name:<16} p50 {row['p50_ms']['median']:>7} ms   p99 {row['p99_ms']['median']:>7} ms"
            f"   {row['searches_per_s']['median']:>6} searches/s"
        )
    settings = {k: v for k, v in vars(arguments).items() if k != "output"}
    print(
        common.write(
            arguments.output, "retrieval_server", {**settings, "k": K}, results, clock="wall"
        )
    )


if __name__ == "__main__":
    cli.run(main)
