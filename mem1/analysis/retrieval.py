"""How well retrievers find what is known to be right: recall of answers, overlap with records."""

from collections.abc import Sequence
from typing import Literal

from mem1 import config_retrieval
from mem1.analysis.csv_text import csv_text
from mem1.analysis.markdown import pipe_table
from mem1.analysis.statistics import mean_interval
from mem1.records import Question, Record
from mem1.retrieval.base import Hit, Retriever
from mem1.seeding import array_stream
from mem1.tasks.recorded import Call
from mem1.tasks.scoring import contains_answer

Quantity = Literal["recall", "overlap"]
ALL = "all"  # of the sources together
# The frozen section of retrieval has neither evaluation.bootstrap nor the root seed: these stand
# for them, whatever the configuration says.
RESAMPLES = 1000
SEED = 0
BATCH = 256  # queries of one call


class Row(Record):
    """One mean over the questions, or the recorded queries, of a source."""

    retriever: str
    quantity: Quantity
    source: str
    k: int
    n: int
    value: float
    low: float  # 95 % bootstrap interval
    high: float


def compare(
    name: str,
    retriever: Retriever,
    questions: Sequence[Question],
    calls: Sequence[Call],
    k: int,
) -> list[Row]:
    """The rows of one retriever: recall for each source and all, then overlap likewise."""
    asked = _search(retriever, [question.text for question in questions], k)
    recalls = [
        (
            question.source,
            float(any(contains_answer(hit.passage.text, question.golds) for hit in h)),
        )
        for question, h in zip(questions, asked, strict=True)
    ]
    recorded = _search(retriever, [call.query for call in calls], k)
    overlaps = [
        (call.source, overlap([hit.passage.id for hit in h], call.passages[:k]))
        for call, h in zip(calls, recorded, strict=True)
    ]
    return [*_rows(name, "recall", recalls, k), *_rows(name, "overlap", overlaps, k)]


def overlap(found: Sequence[str], expected: Sequence[str]) -> float:
    """The share of ``expected`` that is in ``found``, whatever the order."""
    return len(set(found) & set(expected)) / len(set(expected))


def _search(retriever: Retriever, queries: Sequence[str], k: int) -> list[list[Hit]]:
    return [
        hits
        for start in range(0, len(queries), BATCH)
        for hits in retriever.search(queries[start : start + BATCH], k)
    ]


def _rows(name: str, quantity: Quantity, values: list[tuple[str, float]], k: int) -> list[Row]:
    groups: dict[str, list[float]] = {}
    for source, value in sorted(values, key=lambda pair: pair[0]):
        groups.setdefault(source, []).append(value)
    if values:
        groups[ALL] = [value for _, value in values]
    rows = []
    for source, mine in groups.items():
        rng = array_stream(SEED, "retrieval", quantity, source)  # shared by all retrievers
        found = mean_interval(mine, RESAMPLES, rng)
        rows.append(
            Row(
                retriever=name,
                quantity=quantity,
                source=source,
                k=k,
                n=found.n,
                value=found.mean,
                low=found.low,
                high=found.high,
            )
        )
    return rows


def to_csv(rows: Sequence[Row]) -> str:
    """One line for each row."""
    cells = [[f"{v:.4f}" if isinstance(v, float) else v for _, v in row] for row in rows]
    return csv_text(list(Row.model_fields), cells)


def to_markdown(rows: Sequence[Row], settings: config_retrieval.Retrieval) -> str:
    """A table for each quantity, sources in rows and retrievers in columns."""
    titles: dict[Quantity, str] = {
        "recall": f"**Recall@{settings.k}**: questions with a gold in the first {settings.k} "
        f"passages that the question itself retrieves",
        "overlap": f"**Overlap@{settings.k}**: share of the recorded answers' passages among the "
        f"first {settings.k} for the same query",
    }
    names = list(dict.fromkeys(row.retriever for row in rows))
    out = ["## Retrieval", ""]
    for quantity, title in titles.items():
        cells = {(r.source, r.retriever): r for r in rows if r.quantity == quantity}
        sources = list(dict.fromkeys(source for source, _ in cells))
        body = [
            [source, *(_cell(cells[source, n]) for n in names), str(cells[source, names[0]].n)]
            for source in sources
        ]
        if body:
            out += [title, "", pipe_table(["source", *names, "n"], body), ""]
    assert settings.dense is not None
    out += [
        f"±: larger half of the 95 % bootstrap interval. Encoder {settings.dense.encoder.model}, "
        f"index {settings.dense.index.kind}.",
        "",
    ]
    return "\n".join(out)


def _cell(row: Row) -> str:
    half = max(row.value - row.low, row.high - row.value)
    return f"{row.value:.3f} ±{half:.3f}"
