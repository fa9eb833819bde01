"""The cells and lines that all tables are made of, and Table 1's.

A cell is *measured* (ours), *paper* (printed there) or *not run*. Paper numbers come from
another model, corpus and tokenizer; they stand beside ours for the pattern, not the size.
Numbers with source label S (second-hand) or I (ICLR version) carry the label.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Literal

from mem1.analysis.csv_text import csv_text
from mem1.analysis.expected import Expected, Quote, TableName
from mem1.analysis.metrics import METRICS, SHOPPING, TRAINED
from mem1.analysis.settings import Analysis
from mem1.analysis.statistics import Interval
from mem1.analysis.summary import Summary

Mark = Literal["measured", "paper", "not run"]
NOT_RUN: Literal["not run"] = "not run"
SPECS = METRICS | SHOPPING | TRAINED


@dataclass(frozen=True)
class Cell:
    """One number of a table, in the metric's own unit (not the printed one)."""

    row: str  # system key, or the paper's row
    label: str
    environment: str  # where it searches: wiki or web
    horizon: int
    metric: str
    unit: str
    mark: Mark
    value: float | None = None
    low: float | None = None  # measured: 95 % bootstrap interval over tasks and seeds
    high: float | None = None
    n: int | None = None  # measured: tasks
    seeds: int | None = None  # measured: trainings
    spread: float | None = None  # paper: its +/-
    source: str = ""  # paper: P, S or I
    table: str = ""  # paper: which table


@dataclass(frozen=True)
class Line:
    """One row of a table over some horizons: ours, or the paper's."""

    label: str
    paper: bool
    cells: dict[tuple[int, str], Cell]  # by horizon and metric


def measured_cell(
    row: str, label: str, horizon: int, metric: str, got: Interval | None, environment: str = "wiki"
) -> Cell:
    """Our number; without an interval it was not run."""
    place = row, label, environment, horizon, metric, SPECS[metric].unit
    if got is None:
        return Cell(*place, NOT_RUN)
    return Cell(*place, "measured", got.mean, got.low, got.high, got.n, got.seeds)


def paper_cell(name: str, horizon: int, metric: str, quote: Quote, environment: str) -> Cell:
    """The paper's number."""
    return Cell(
        name,
        name,
        environment,
        horizon,
        metric,
        SPECS[metric].unit,
        "paper",
        quote.value,
        spread=quote.spread,
        source=quote.source,
        table=quote.table,
    )


def measured_line(
    summary: Summary,
    analysis: Analysis,
    system: str,
    horizons: Iterable[int] | None = None,
    metrics: Iterable[str] = tuple(METRICS),
) -> Line:
    """Our row of ``system``; what was not evaluated is marked *not run*."""
    settings = analysis.systems[system]
    cells = {
        (horizon, metric): measured_cell(
            system,
            settings.label,
            horizon,
            metric,
            summary.get((system, horizon), {}).get(metric),
            settings.environment,
        )
        for horizon in (analysis.horizons if horizons is None else horizons)
        for metric in metrics
    }
    return Line(settings.label, False, cells)


def paper_line(
    expected: Expected, horizons: Iterable[int], name: str, table: TableName | None = None
) -> Line:
    """The paper's row ``name``, with the cells it prints for ``horizons``.

    With ``table``, what is printed there; else what ``Expected.quote`` finds.

    Raises:
        InputError: the paper has no such row.
    """
    environment = "wiki" if table is None else expected.table(table).environment
    cells = {}
    for horizon in horizons:
        for metric in METRICS:
            quote = expected.quote(name, horizon, metric)  # refuses an unknown row
            if table is not None:
                quote = expected.cell(table, name, horizon, metric)
            if quote is not None:
                cells[horizon, metric] = paper_cell(name, horizon, metric, quote, environment)
    return Line(name, True, cells)


def lines(summary: Summary, analysis: Analysis, expected: Expected) -> list[Line]:
    """Each system over Wikipedia (or what stands for it), and the paper's row it corresponds to."""
    rows = []
    for system, settings in analysis.of_environment("wiki").items():
        rows.append(measured_line(summary, analysis, system))
        if settings.paper is not None:
            rows.append(paper_line(expected, analysis.horizons, settings.paper))
    return rows


def other_lines(analysis: Analysis, expected: Expected) -> list[Line]:
    """The paper's rows that no system corresponds to."""
    named = {system.paper for system in analysis.of_environment("wiki").values()}
    rest = [name for name in expected.names() if name not in named]
    return [paper_line(expected, analysis.horizons, name) for name in rest]


def there(rows: Iterable[Line], analysis: Analysis, horizon: int) -> list[Line]:
    """``rows`` without those of systems that have no panel of ``horizon`` objectives."""

    def asked(line: Line) -> bool:
        systems = {cell.row for cell in line.cells.values()} & set(analysis.systems)
        return all(analysis.evaluates(system, horizon) for system in systems)

    return [line for line in rows if line.paper or asked(line)]


def number(metric: str, value: float) -> str:
    """``value`` in the printed unit of ``metric``."""
    spec = SPECS[metric]
    return f"{value / spec.scale:.{spec.digits}f}"


def to_csv(rows: Iterable[Line]) -> str:
    """One line per cell, long form."""
    names = [field.name for field in fields(Cell)]
    cells = [cell for line in rows for cell in line.cells.values()]
    return csv_text(names, [[getattr(cell, name) for name in names] for cell in cells])
