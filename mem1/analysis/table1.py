"""Table 1 as Markdown: a short one for the README, and one with everything.

The short table gives EM and peak tokens for all horizons and the verdicts on the headline; the
full one has every metric with intervals, all rows of the paper, ratios and gains.
"""

from collections.abc import Iterable, Sequence

from mem1.analysis.claims import Result, sentence
from mem1.analysis.expected import Expected
from mem1.analysis.markdown import (
    LEGEND,
    count_cell,
    coverage,
    escape,
    full_cell,
    horizon_heads,
    interval_text,
    pipe_table,
    reading,
    row_label,
    short_cell,
)
from mem1.analysis.metrics import METRICS
from mem1.analysis.ratios import Gain, Ratio
from mem1.analysis.settings import Analysis
from mem1.analysis.tables import Line, there

TITLES = {
    "em": "**EM**: questions answered exactly, by number of objectives (the most possible)",
    "peak": "**Peak tokens**: longest sequence of a trajectory, task prompt included",
}
GROUPS = {"score": "Scores", "cost": "Costs"}


def _tasks(rows: Sequence[Line]) -> str:
    counts = sorted({c.n for line in rows for c in line.cells.values() if c.n is not None})
    return " to ".join(dict.fromkeys(map(str, (counts[0], counts[-1])))) if counts else "no"


def short(rows: Sequence[Line], headline: Iterable[Result], analysis: Analysis) -> str:
    """EM and peak tokens for all horizons, and verdicts on ``headline``."""
    out = []
    for metric, title in TITLES.items():
        body = [
            [row_label(line), *(short_cell(line.cells.get((h, metric))) for h in analysis.horizons)]
            for line in rows
            if not line.paper or any(m == metric for _, m in line.cells)
        ]
        out += [title, "", pipe_table(["system", *horizon_heads(analysis)], body), ""]
    verdicts = [f"- {sentence(result)}" for result in headline]
    out += [*verdicts, ""] if verdicts else []
    out += [
        f"{LEGEND} ±: larger half of the 95 % bootstrap interval, {_tasks(rows)} tasks per "
        f"panel. {analysis.trained_with()} Tokens: {analysis.counted_in()}. {coverage(analysis)}",
        "",
    ]
    return "\n".join(out)


def ratio_section(ratios: Sequence[Ratio], gains: Sequence[Gain], analysis: Analysis) -> str:
    """Ratios between memories, then RL minus SFT."""

    def labels(pair: tuple[str, str]) -> tuple[str, str]:
        first, second = (escape(analysis.systems[system].label) for system in pair)
        return first, second

    body = [
        [
            r.quantity(*labels((r.comparison.first, r.comparison.second))),
            str(r.horizon),
            interval_text(r.ratio) + (f" ({r.note()})" if r.ratio and r.note() else ""),
            "" if r.paper is None else f"*{r.paper:.2f}*",
        ]
        for r in ratios
    ]
    out = ["## Ratios", ""]
    if body:
        out += [pipe_table(["ratio", "objectives", "measured", "paper"], body), ""]
        out += [
            "The paper's ratios divide by Qwen2.5-14B-Instruct, which was not trained; ours by "
            "full history after the same training. What they decide: `claims.md`.",
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
            " minus ".join(labels(pair)),
            *(
                interval_text(g.difference)
                for g in gains
                if (g.comparison.first, g.comparison.second) == pair
            ),
        ]
        for pair in pairs
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
    """Every metric with its interval, by horizon scores and costs, then ratios and remarks."""
    out = [f"# Table 1 in full, preset `{analysis.preset}`", ""]
    out += [f"{LEGEND} Brackets: 95 % bootstrap interval. {analysis.trained_with()}", ""]
    out += [coverage(analysis), ""]
    for horizon, title in zip(analysis.horizons, horizon_heads(analysis), strict=True):
        plural = "" if horizon == 1 else "s"
        number, _, mark = title.partition(" ")
        out += [f"## {number} objective{plural} {mark}".rstrip(), ""]
        for group, name in GROUPS.items():
            metrics = [metric for metric, spec in METRICS.items() if spec.group == group]
            heads = [name, *(METRICS[metric].heading for metric in metrics), "tasks"]
            body = [
                [
                    row_label(line),
                    *(full_cell(line.cells.get((horizon, metric))) for metric in metrics),
                    count_cell(line.cells.get((horizon, metrics[0]))),
                ]
                for line in [*there(rows, analysis, horizon), *others]
                if any((horizon, metric) in line.cells for metric in metrics)
            ]
            out += [pipe_table(heads, body), ""]
    out += [ratio_section(ratios, gains, analysis)]
    out += ["## How to read it", ""]
    out += [f"- {text}" for text in reading(analysis)]
    out += ["", "## What does not fit together in the paper", ""]
    out += [f"- {text}" for text in expected.notes_on("table1", "table3", "table4")]
    return "\n".join(out) + "\n"
