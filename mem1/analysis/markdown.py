"""Tables as Markdown: cells, labels, and what stands around a table."""

import math
from collections.abc import Iterable, Sequence

from mem1.analysis.metrics import DEPENDENCY_FORMULA
from mem1.analysis.settings import Analysis
from mem1.analysis.statistics import Interval
from mem1.analysis.tables import NOT_RUN, Cell, Line, number

LEGEND = (
    "Upright: measured, mean over tasks. *Italic*: printed in the paper, from another model, "
    "corpus and tokenizer ([S]: second-hand notes on its appendix, not checked; [I]: ICLR "
    "version)."
)


def escape(text: str) -> str:
    """``text`` as the content of a cell."""
    return text.replace("|", "\\|")


def pipe_table(head: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """A pipe table: the first ``left`` columns to the left, the others right."""
    rule = [*["---"] * left, *["---:"] * (len(head) - left)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *rows])


def row_label(line: Line) -> str:
    """First cell of a row; the paper's are in italics."""
    return f"*paper: {escape(line.label)}*" if line.paper else escape(line.label)


def _paper(cell: Cell, text: str) -> str:
    return f"*{text}*" + ("" if cell.source == "P" else f" [{cell.source}]")


def short_cell(cell: Cell | None) -> str:
    """Mean with the larger half of its interval; the paper's number in italics."""
    if cell is None:
        return ""
    if cell.value is None or cell.low is None or cell.high is None:
        return NOT_RUN if cell.value is None else _paper(cell, number(cell.metric, cell.value))
    half = max(cell.value - cell.low, cell.high - cell.value)
    if cell.metric in ("em", "f1"):
        return f"{cell.value:.2f} ±{half:.2f}"
    return f"{number(cell.metric, cell.value)} ±{number(cell.metric, half)}"


def full_cell(cell: Cell | None) -> str:
    """Mean [low, high]; the paper's number with its own +/-."""
    if cell is None:
        return ""
    if cell.value is None:
        return NOT_RUN
    value = number(cell.metric, cell.value)
    if cell.mark == "paper":
        spread = "" if cell.spread is None else f" ±{number(cell.metric, cell.spread)}"
        return _paper(cell, value + spread)
    if cell.low is None or cell.high is None:
        return value
    return f"{value} [{number(cell.metric, cell.low)}, {number(cell.metric, cell.high)}]"


def count_cell(cell: Cell | None) -> str:
    """How many tasks, and trainings where there are several, are behind a measured cell."""
    if cell is None or cell.n is None:
        return ""
    return str(cell.n) if cell.seeds in (None, 1) else f"{cell.n} x {cell.seeds} seeds"


def horizon_heads(analysis: Analysis) -> list[str]:
    """Horizons, with a dagger on those beyond the warm start."""
    limit = analysis.warm_start_to
    return [f"{h} †" if limit is not None and h > limit else str(h) for h in analysis.horizons]


def coverage(analysis: Analysis) -> str:
    """What training covered, and what the dagger means where there is one."""
    beyond = " † lies beyond." if any("†" in head for head in horizon_heads(analysis)) else ""
    return analysis.trained_on() + beyond


def plain_number(value: float, digits: int = 2) -> str:
    """``value`` with so many decimals; infinite and undefined ones say so."""
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return "0/0" if math.isnan(value) else f"{round(value, digits) + 0.0:.{digits}f}"


def interval_text(interval: Interval | None, digits: int = 2) -> str:
    """Mean [low, high]; what was not run says so."""
    if interval is None:
        return NOT_RUN
    mean, low, high = (
        plain_number(value, digits) for value in (interval.mean, interval.low, interval.high)
    )
    return f"{mean} [{low}, {high}]"


def reading(analysis: Analysis) -> list[str]:
    """What the columns of QA tables mean, in sentences."""
    return [
        "EM and F1 are summed over the objectives of a task and averaged over tasks; a wrong "
        "number of answers gives 0 for the task, as in the paper. *Per question* counts right "
        "answers by position whatever their number; *all right* the tasks without a mistake.",
        "Every EM of 0 has one cause: as many answers as questions and none of them right, "
        "another number of answers, an empty answer or an end at a malformed output (format), no "
        "answer within the turns allowed, or none when the context was full.",
        f"Tokens: {analysis.counted_in()} (the paper counts with GPT-4o-mini's). "
        "Peak is the longest context plus output; the paper leaves the prompt out, hence the "
        "second peak column. Processed: context and output of every turn, added up, so what is "
        "seen again counts again; sampled: the outputs of them.",
        f"Dependency: {DEPENDENCY_FORMULA}, n_p tokens of context and n_o of output.",
        "Calls of the model that a context policy makes beside the turns count in peak, "
        "dependency, tokens and time.",
        "Time is wall time of a trajectory while many run together; it depends on the machine. "
        "Retrieval is the part of it spent in the environment.",
    ]
