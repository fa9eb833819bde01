"""The paper's tables with our rows: Table 3, Table 4, that of the format reward, and their form.

Table 3 has one objective, searching Wikipedia and searching the web; what stands for Wikipedia
is the preset's own retriever. Table 4 has RL against SFT by number of objectives. A table is
written for every preset: what it did not run is marked so. Table 2 is in ``table2``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mem1.analysis import ablation_tables, latex
from mem1.analysis.arms import format_pairs
from mem1.analysis.expected import Expected, TableName
from mem1.analysis.latex import Block
from mem1.analysis.markdown import LEGEND, coverage, full_cell, pipe_table, reading, row_label
from mem1.analysis.settings import Analysis
from mem1.analysis.statistics import Interval
from mem1.analysis.summary import Summary
from mem1.analysis.tables import SPECS, Cell, Line, measured_cell, measured_line, paper_line, to_csv
from mem1.config_systems import EnvironmentName

KINDS = ("csv", "md", "tex")
SINGLE = ("em", "f1", "peak", "dependency", "seconds")  # columns of Table 3
FORMAT = ("em", "peak", "zero_format", "train_reward", "train_em")
Key = tuple[int, str]  # horizon and metric


@dataclass(frozen=True)
class Sheet:
    """One table: blocks of rows under common heads."""

    name: str  # of its files
    title: str
    heads: Sequence[str]
    keys: Sequence[Key]  # of the columns
    blocks: Sequence[tuple[str, Sequence[Line]]]  # title and rows
    remarks: Sequence[str]  # how to read it
    inconsistencies: Sequence[str]  # of the paper's numbers in it


def not_run(label: str, keys: Sequence[Key], environment: str = "wiki") -> Line:
    """A row of ours that there is no system for."""
    cells = {
        (horizon, metric): measured_cell("", label, horizon, metric, None, environment)
        for horizon, metric in keys
    }
    return Line(label, False, cells)


def _paper_rows(
    expected: Expected, table: TableName, names: Sequence[str], keys: Sequence[Key]
) -> list[Line]:
    """The rows of ``table`` called ``names``, as far as it has them."""
    horizons = sorted({horizon for horizon, _ in keys})
    rows = [paper_line(expected, horizons, name, table) for name in names]
    return [row for row in rows if any(key in row.cells for key in keys)]


def table3(summary: Summary, analysis: Analysis, expected: Expected) -> Sheet:
    """One objective, with retrieval over Wikipedia and with web search."""
    keys = [(1, metric) for metric in SINGLE]
    blocks = []
    places: list[tuple[EnvironmentName, TableName, str]] = [
        ("wiki", "table3", "Retrieval over Wikipedia (the paper) or the preset's passages (ours)"),
        ("web", "table3_web", "Web search"),
    ]
    remarks = ["Web search is zero-shot: no system was trained with it."]
    if analysis.web_stand_in:
        remarks.append(
            "Our web search: the preset's own passages in the form of a web search's results."
        )
    for environment, table, title in places:
        rows: list[Line] = []
        named = []
        for system, settings in analysis.of_environment(environment).items():
            if not analysis.evaluates(system, 1):
                continue
            rows.append(measured_line(summary, analysis, system, [1]))
            if settings.paper is not None:
                named.append(settings.paper)
                rows += _paper_rows(expected, table, [settings.paper], keys)
        if not rows:
            rows.append(not_run("Ours", keys, environment))
        others = dict.fromkeys(row.name for row in expected.table(table).rows)
        rest = [name for name in others if name not in named]
        blocks.append((title, [*rows, *_paper_rows(expected, table, rest, keys)]))
    return Sheet(
        "table3",
        "Table 3: one objective",
        [SPECS[metric].heading for metric in SINGLE],
        keys,
        blocks,
        [*reading(analysis), *remarks],
        expected.notes_on("table3", "table3_web"),
    )


def table4(summary: Summary, analysis: Analysis, expected: Expected) -> Sheet:
    """EM of RL against SFT, by number of objectives."""
    printed = {row.horizon for row in expected.table4.rows if row.horizon is not None}
    horizons = sorted(printed | set(analysis.horizons))
    keys = [(horizon, "em") for horizon in horizons]
    pairs = analysis.compared("training")
    systems = dict.fromkeys([*(pair.first for pair in pairs), *(pair.second for pair in pairs)])
    rows: list[Line] = []
    named = []
    for system in systems:
        rows.append(measured_line(summary, analysis, system, horizons))
        paper = analysis.systems[system].paper
        if paper is not None:
            named.append(paper)
            rows += _paper_rows(expected, "table4", [paper], keys)
    if not rows:
        rows.append(not_run("Ours", keys))
    rest = dict.fromkeys(row.name for row in expected.table4.rows if row.name not in named)
    return Sheet(
        "table4",
        "Table 4: RL against SFT, EM by number of objectives",
        [str(horizon) for horizon in horizons],
        keys,
        [("EM", [*rows, *_paper_rows(expected, "table4", list(rest), keys)])],
        [coverage(analysis)],
        expected.notes_on("table4"),
    )


def format_reward(
    arms: Summary,
    trained: Mapping[str, Mapping[str, Interval]],
    analysis: Analysis,
    expected: Expected,
) -> Sheet:
    """Arms with the format reward and without, at the paper's number of objectives.

    ``arms`` and ``trained`` are what ``ablations`` finds, by the labels of arms.
    """
    horizon = expected.format_reward.rows[0].horizon or 0
    at = {metric: analysis.rl_horizon or horizon for metric in ("train_reward", "train_em")}
    keys = [(at.get(metric, horizon), metric) for metric in FORMAT]
    labels = dict.fromkeys(arm.name for pair in format_pairs(analysis.arms) for arm in pair)
    every = ablation_tables.lines(arms, trained, analysis, expected)
    rows = [line for line in every if line.label in labels]
    if not rows:
        rows.append(not_run("Ours, with the format reward", keys))
    rows += [ablation_tables.paper_row(expected, used) for used in (True, False)]
    return Sheet(
        "format-reward",
        f"The format reward, {horizon} objectives",
        [SPECS[metric].heading for metric in FORMAT],
        keys,
        [("With and without it", rows)],
        [
            "With the format reward a malformed output ends the trajectory with -1 in training. "
            "Evaluation is the same for both.",
            "Training reward and EM: means over the last quarter of the rounds.",
        ],
        expected.notes_on("format_reward"),
    )


def _cells(line: Line, keys: Sequence[Key]) -> list[Cell | None]:
    """Of our rows every cell, of the paper's those that it prints."""
    found = [line.cells.get(key) for key in keys]
    if line.paper:
        return found
    return [
        cell or measured_cell("", line.label, *key, None)
        for cell, key in zip(found, keys, strict=True)
    ]


def markdown(sheet: Sheet, analysis: Analysis) -> str:
    """The table with its remarks."""
    out = [f"# {sheet.title}, preset `{analysis.preset}`", ""]
    out += [f"{LEGEND} Brackets: 95 % bootstrap interval. {analysis.trained_with()}", ""]
    for title, lines in sheet.blocks:
        body = [[row_label(line), *map(full_cell, _cells(line, sheet.keys))] for line in lines]
        out += [f"## {title}", "", pipe_table(["system", *sheet.heads], body), ""]
    out += ["## How to read it", "", *(f"- {text}" for text in sheet.remarks)]
    if sheet.inconsistencies:
        out += ["", "## What does not fit together in the paper", ""]
        out += [f"- {text}" for text in sheet.inconsistencies]
    return "\n".join(out) + "\n"


def files(sheet: Sheet, analysis: Analysis) -> dict[str, str]:
    """File name to content: CSV, Markdown and LaTeX."""
    narrow = [
        Line(
            line.label,
            line.paper,
            {
                key: cell
                for key, cell in zip(sheet.keys, _cells(line, sheet.keys), strict=True)
                if cell is not None
            },
        )
        for _, lines in sheet.blocks
        for line in lines
    ]
    blocks = [
        Block(title, [(line, _cells(line, sheet.keys)) for line in lines])
        for title, lines in sheet.blocks
    ]
    about = f"{sheet.title}. Tokens: {analysis.counted_in()}. {analysis.trained_on()}"
    contents = (
        to_csv(narrow),
        markdown(sheet, analysis),
        latex.table(sheet.heads, blocks, about),
    )
    return {f"{sheet.name}.{kind}": text for kind, text in zip(KINDS, contents, strict=True)}
