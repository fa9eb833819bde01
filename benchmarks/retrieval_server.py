"""How long a search takes over HTTP, for 1, 8 and 32 clients at a time.

    python -m benchmarks.retrieval_server [--output FILE]

A server process searches a generated world with BM25; each client is a thread that sends one
query after another, each a connection of its own, as rollouts do. Output: the median and the
99th percentile of the latency, in milliseconds on the wall, and searches per second; beside
them the time of the same searches in process. Clients and server share the machine, so other
work on it slows both.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import common
from mem1 import cli
from mem1.config_files import load
from mem1.provenance import write_json
from mem1.records import write_jsonl
from mem1.retrieval import bm25
from mem1.retrieval.base import Retriever
from mem1.retrieval.client import HTTPRetriever
from mem1.tasks import atlas

K = 3
CLIENTS = (1, 8, 32)


def latencies(search: Callable[[str], Any], queries: Sequence[str], clients: int) -> dict[str, Any]:
    """What ``clients`` threads see that share the ``queries``."""

    def one(query: str) -> float:
        start = time.perf_counter()
        search(query)
        return 1e3 * (time.perf_counter() - start)

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(one, queries[:clients]))  # threads and caches are warm
        start = time.perf_counter()
        seconds = list(pool.map(one, queries))
        whole = time.perf_counter() - start
    return {
        "clients": clients,
        "searches": len(queries),
        "p50_ms": common.significant(float(np.percentile(seconds, 50))),
        "p99_ms": common.significant(float(np.percentile(seconds, 99))),
        "searches_per_s": common.significant(len(queries) / whole),
    }


def measure(folder: Path, entities: int, searches: int) -> dict[str, Any]:
    """Search a world of so many entities per type so often, in process and over HTTP."""
    config = load(common.ROOT / "config" / "config.yaml")
    settings = config.retrieval.of_kind("bm25").built()
    world = atlas.generate(
        config.world.model_copy(update={"entities_per_type": entities}), seed=0, split="test"
    )
    write_json(folder / "retrieval.json", settings.model_dump(mode="json"))
    write_jsonl(folder / "passages.jsonl", world.passages)
    bm25.build(world.passages, settings, folder / "index")
    local = bm25.load(folder / "index", folder / "passages.jsonl")
    asked = [question.text for question in world.questions]
    queries = [asked[number % len(asked)] for number in range(searches)]

    def search(retriever: Retriever) -> Callable[[str], Any]:
        return lambda query: retriever.search([query], K)

    command = [sys.executable, "-m", "mem1.serve_retriever", "--port", "0"]
    command += ["--config", str(folder / "retrieval.json"), "--index", str(folder / "index")]
    command += ["--passages", str(folder / "passages.jsonl")]
    with subprocess.Popen(command, cwd=common.ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            remote = HTTPRetriever(server.stdout.readline().strip())
            rows = [latencies(search(remote), queries, clients) for clients in CLIENTS]
        finally:
            server.terminate()
    return {
        "passages": len(world.passages),
        "in_process": latencies(search(local), queries, 1),
        "http": rows,
    }


def main(argv: Sequence[str]) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, help="JSON file (default: benchmarks/results/)")
    parser.add_argument("--entities", type=int, default=60, help="entities of each type")
    parser.add_argument("--searches", type=int, default=1000, help="by all clients together")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        results = measure(Path(folder), arguments.entities, arguments.searches)
    for row in (results["in_process"], *results["http"]):
        kind = "in process" if row is results["in_process"] else f"HTTP, {row['clients']} clients"
        print(
            f"{kind:<18} p50 {row['p50_ms']:>8} ms   p99 {row['p99_ms']:>8} ms   "
            f"{row['searches_per_s']:>7} searches/s"
        )
    settings = {"k": K, "entities": arguments.entities, "searches": arguments.searches}
    print(common.write(arguments.output, "retrieval-server", settings, results))


if __name__ == "__main__":
    cli.run(main)
