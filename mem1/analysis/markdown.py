"""Tables as Markdown: a short one for the README, and one with everything.

The short table gives EM and peak tokens for all horizons with the two headline verdicts;
the full one has every metric with intervals, all rows of the paper, ratios and gains.
"""

import math
from collections.abc import Iterable, Sequence

from mem1.analysis.claims import Gain, Ratio
from mem1.analysis.expected import Expected
from mem1.analysis.metrics import DEPENDENCY_FORMULA, METRICS
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


def pipe_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A pipe table: first column left, the others right."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *rows])


def row_label(line: Line) -> str:
    """First cell of a row; the paper's are in italics."""
    return f"*paper: {escape(line.label)}*" if line.paper else escape(line.label)


def _paper(cell: Cell, text: str) -> str:
    return f"*{text}*" + ("" if cell.source == "P" else f" [{cell.source}]")


def short_cell(cell: Cell | None, metric: str) -> str:
    """Mean with the larger half of its interval; the paper's number in italics."""
    if cell is None:
        return ""
    if cell.value is None or cell.low is None or cell.high is None:
        return NOT_RUN if cell.value is None else _paper(cell, number(metric, cell.value))
    half = max(cell.value - cell.low, cell.high - cell.value)
    if metric in ("em", "f1"):
        return f"{cell.value:.2f} ±{half:.2f}"
    return f"{number(metric, cell.value)} ±{number(metric, half)}"


def full_cell(cell: Cell | None, metric: str) -> str:
    """Mean [low, high]; the paper's number with its own +/-."""
    if cell is None:
        return ""
    if cell.value is None:
        return NOT_RUN
    value = number(metric, cell.value)
    if cell.mark == "paper":
        spread = "" if cell.spread is None else f" ±{number(metric, cell.spread)}"
        return _paper(cell, value + spread)
    if cell.low is None or cell.high is None:
        return value
    return f"{value} [{number(metric, cell.low)}, {number(metric, cell.high)}]"


def horizon_heads(analysis: Analysis) -> list[str]:
    """Horizons, with a dagger on those beyond the warm start."""
    limit = analysis.warm_start_to
    return [f"{h} †" if limit is not None and h > limit else str(h) for h in analysis.horizons]


def coverage(analysis: Analysis) -> str:
    """What training covered, and what the dagger means where there is one."""
    beyond = " † lies beyond." if any("†" in head for head in horizon_heads(analysis)) else ""
    return analysis.trained_on() + beyond


def _tasks(rows: Sequence[Line]) -> str:
    counts = sorted({c.n for line in rows for c in line.cells.values() if c.n is not None})
    return " to ".join(dict.fromkeys(map(str, (counts[0], counts[-1])))) if counts else "no"


def interval_text(interval: Interval | None, digits: int = 2) -> str:
    """Mean [low, high]; what was not run says so."""
    if interval is None:
        return NOT_RUN

    def show(value: float) -> str:
        if math.isinf(value):
            return "∞" if value > 0 else "-∞"
        return "0/0" if math.isnan(value) else f"{round(value, digits) + 0.0:.{digits}f}"

    return f"{show(interval.mean)} [{show(interval.low)}, {show(interval.high)}]"


def quantity(ratio: Ratio, analysis: Analysis) -> str:
    """What a ratio divides, in words."""
    first = analysis.systems[ratio.comparison.first].label
    second = analysis.systems[ratio.comparison.second].label
    if ratio.metric == "em":
        return f"EM, {first} over {second}"
    return f"peak tokens, {second} over {first}"


def verdicts(ratios: Iterable[Ratio], analysis: Analysis) -> list[str]:
    """One sentence for each headline ratio that is tested."""
    out = []
    for r in ratios:
        if r.claim is None:
            continue
        note = f" ({r.note()})" if r.note() else ""
        out.append(
            f"- {escape(quantity(r, analysis))}, {r.horizon} objectives: "
            f"{interval_text(r.ratio)}; the paper's headline is {r.claim:g}: **{r.verdict}**{note}."
        )
    return out


def short(rows: Sequence[Line], ratios: Sequence[Ratio], analysis: Analysis) -> str:
    """EM and peak tokens for all horizons, for the README."""
    out = []
    for metric, title in (
        (
            "em",
            "**EM**: questions answered exactly, by number of objectives (the most possible)",
        ),
        ("peak", "**Peak tokens**: longest sequence of a trajectory, task prompt included"),
    ):
        body = [
            [row_label(line), *(short_cell(line.cells.get((h, metric)), metric) for h in horizons)]
            for horizons in [analysis.horizons]
            for line in rows
            if not line.paper or any(m == metric for _, m in line.cells)
        ]
        out += [title, "", pipe_table(["system", *horizon_heads(analysis)], body), ""]
    out += [*verdicts(ratios, analysis), ""]
    out += [
        f"{LEGEND} ±: larger half of the 95 % bootstrap interval over {_tasks(rows)} tasks per "
        f"panel. Tokens: {analysis.tokenizer}. {coverage(analysis)}",
        "",
    ]
    return "\n".join(out)


def ratio_section(ratios: Sequence[Ratio], gains: Sequence[Gain], analysis: Analysis) -> str:
    """Ratios with verdicts, then RL minus SFT."""
    headline_rows = [
        [
            escape(quantity(r, analysis)),
            str(r.horizon),
            interval_text(r.ratio),
            "" if r.paper is None else f"*{r.paper:.2f}*",
            "" if r.claim is None else f"{r.claim:g}",
            r.verdict + (f" ({r.note()})" if r.note() else ""),
        ]
        for r in ratios
    ]
    out = ["## Ratios", ""]
    if headline_rows:
        head = ["ratio", "objectives", "measured", "paper", "headline", "verdict"]
        out += [pipe_table(head, headline_rows), ""]
        out += [
            "Supported: the whole 95 % interval reaches the headline. The paper's ratios divide "
            "by Qwen2.5-14B-Instruct, which was not trained; ours by full history after the same "
            "training.",
            "",
        ]
    else:
        out += ["No pair of systems differs in the memory alone: not run.", ""]
    out += ["## RL minus SFT", ""]
    pairs = list(dict.fromkeys((g.comparison.first, g.comparison.second) for g in gains))
    if not pairs:
        out += ["No pair of systems differs in RL alone: not run.", ""]
        return "\n".join(out)
    body = [
        [
            escape(f"{analysis.systems[first].label} minus {analysis.systems[second].label}"),
            *(
                interval_text(g.difference)
                for g in gains
                if (g.comparison.first, g.comparison.second) == (first, second)
            ),
        ]
        for first, second in pairs
    ]
    out += [pipe_table(["EM", *horizon_heads(analysis)], body), "", coverage(analysis), ""]
    return "\n".join(out)


def full(
    rows: Sequence[Line],
    others: Sequence[Line],
    ratios: Sequence[Ratio],
    gains: Sequence[Gain],
    analysis: Analysis,
    expected: Expected,
) -> str:
    """Every metric with its interval, one table per horizon, then ratios and remarks."""
    out = [f"# Table 1 in full, preset `{analysis.preset}`", ""]
    out += [f"{LEGEND} Brackets: 95 % bootstrap interval over tasks. {coverage(analysis)}", ""]
    heads = ["system", *(spec.heading for spec in METRICS.values()), "n"]
    for horizon, title in zip(analysis.horizons, horizon_heads(analysis), strict=True):
        body = []
        for line in [*rows, *others]:
            here = {m: c for (h, m), c in line.cells.items() if h == horizon}
            if not here:
                continue
            n = here["em"].n if "em" in here else None
            cells = [full_cell(here.get(metric), metric) for metric in METRICS]
            body.append([row_label(line), *cells, "" if n is None else str(n)])
        plural = "" if horizon == 1 else "s"
        number_and_mark = title.split()
        mark = f" {number_and_mark[1]}" if len(number_and_mark) > 1 else ""
        out += [f"## {horizon} objective{plural}{mark}", "", pipe_table(heads, body), ""]
    out += [ratio_section(ratios, gains, analysis)]
    out += ["## How to read it", ""]
    out += [f"- {text}" for text in _reading(analysis)]
    out += [f"- {text}" for text in expected.notes]
    return "\n".join(out) + "\n"


def _reading(analysis: Analysis) -> list[str]:
    return [
        "EM and F1 are summed over the objectives of a task and averaged over tasks; a wrong "
        "number of answers gives 0 for the task, as in the paper. *Per question* counts right "
        "answers by position whatever their number.",
        f"Tokens are {analysis.tokenizer} (the paper counts with GPT-4o-mini's). "
        "Peak is the longest context plus output; the paper leaves the prompt out, hence the "
        "second peak column.",
        f"Dependency: {DEPENDENCY_FORMULA}, n_p tokens of context and n_o of output.",
        "Time is wall time of a trajectory while many are decoded together; it depends on the "
        "machine.",
    ]
