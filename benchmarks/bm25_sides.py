"""The sides of ``benchmarks.bm25``, each in a process of its own.

    python -m benchmarks.bm25_sides NAME FOLDER

``FOLDER`` holds ``passages.jsonl``, ``queries.json`` and ``retrieval.json``. The first line
says what building or loading cost; then, for each list of queries that comes in, CPU seconds
and the ids of the best three passages of each. Texts are words and blanks, so all but our own
split them at blanks.
"""

import json
import math
import sys
import time
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.side import NOT_RUN, answers, measured, questions

K = 3

Search = Callable[[str], list[str]]  # a query -> ids of its best K passages


def build_mem1(folder: Path) -> None:
    """Our index, by the command that a workflow runs."""
    from mem1 import build_index

    arguments = ["--config", str(folder / "retrieval.json"), "--output-dir", str(folder / "index")]
    build_index.main([*arguments, "--passages", str(folder / "passages.jsonl")])


def search_mem1(folder: Path) -> Search:
    """Our index, loaded with all its checks."""
    from mem1.retrieval import bm25

    retriever = bm25.load(folder / "index", folder / "passages.jsonl")
    return lambda query: [hit.passage.id for hit in retriever.search([query], K)[0]]


def search_rank_bm25(folder: Path) -> Search:
    """``BM25Okapi``. It gets one text at a time and shares equal words, both to its advantage."""
    from rank_bm25 import BM25Okapi

    texts = ([sys.intern(word) for word in text] for text in _texts(folder))
    index = BM25Okapi(texts, **_parameters(folder))
    numbers = range(index.corpus_size)
    return lambda query: [str(n) for n in index.get_top_n(query.split(), numbers, K)]


def search_formula(folder: Path) -> Search:
    """BM25 in Lucene's form as its formula says, float64; ties in order of passages.

    Knows no words but those of the queries.
    """
    import numpy as np

    queries = json.loads((folder / "queries.json").read_text(encoding="utf-8"))
    known = {word for query in queries for word in query.split()}
    passages: dict[str, array[int]] = defaultdict(lambda: array("i"))
    counts: dict[str, array[int]] = defaultdict(lambda: array("i"))
    lengths = []
    for number, text in enumerate(_texts(folder)):
        lengths.append(len(text))
        for word, count in Counter(text).items():
            if word in known:
                passages[word].append(number)
                counts[word].append(count)
    k1, b = _parameters(folder).values()
    saturation = k1 * (1 - b + b * np.array(lengths) / np.mean(lengths))

    def search(query: str) -> list[str]:
        scores = np.zeros(len(lengths))
        for word in query.split():
            where, count = np.array(passages[word]), np.array(counts[word])
            idf = math.log(1 + (len(lengths) - len(where) + 0.5) / (len(where) + 0.5))
            scores[where] += idf * count / (count + saturation[where])
        best = np.flatnonzero(scores >= np.partition(scores, -K)[-K])
        return [str(n) for n in best[np.argsort(-scores[best], kind="stable")][:K]]

    return search


def build_pyserini(folder: Path) -> None:
    """Lucene's index of texts that are split already, in one segment."""
    from pyserini.pyclass import autoclass

    source = folder / "pyserini"
    source.mkdir()
    with open(source / "passages.jsonl", "w", encoding="utf-8") as file:
        for number, text in enumerate(_texts(folder)):
            file.write(json.dumps({"id": str(number), "contents": " ".join(text)}) + "\n")
    arguments = ["-collection", "JsonCollection", "-input", str(source), "-threads", "1"]
    arguments += ["-index", str(folder / "lucene"), "-pretokenized", "-optimize"]
    arguments += ["-generator", "DefaultLuceneDocumentGenerator"]
    autoclass("io.anserini.index.IndexCollection").main(arguments)


def search_pyserini(folder: Path) -> Search:
    """Lucene's index, opened."""
    from pyserini.analysis import JWhiteSpaceAnalyzer
    from pyserini.search.lucene import LuceneSearcher

    searcher = LuceneSearcher(str(folder / "lucene"))
    searcher.set_bm25(**_parameters(folder))
    searcher.set_analyzer(JWhiteSpaceAnalyzer())
    return lambda query: [hit.docid for hit in searcher.search(query, K)]


def _texts(folder: Path) -> Iterator[list[str]]:
    """The words of each passage, title first."""
    with open(folder / "passages.jsonl", encoding="utf-8") as file:
        for line in file:
            passage = json.loads(line)
            yield f"{passage['title']} {passage['text']}".split()


def _parameters(folder: Path) -> dict[str, float]:
    """k1 and b."""
    settings = json.loads((folder / "retrieval.json").read_text(encoding="utf-8"))
    return {name: settings[name] for name in ("k1", "b")}


BUILDS: dict[str, Callable[[Path], None]] = {"mem1": build_mem1, "pyserini": build_pyserini}
SEARCHES: dict[str, Callable[[Path], Search]] = {
    "mem1": search_mem1,
    "rank_bm25": search_rank_bm25,
    "formula": search_formula,
    "pyserini": search_pyserini,
}
DISTRIBUTIONS = {"mem1": "bm25s", "rank_bm25": "rank-bm25", "pyserini": "pyserini"}


def main(name: str, folder: Path) -> None:
    """Build (``NAME-build``), or load or build and answer until there are no more questions."""
    answer = answers()
    side, _, building = name.partition("-")
    try:
        work: Callable[[Path], Any] = BUILDS[side] if building else SEARCHES[side]
        cost, search = measured(lambda: work(folder))
    except ModuleNotFoundError as error:
        if error.name not in ("rank_bm25", "pyserini"):
            raise
        answer({NOT_RUN: f"{error.name} is not installed: see benchmarks/README.md"})
        return
    library = DISTRIBUTIONS.get(side)
    answer({**cost, **({"version": f"{library} {version(library)}"} if library else {})})
    for queries in questions():
        start = time.process_time()
        hits = [search(query) for query in queries]
        answer({"cpu_s": time.process_time() - start, "hits": hits})


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
