"""Tables as LaTeX: one ``longtable`` with booktabs rules."""

from collections.abc import Sequence
from dataclasses import dataclass

from mem1.analysis.settings import Analysis
from mem1.analysis.tables import SPECS, Cell, Line, number, there

PRINTED = ("em", "f1", "peak", "seconds")  # the columns of the paper's Table 1
_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "²": r"\textsuperscript{2}",
    "³": r"\textsuperscript{3}",
    **{c: "\\" + c for c in "&%$#_{}"},
}


@dataclass(frozen=True)
class Block:
    """Rows of a table under a title of their own; a row has one cell for each column."""

    title: str
    rows: Sequence[tuple[Line, Sequence[Cell | None]]]


def escape(text: str) -> str:
    """``text`` with every character that LaTeX would act on made literal."""
    return "".join(_LATEX.get(c, c) for c in text)


def cell_text(cell: Cell | None) -> str:
    """One cell: upright with interval (measured), italic (paper), or a dash."""
    if cell is None:
        return "--"
    if cell.value is None:
        return r"{\scriptsize not run}"
    value = number(cell.metric, cell.value)
    if cell.mark == "paper":
        spread = "" if cell.spread is None else rf"$\pm${number(cell.metric, cell.spread)}"
        label = "" if cell.source == "P" else rf"\textsuperscript{{{cell.source}}}"
        return rf"\textit{{{value}}}{spread}{label}"
    low, high = (number(cell.metric, bound or 0.0) for bound in (cell.low, cell.high))
    return rf"{value} {{\scriptsize [{low}, {high}]}}"


def table(heads: Sequence[str], blocks: Sequence[Block], about: str, over: str = "tasks") -> str:
    """The table: a column of labels, then one for each of ``heads``.

    Args:
        heads: of the columns, plain text.
        blocks: the rows.
        about: what else the caption says, plain text.
        over: what means and intervals are taken over.
    """
    titles = " & ".join(map(escape, heads))
    out = [
        "% needs \\usepackage{booktabs,longtable}",
        r"\begin{longtable}{l" + "r" * len(heads) + "}",
        rf"\caption{{Upright: measured, mean over {over} with 95\,\% bootstrap interval. "
        r"\textit{Italic}: printed in the paper (other model, corpus and tokenizer); "
        r"\textsuperscript{S}: second-hand; \textsuperscript{I}: ICLR version. "
        + escape(about)
        + r"}\\",
        r"\toprule",
        rf"System & {titles} \\",
        r"\endhead",
    ]
    for block in blocks:
        out.append(r"\midrule")
        title = rf"\textbf{{{escape(block.title)}}}"
        out.append(rf"\multicolumn{{{len(heads) + 1}}}{{l}}{{{title}}} \\")
        for line, cells in block.rows:
            label = escape(line.label)
            label = rf"\quad \textit{{paper: {label}}}" if line.paper else label
            out.append(" & ".join([label, *map(cell_text, cells)]) + r" \\")
    out += [r"\bottomrule", r"\end{longtable}"]
    return "\n".join(out) + "\n"


def by_horizon(
    rows: Sequence[Line],
    analysis: Analysis,
    metrics: Sequence[str] = PRINTED,
    over: str = "tasks",
) -> str:
    """Columns of ``metrics``, a block of rows for every horizon, as in the paper's Table 1."""
    blocks = [
        Block(
            f"{horizon} objective{'' if horizon == 1 else 's'}",
            [
                (line, [line.cells.get((horizon, metric)) for metric in metrics])
                for line in there(rows, analysis, horizon)
                if not line.paper or any(h == horizon for h, _ in line.cells)
            ],
        )
        for horizon in analysis.horizons
    ]
    heads = [SPECS[metric].heading for metric in metrics]
    about = f"Tokens: {analysis.counted_in()}. {analysis.trained_on()} {analysis.trained_with()}"
    return table(heads, blocks, about, over)
