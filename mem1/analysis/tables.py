"""Table 1 of the paper with our numbers, as cells and as CSV and LaTeX.

A cell is *measured* (ours), *paper* (printed there) or *not run*. Paper numbers come from
another model, corpus and tokenizer; they stand beside ours for the pattern, not the size.
Numbers with source label S (second-hand) or I (ICLR version) carry the label.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Literal

from mem1.analysis.claims import Gain, Ratio
from mem1.analysis.expected import Expected
from mem1.analysis.metrics import METRICS, TRAINED
from mem1.analysis.settings import Analysis
from mem1.analysis.summary import Summary

Mark = Literal["measured", "paper", "not run"]
NOT_RUN: Literal["not run"] = "not run"
PRINTED = ("em", "f1", "peak", "seconds")  # the columns of the paper's Table 1
SPECS = METRICS | TRAINED


@dataclass(frozen=True)
class Cell:
    """One number of a table, in the metric's own unit (not the printed one)."""

    row: str  # system key, or the paper's row
    label: str
    horizon: int
    metric: str
    unit: str
    mark: Mark
    value: float | None = None
    low: float | None = None  # measured: 95 % bootstrap interval over tasks
    high: float | None = None
    n: int | None = None  # measured: tasks
    spread: float | None = None  # paper: its +/-
    source: str = ""  # paper: P, S or I
    table: str = ""  # paper: which table


@dataclass(frozen=True)
class Line:
    """One row of a table over some horizons: ours, or the paper's."""

    label: str
    paper: bool
    cells: dict[tuple[int, str], Cell]  # by horizon and metric


def measured_line(summary: Summary, analysis: Analysis, system: str) -> Line:
    """Our row of ``system``; what was not evaluated is marked *not run*."""
    label = analysis.systems[system].label
    cells = {}
    for horizon in analysis.horizons:
        intervals = summary.get((system, horizon), {})
        for metric, spec in METRICS.items():
            place = (system, label, horizon, metric, spec.unit)
            got = intervals.get(metric)
            if got is None:
                cells[horizon, metric] = Cell(*place, NOT_RUN)
            else:
                cells[horizon, metric] = Cell(
                    *place, "measured", got.mean, got.low, got.high, got.n
                )
    return Line(label, False, cells)


def paper_line(expected: Expected, horizons: Iterable[int], name: str) -> Line:
    """The paper's row ``name``, with the cells it prints for ``horizons``.

    Raises:
        InputError: the paper has no such row.
    """
    cells = {}
    for horizon in horizons:
        for metric, spec in METRICS.items():
            quote = expected.quote(name, horizon, metric)
            if quote is not None:
                cells[horizon, metric] = Cell(
                    name,
                    name,
                    horizon,
                    metric,
                    spec.unit,
                    "paper",
                    quote.value,
                    spread=quote.spread,
                    source=quote.source,
                    table=quote.table,
                )
    return Line(name, True, cells)


def lines(summary: Summary, analysis: Analysis, expected: Expected) -> list[Line]:
    """Each system, followed by the paper's row it corresponds to."""
    rows = []
    for system, settings in analysis.systems.items():
        rows.append(measured_line(summary, analysis, system))
        if settings.paper is not None:
            rows.append(paper_line(expected, analysis.horizons, settings.paper))
    return rows


def other_lines(analysis: Analysis, expected: Expected) -> list[Line]:
    """The paper's rows that no system corresponds to."""
    named = {system.paper for system in analysis.systems.values()}
    rest = [name for name in expected.names() if name not in named]
    return [paper_line(expected, analysis.horizons, name) for name in rest]


def number(metric: str, value: float) -> str:
    """``value`` in the printed unit of ``metric``."""
    spec = SPECS[metric]
    return f"{value / spec.scale:.{spec.digits}f}"


def to_csv(rows: Iterable[Line]) -> str:
    """One line per cell, long form."""
    names = [field.name for field in fields(Cell)]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for line in rows:
        for cell in line.cells.values():
            values = [getattr(cell, name) for name in names]
            writer.writerow([f"{v:.6g}" if isinstance(v, float) else v for v in values])
    return out.getvalue()


def ratios_csv(ratios: Sequence[Ratio], gains: Sequence[Gain]) -> str:
    """Ratios of memory and gains of training, one line each."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    head = "quantity,first,second,horizon,value,low,high,n,paper,claim,verdict,note"
    writer.writerow(head.split(","))

    def row(name: str, pair: object, horizon: int, got: object, *rest: object) -> None:
        values = [getattr(got, field, None) for field in ("mean", "low", "high", "n")]
        keys = [getattr(pair, field) for field in ("first", "second")]
        cells = [name, *keys, horizon, *values, *rest]
        writer.writerow([f"{v:.6g}" if isinstance(v, float) else v for v in cells])

    names = {"em": "EM, first over second", "peak": "peak tokens, second over first"}
    for r in ratios:
        note = r.note()
        row(
            names[r.metric],
            r.comparison,
            r.horizon,
            r.ratio,
            r.paper,
            r.claim,
            r.verdict,
            note,
        )
    for g in gains:
        verdict = "no claim" if g.difference else NOT_RUN
        row("EM, first minus second", g.comparison, g.horizon, g.difference, None, None, verdict)
    return out.getvalue()


_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{c: "\\" + c for c in "&%$#_{}"},
}


def latex_escape(text: str) -> str:
    """``text`` with every character that LaTeX would act on made literal."""
    return "".join(_LATEX.get(c, c) for c in text)


def latex_cell(cell: Cell | None, metric: str) -> str:
    """One cell: upright with interval (measured), italic (paper), or a dash."""
    if cell is None:
        return "--"
    if cell.value is None:
        return r"{\scriptsize not run}"
    value = number(metric, cell.value)
    if cell.mark == "paper":
        spread = "" if cell.spread is None else rf"$\pm${number(metric, cell.spread)}"
        label = "" if cell.source == "P" else rf"\textsuperscript{{{cell.source}}}"
        return rf"\textit{{{value}}}{spread}{label}"
    low, high = (number(metric, bound or 0.0) for bound in (cell.low, cell.high))
    return rf"{value} {{\scriptsize [{low}, {high}]}}"


def to_latex(
    rows: Sequence[Line],
    analysis: Analysis,
    metrics: Sequence[str] = PRINTED,
    over: str = "tasks",
) -> str:
    """Columns of ``metrics`` for every horizon, as one ``longtable`` with booktabs rules.

    ``over`` is what the means and their intervals are taken over.
    """
    heads = " & ".join(latex_escape(SPECS[m].heading) for m in metrics)
    out = [
        "% needs \\usepackage{booktabs,longtable}",
        r"\begin{longtable}{l" + "r" * len(metrics) + "}",
        rf"\caption{{Upright: measured, mean over {over} with 95\,\% bootstrap interval. "
        r"\textit{Italic}: printed in the paper (other model, corpus and tokenizer); "
        r"\textsuperscript{S}: second-hand; \textsuperscript{I}: ICLR version. "
        + latex_escape(f"Tokens: {analysis.tokenizer}. {analysis.trained_on()}")
        + r"}\\",
        r"\toprule",
        rf"System & {heads} \\",
        r"\endhead",
    ]
    for horizon in analysis.horizons:
        plural = "objective" if horizon == 1 else "objectives"
        out.append(r"\midrule")
        out.append(rf"\multicolumn{{{len(metrics) + 1}}}{{l}}{{\textbf{{{horizon} {plural}}}}} \\")
        for line in rows:
            if line.paper and not any(h == horizon for h, _ in line.cells):
                continue
            label = latex_escape(line.label)
            label = rf"\quad \textit{{paper: {label}}}" if line.paper else label
            cells = [latex_cell(line.cells.get((horizon, m)), m) for m in metrics]
            out.append(" & ".join([label, *cells]) + r" \\")
    out += [r"\bottomrule", r"\end{longtable}"]
    return "\n".join(out) + "\n"
