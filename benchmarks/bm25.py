"""BM25 over many passages: ours, rank_bm25, and Lucene through pyserini.

    python -m benchmarks.bm25 [--passages N ...] [--pyserini PYTHON] [--output FILE]

Passages and queries are generated (``benchmarks.generated_text``). Each side builds its index
and answers in a process of its own with one thread; they take turns, and a ratio is that of
the same queries in the same round. All answers of ours are compared with those of BM25 in
Lucene's form as its formula says, in float64, equal scores in order of passages.

``--pyserini`` is the Python of an environment that has pyserini, which needs Java.
"""

import shutil
import sys
import tempfile
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks import common, generated_text
from benchmarks.bm25_sides import K
from benchmarks.side import NOT_RUN, Side
from mem1 import cli
from mem1.config_files import load
from mem1.errors import InputError
from mem1.provenance import read_json, write_json

LONGEST = 600  # seconds that rank_bm25 may take, estimated from the size before


def main(argv: Sequence[str]) -> None:
    """Measure, print, write."""
    parser = cli.parser(__doc__)
    parser.add_argument("--passages", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--queries", type=int, default=2000, help="that are compared")
    parser.add_argument("--few", type=int, default=4, help="queries of a round for rank_bm25")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pyserini", type=Path, metavar="PYTHON")
    parser.add_argument("--output", type=Path, help="JSON file; benchmarks/results/ without it")
    arguments = parser.parse_args(argv)
    if arguments.few * arguments.rounds > arguments.queries:
        raise InputError("--queries must be at least --few times --rounds.")
    torch.set_num_threads(1)  # decides which seconds common.machine() names
    cases: list[dict[str, Any]] = []
    for passages in sorted(arguments.passages):
        with tempfile.TemporaryDirectory() as folder:
            cases.append(measure(Path(folder), passages, arguments, cases))
        show(cases[-1])
    settings = {k: v for k, v in vars(arguments).items() if k not in ("output", "pyserini")}
    print(common.write(arguments.output, "bm25", {**settings, "k": K}, {"cases": cases}))


def measure(
    folder: Path, passages: int, arguments: Namespace, before: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """All sides on so many passages. ``before``: what smaller sizes gave."""
    settings = load(common.ROOT / "config" / "config.yaml").retrieval.of_kind("bm25").built()
    write_json(folder / "retrieval.json", settings.model_dump(mode="json"))
    corpus = generated_text.write(folder, passages, arguments.queries, arguments.seed)
    queries = read_json(folder / "queries.json")

    def start(name: str, python: Path | str = sys.executable) -> Side:
        command = [python, "-m", "benchmarks.bm25_sides", name, folder]
        return Side(command, common.ROOT)

    index = start("mem1-build")
    index.close()
    ours = start("mem1")
    formula = start("formula")
    found, expected = (side.ask(queries)["hits"] for side in (ours, formula))
    formula.close()
    case: dict[str, Any] = {
        "corpus": corpus,
        "mem1": {"build": index.first, "load": ours.first},
        "same_top_k_as_formula": agreement(found, expected),
    }
    beside: dict[str, Side] = {}
    reason = too_much(passages, arguments, before)
    rank = None if reason else start("rank_bm25")
    case["rank_bm25"] = {"build": rank.first if rank else {NOT_RUN: reason}}
    if rank and rank.runs:
        beside["rank_bm25"] = rank
    reason = no_pyserini(arguments)
    build = None if reason else start("pyserini-build", arguments.pyserini)
    case["pyserini"] = {"build": build.first if build else {NOT_RUN: reason}}
    if build and build.runs:
        build.close()
        beside["pyserini"] = lucene = start("pyserini", arguments.pyserini)
        same = agreement(lucene.ask(queries)["hits"], found)  # and Java is warm then
        case["pyserini"] |= {"load": lucene.first, "same_top_k_as_mem1": same}
    rounds(case, ours, beside, queries, arguments)
    for side in (ours, *beside.values()):
        side.close()
    return case


def agreement(these: list[list[str]], those: list[list[str]]) -> dict[str, float]:
    """For how many queries two sides found the same passages in the same order."""
    same = sum(a == b for a, b in zip(these, those, strict=True))
    return {"queries": len(these), "same": same, "share": same / len(these)}


def no_pyserini(arguments: Namespace) -> str | None:
    """Why pyserini is not tried."""
    if shutil.which("java") is None:
        return "no Java"
    return None if arguments.pyserini else "--pyserini was not given"


def too_much(passages: int, arguments: Namespace, before: Sequence[dict[str, Any]]) -> str | None:
    """Why rank_bm25 is not tried, from what it took on fewer passages."""
    if not before or "queries_per_s" not in before[-1]["rank_bm25"]:
        return None
    last = before[-1]["rank_bm25"]
    times = passages / before[-1]["corpus"]["passages"]
    asked = arguments.few * arguments.rounds
    seconds = times * (last["build"]["wall_s"] + asked / last["queries_per_s"]["median"])
    size, free = times * last["build"]["peak_bytes"], _free_bytes()
    if size > free:
        return f"would need about {size / 1e9:.0f} GB, and {free / 1e9:.0f} GB are free"
    if seconds > LONGEST:
        return f"would take about {seconds / 60:.0f} minutes"
    return None


def _free_bytes() -> float:
    """Memory that can be had; without end where that is not known."""
    information = Path("/proc/meminfo")
    if not information.is_file():
        return float("inf")
    lines = information.read_text(encoding="utf-8").splitlines()
    return 1024 * int(next(line for line in lines if line.startswith("MemAvailable")).split()[1])


def rounds(
    case: dict[str, Any],
    ours: Side,
    beside: dict[str, Side],
    queries: Sequence[str],
    arguments: Namespace,
) -> None:
    """Let all sides answer in turns, and put rates and ratios into ``case``."""
    size = len(queries) // arguments.rounds
    rates: dict[str, list[float]] = {name: [] for name in ("mem1", "mem1/few", *beside)}

    def ask(side: Side, name: str, asked: Sequence[str]) -> None:
        rates[name].append(len(asked) / side.ask(asked)["cpu_s"])

    for first in range(0, size * arguments.rounds, size):
        block = queries[first : first + size]
        few = block[: arguments.few]
        if "rank_bm25" in beside:
            ask(ours, "mem1/few", few)
            ask(beside["rank_bm25"], "rank_bm25", few)
        ask(ours, "mem1", block)
        if "pyserini" in beside:
            ask(beside["pyserini"], "pyserini", block)
    case["mem1"]["queries_per_s"] = common.spread(rates["mem1"])
    for name in beside:
        case[name]["queries_per_s"] = common.spread(rates[name])
        those = rates["mem1/few" if name == "rank_bm25" else "mem1"]
        case[name]["mem1_times_faster"] = common.ratio(those, rates[name])


def show(case: dict[str, Any]) -> None:
    """The case in a few lines."""
    corpus, same = case["corpus"], case["same_top_k_as_formula"]
    print(f"{corpus['passages']:,} passages, {corpus['distinct_words']:,} different words")
    for name in ("mem1", "rank_bm25", "pyserini"):
        side, build = case[name], case[name]["build"]
        if NOT_RUN in build:
            print(f"  {name:<10} not run: {build[NOT_RUN]}")
            continue
        print(
            f"  {name:<10} build {build['cpu_s']:>7.1f} CPU s, {build['peak_bytes'] / 1e9:.2f} GB;"
            f" {side['queries_per_s']['median']:>8} queries/s"
            + (f"; ours x {side['mem1_times_faster']['median']}" if name != "mem1" else "")
        )
    print(f"  same top {K} as the formula: {same['same']} of {same['queries']} queries")


if __name__ == "__main__":
    cli.run(main)
