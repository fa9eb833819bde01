"""The ablations as tables: CSV, Markdown and LaTeX, with the paper's numbers where it has any.

Cells are marked as in Table 1 (``analysis.tables``). The paper's ablation of the format reward
is second-hand (label S) and stands behind the arms that repeat it.
"""

from collections.abc import Iterable, Mapping, Sequence

from mem1.analysis import ablations
from mem1.analysis.ablations import COMPARED, Curves, Difference, Statement
from mem1.analysis.arms import Arm, format_pairs
from mem1.analysis.csv_text import csv_text
from mem1.analysis.expected import Expected
from mem1.analysis.latex import by_horizon
from mem1.analysis.markdown import (
    LEGEND,
    coverage,
    escape,
    full_cell,
    horizon_heads,
    interval_text,
    pipe_table,
    row_label,
)
from mem1.analysis.metrics import METRICS, TRAINED
from mem1.analysis.settings import Analysis
from mem1.analysis.statistics import Interval
from mem1.analysis.summary import Measured, Summary
from mem1.analysis.tables import NOT_RUN, Line, measured_cell, paper_cell, to_csv

SHOWN = ("em", "peak", "zero_count", "zero_format")
FILES = ("ablations.csv", "ablations.md", "ablations.tex", "ablations-comparisons.csv")


def texts(
    measured: Measured, curves: Curves, analysis: Analysis, expected: Expected
) -> dict[str, str]:
    """File name to content, for each of ``FILES``; nothing where nothing is compared."""
    if not analysis.arms:
        return {}
    rows = lines(
        ablations.summarize(measured, analysis),
        ablations.trained(curves, analysis),
        analysis,
        expected,
    )
    differences = ablations.differences(measured, analysis)
    statements = ablations.statements(measured, curves, analysis, expected)
    contents = (
        to_csv(rows),
        markdown(rows, differences, statements, analysis),
        by_horizon(rows, analysis, (*SHOWN, "train_reward"), over="tasks and seeds"),
        comparisons_csv(differences, statements),
    )
    return dict(zip(FILES, contents, strict=True))


def paper_row(expected: Expected, used: bool) -> Line:
    """The paper's numbers with its format reward, or without."""
    horizons = sorted({row.horizon or 0 for row in expected.format_reward.rows})
    name = "with" if used else "without"
    cells = {
        (horizon, metric): paper_cell(
            f"MEM1-QA {name} the format reward", horizon, metric, quote, "wiki"
        )
        for horizon in horizons
        for metric in SHOWN
        if (quote := expected.cell("format_reward", name, horizon, metric)) is not None
    }
    return Line(f"MEM1-QA {name} the format reward", True, cells)


def lines(
    summary: Summary,
    trained: Mapping[str, Mapping[str, Interval]],
    analysis: Analysis,
    expected: Expected,
) -> list[Line]:
    """Each arm, followed by the paper's row where the paper has such an arm.

    What training came to (``TRAINED``) stands at the number of objectives that RL trains on.
    """
    paired = {arm.label for pair in format_pairs(analysis.arms) for arm in pair}
    rows = []
    for arm in analysis.arms:
        cells = {
            (horizon, metric): measured_cell(
                " ".join(arm.runs),
                arm.label,
                horizon,
                metric,
                summary.get((arm.label, horizon), {}).get(metric),
            )
            for horizon in analysis.horizons
            for metric in SHOWN
        }
        at = analysis.rl_horizon or 0
        for name in TRAINED:
            got = trained.get(arm.label, {}).get(name)
            cells[at, name] = measured_cell(" ".join(arm.runs), arm.label, at, name, got)
        rows.append(Line(arm.name, False, cells))
        if arm.label in paired:
            rows.append(paper_row(expected, arm.format_reward))
    return rows


def comparisons_csv(differences: Sequence[Difference], statements: Sequence[Statement]) -> str:
    """Differences between arms, then those that the paper says something of, one line each."""
    head = "quantity,first,second,horizon,difference,low,high,claim,paper_first,paper_second"

    def row(
        quantity: str, pair: Sequence[Arm], horizon: int | None, got: Interval | None, *rest: object
    ) -> list[object]:
        values = [None] * 3 if got is None else [got.mean, got.low, got.high]
        return [quantity, *(arm.label for arm in pair), horizon, *values, *rest]

    rows = []
    for d in differences:
        heading = METRICS[d.metric].heading
        rows.append(row(heading, (d.arm, d.first), d.horizon, d.difference, None, None, None))
    for s in statements:
        paper = [None, None] if s.paper is None else [quote.value for quote in s.paper]
        rows.append(row(s.quantity, s.arms, s.horizon, s.difference, "lower", *paper))
    return csv_text(head.split(","), rows)


def _objectives(horizon: int | None) -> str:
    if horizon is None:
        return ""
    return f", {horizon} objective{'' if horizon == 1 else 's'}"


def sentence(statement: Statement) -> str:
    """One of the paper's statements with the numbers on both sides."""
    first, second = statement.arms
    claim = f"{statement.quantity}{_objectives(statement.horizon)}: lower with the format reward"
    if statement.values is None:
        return f"- {claim}: {NOT_RUN}."
    one, other = (f"{value:.{statement.digits}f}" for value in statement.values)
    measured = (
        f"{one} with it ({escape(first.name)}) against {other} without ({escape(second.name)}), "
        f"difference {interval_text(statement.difference, statement.digits)}"
    )
    paper = ""
    if statement.paper is not None:
        numbers = [f"{quote.value:g}" for quote in statement.paper]
        paper = f"; the paper has {' against '.join(numbers)} [{statement.paper[0].source}]"
    return f"- {claim}: {measured}{paper}."


def _by_horizon(rows: Iterable[Line], analysis: Analysis, metric: str) -> list[list[str]]:
    return [
        [row_label(r), *(full_cell(r.cells.get((h, metric))) for h in analysis.horizons)]
        for r in rows
        if not r.paper or any(m == metric for _, m in r.cells)
    ]


def _settings(rows: Sequence[Line], analysis: Analysis) -> str:
    """What the arms are, and what their training came to."""
    own = {row.label: row for row in rows if not row.paper}
    at = analysis.rl_horizon or 0
    body = [
        [
            escape(arm.label),
            arm.estimator,
            arm.kl_in,
            arm.packing,
            "yes" if arm.format_reward else "no",
            str(len(arm.runs)),
            *(full_cell(own[arm.name].cells[at, name]) for name in TRAINED),
            escape(", ".join(arm.runs)),
        ]
        for arm in analysis.arms
    ]
    head = ["arm", "estimator", "KL penalty in", "packing", "format reward", "seeds"]
    return pipe_table([*head, *(spec.heading for spec in TRAINED.values()), "runs"], body)


def _against_first(differences: Sequence[Difference], analysis: Analysis, metric: str) -> str:
    pairs = list(dict.fromkeys((d.arm.label, d.first.label) for d in differences))
    digits = METRICS[metric].digits
    body = [
        [
            f"{escape(one)} minus {escape(other)}",
            *(
                interval_text(d.difference, digits)
                for d in differences
                if (d.arm.label, d.first.label, d.metric) == (one, other, metric)
            ),
        ]
        for one, other in pairs
    ]
    return pipe_table([METRICS[metric].label, *horizon_heads(analysis)], body)


def markdown(
    rows: Sequence[Line],
    differences: Sequence[Difference],
    statements: Sequence[Statement],
    analysis: Analysis,
) -> str:
    """Everything about the ablations, with the numbers behind the paper's statements."""
    heads = horizon_heads(analysis)
    out = [f"# Ablations, preset `{analysis.preset}`", ""]
    out += [
        f"{LEGEND} Brackets: 95 % bootstrap interval over tasks, and over seeds where there are "
        f"several. {coverage(analysis)}",
        "",
        *("## What was compared", "", _settings(rows, analysis), ""),
    ]
    for metric in SHOWN:
        out += [f"## {METRICS[metric].heading}", ""]
        out += [pipe_table(["arm", *heads], _by_horizon(rows, analysis, metric)), ""]
    if differences:
        out += ["## Against the first arm", ""]
        for metric in COMPARED:
            out += [_against_first(differences, analysis, metric), ""]
    if statements:
        out += ["## The paper on its format reward", ""]
        out += [
            "With it, training converges faster, and EM and peak are lower, the paper says "
            "(verdicts: `claims.md`).",
            "",
        ]
        out += [*map(sentence, statements), ""]
    return "\n".join([*out, "## How to read it", "", *(f"- {t}" for t in _reading(analysis)), ""])


def _reading(analysis: Analysis) -> list[str]:
    at = analysis.rl_horizon
    return [
        "Runs of an arm differ in their seed alone, and start from the same weights or, where the "
        "warm start has several seeds, from those of their own.",
        f"Training reward and EM: means over the last quarter of the rounds ({at} objectives, "
        "sampled), with intervals over these rounds and the seeds. With the format reward, a "
        "malformed output counts -1 in the reward; EM has no such term. Evaluation is greedy, and "
        "a malformed output costs a turn there, whatever the training.",
        "Three seeds say little about the spread between seeds: an interval that it dominates is "
        "the range of the seeds, and holds the true mean in three of four cases. An arm of one "
        "seed has an interval over tasks alone; in a difference it is given the spread of the "
        "arm beside it. Between two arms of one seed each, the spread between seeds is missing: "
        "how fast they converge then decides nothing.",
        "A curve has converged in the first round with nine tenths of the climb from its first "
        "round to the mean of its last quarter; one that does not climb counts as one round "
        "more than there were.",
    ]
