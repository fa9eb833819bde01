"""Figure 5: how often each of the eight behaviours shows, by system, with example snippets.

The paper's Figure 5 is a set of annotated snippets without counts. Here every recorded
trajectory is looked through by the detectors of ``behaviours``; a share is that of the
trajectories that show a behaviour at least once, among those that could. Intervals are Wilson's,
95 %, over trajectories: they stay honest at 0 and at 1, where a bootstrap has no width. Seeds of
one training play the same tasks: each task counts once there, and what the shares of the seeds
differ by is added (``Tally.worth``).
"""

import math
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import variance

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from mem1.analysis.behaviours import BEHAVIOURS, Behaviour, Sighting
from mem1.analysis.csv_text import csv_text
from mem1.analysis.drawing import STYLE, interval_columns
from mem1.analysis.episode import episode
from mem1.analysis.series import Series, looks
from mem1.analysis.statistics import Interval
from mem1.analysis.summary import record_file
from mem1.errors import InputError
from mem1.records import Task, Trajectory, iter_jsonl

Questions = Mapping[int, Mapping[str, Sequence[str]]]  # by objectives and task, in order
Z = 1.959964  # 95 % of a normal distribution lie within


@dataclass(frozen=True)
class Tally:
    """How many trajectories of one line show one behaviour, at some numbers of objectives."""

    label: str
    horizons: tuple[int, ...]
    behaviour: Behaviour
    shown: Counter[str]  # trajectories that show it, by what the records of a seed are called
    played: Counter[str]  # all trajectories, likewise
    task: str = ""  # of the example: the first that shows it
    example: Sighting | None = None

    @property
    def share(self) -> Interval:
        """The share that shows it."""
        return wilson(self.shown.total(), self.played.total(), self.worth)

    @property
    def worth(self) -> float:
        """How many independent trajectories have a share as uncertain as this one.

        With one seed, all. With several, the variance of the share is at most that over the tasks
        of one seed, as if all seeds did the same on a task, plus that of the mean over the seeds.
        """
        n, seeds = self.played.total(), len(self.played)
        share, tasks = self.shown.total() / n, n / seeds
        within = share * (1 - share)
        if seeds == 1 or not within:
            return tasks
        shares = [self.shown[seed] / played for seed, played in self.played.items()]
        return within / (within / tasks + variance(shares) / seeds)


def wilson(shown: int, n: int, worth: float | None = None) -> Interval:
    """The share ``shown / n`` with Wilson's 95 % interval; ``n`` is at least 1.

    ``worth`` is how many independent trajectories the ``n`` are worth; None: all.
    """
    independent = n if worth is None else worth
    share, spread = shown / n, Z * Z / independent
    middle = (share + spread / 2) / (1 + spread)
    deviation = math.sqrt(share * (1 - share) / independent + spread / (4 * independent))
    half = Z * deviation / (1 + spread)
    low = 0.0 if shown == 0 else middle - half
    high = 1.0 if shown == n else middle + half
    return Interval(share, low, high, n)


def count(
    label: str, horizon: int, trajectories: Iterable[Trajectory], tasks: Mapping[str, Sequence[str]]
) -> list[Tally]:
    """The tallies of one line at one number of objectives, for behaviours that can show there.

    Raises:
        InputError: a trajectory is of a task whose questions are not known.
    """
    possible = [behaviour for behaviour in BEHAVIOURS if behaviour.objectives <= horizon]
    shown = {behaviour.key: Counter[str]() for behaviour in possible}
    examples: dict[str, tuple[str, Sighting]] = {}
    played = Counter[str]()
    for trajectory in trajectories:
        if trajectory.task_id not in tasks:
            raise InputError(
                f"Task {trajectory.task_id!r} is in the records of {trajectory.system} and not in "
                f"its panel: evaluate it again."
            )
        played[trajectory.system] += 1
        text = episode(trajectory, tasks[trajectory.task_id])
        for behaviour in possible:
            first = next(behaviour.detect(text), None)
            if first is not None:
                shown[behaviour.key][trajectory.system] += 1
                examples.setdefault(behaviour.key, (trajectory.task_id, first))
    return [
        Tally(label, (horizon,), b, shown[b.key], played, *examples.get(b.key, ("", None)))
        for b in possible
        if played
    ]


def panel_file(folder: Path, horizon: int) -> Path:
    """Where the tasks of a number of objectives are."""
    return folder / f"test-{horizon}.jsonl"


def questions(folder: Path, horizons: Iterable[int]) -> Questions:
    """The questions of all tasks with these numbers of objectives.

    Raises:
        InputError: a panel is missing or malformed.
    """
    return {
        horizon: {
            task.id: [question.text for question in task.questions]
            for task in iter_jsonl(panel_file(folder, horizon), Task)
        }
        for horizon in horizons
    }


def tallies(folder: Path, series: Sequence[Series], asked: Questions) -> list[Tally]:
    """All tallies of ``series``, whose records lie in ``folder``."""
    found = []
    for one in series:
        for horizon in sorted(one.values["em"]):
            trajectories = (
                trajectory
                for name in one.records
                if (path := record_file(folder, name, horizon)).exists()
                for trajectory in iter_jsonl(path, Trajectory)
            )
            found += count(one.label, horizon, trajectories, asked[horizon])
    return found


def pooled(rows: Sequence[Tally], horizons: Sequence[int]) -> list[Tally]:
    """One tally for each line and behaviour, over those of ``horizons`` that the line has."""
    sums: dict[tuple[str, str], Tally] = {}
    for row in rows:
        if not set(row.horizons) <= set(horizons):
            continue
        key = row.label, row.behaviour.key
        old = sums.get(key, Tally(row.label, (), row.behaviour, Counter(), Counter()))
        first = old if old.example else row
        sums[key] = Tally(
            row.label,
            (*old.horizons, *row.horizons),
            row.behaviour,
            old.shown + row.shown,
            old.played + row.played,
            first.task,
            first.example,
        )
    return list(sums.values())


def named(rows: Sequence[Tally], horizons: Sequence[int]) -> dict[str, str]:
    """Label to the name that says where a line was evaluated on some of ``horizons`` only."""
    there: dict[str, set[int]] = {}
    for row in rows:
        there.setdefault(row.label, set()).update(set(row.horizons) & set(horizons))
    return {
        label: label if found == set(horizons) else f"{label}: {_numbers(sorted(found))} only"
        for label, found in there.items()
        if found
    }


def _numbers(horizons: Sequence[int]) -> str:
    return ", ".join(map(str, horizons))


def figure5_csv(rows: Sequence[Tally], horizons: Sequence[int]) -> str:
    """One line for each line, behaviour and number of objectives, after those over ``horizons``."""
    head = ["line", "behaviour", "objectives", "share", "low", "high", "trajectories", "shown"]
    head += ["example_task", "example_turn", "example"]
    lines = []
    for row in [*pooled(rows, horizons), *rows]:
        turn, quote = (row.example.turn, row.example.quote) if row.example else (None, None)
        where = [row.label, row.behaviour.key, " ".join(map(str, row.horizons))]
        share = interval_columns(row.share)
        lines.append([*where, *share, row.shown.total(), row.task or None, turn, quote])
    return csv_text(head, lines)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "'")


def figure5_markdown(rows: Sequence[Tally], horizons: Sequence[int]) -> str:
    """Shares over ``horizons``, then each rule, its limits, and what it found."""
    whole = pooled(rows, horizons)
    lines = named(rows, horizons)
    by = {(row.label, row.behaviour.key): row for row in whole}
    several = any(len(row.played) > 1 for row in whole)
    over = "tasks and seeds" if several else "trajectories"
    out = [
        "# Emergent behaviours, by stated rules",
        "",
        f"Share of the trajectories that show a behaviour at least once, over tasks of "
        f"{_numbers(horizons)} objectives, with 95 % intervals (Wilson's) over {over}. Other "
        f"numbers of objectives, and who was evaluated on none of these, stand in figure5.csv.",
        "",
        "| | " + " | ".join(behaviour.name for behaviour in BEHAVIOURS) + " |",
        "|---|" + "---:|" * len(BEHAVIOURS),
    ]
    for label, name in lines.items():
        cells = []
        for behaviour in BEHAVIOURS:
            row = by.get((label, behaviour.key))
            cells.append("" if row is None else _percent(row.share))
        out.append(f"| {_escaped(name)} | " + " | ".join(cells) + " |")
    out += [
        "",
        "A rule sees words, not intentions: a share says how often agents write or act so, and "
        "compares systems; it is no measure of an ability. The behaviours of a small model that "
        "was taught the form of its notes are those of its teacher.",
    ]
    for behaviour in BEHAVIOURS:
        out += ["", f"## {behaviour.name}", "", f"*Rule.* {behaviour.rule}", ""]
        out += [f"*Limits.* {behaviour.limits}", ""]
        seen = [
            (label, by[label, behaviour.key]) for label in lines if (label, behaviour.key) in by
        ]
        examples = [
            f"- {_escaped(label)}, task {_escaped(row.task)}, turn {row.example.turn}: "
            f"{_escaped(row.example.quote)}"
            for label, row in seen
            if row.example
        ]
        out += examples or ["No trajectory shows it."]
    return "\n".join(out) + "\n"


def _percent(share: Interval) -> str:
    return f"{share.mean:.0%} [{share.low:.0%}, {share.high:.0%}]"


def figure5(rows: Sequence[Tally], series: Sequence[Series], horizons: Sequence[int]) -> Figure:
    """Shares over ``horizons`` with intervals: a panel for each behaviour, a row for each line.

    Args:
        rows: as ``tallies`` returns them.
        series: all lines, in the order of the rows.
        horizons: numbers of objectives.
    """
    whole = {(row.label, row.behaviour.key): row for row in pooled(rows, horizons)}
    names = named(rows, horizons)
    labels = [one.label for one in series if one.label in names]
    look = {label: {**one, "linestyle": "none"} for label, one in looks(series).items()}
    columns = 4
    with mpl.rc_context(STYLE):
        height = 0.9 + 2 * (0.6 + 0.19 * len(labels))
        figure = Figure(figsize=(9.2, height), layout="constrained")
        grid = figure.subplots(len(BEHAVIOURS) // columns, columns, sharex=True, sharey=True)
        for axes, behaviour in zip(grid.ravel(), BEHAVIOURS, strict=True):
            for place, label in enumerate(labels):
                row = whole.get((label, behaviour.key))
                if row is None:
                    continue
                share = row.share
                color = look[label]["color"]
                axes.hlines(place, share.low, share.high, color=color, linewidth=1.4)
                axes.plot(share.mean, place, **look[label], markersize=5.5)
            axes.set_title(textwrap.fill(behaviour.name, 22), loc="left", fontsize=8.5)
        first = grid.ravel()[0]
        first.set_yticks(range(len(labels)), [names[label] for label in labels])
        first.set_ylim(len(labels) - 0.4, -0.6)
        first.set_xlim(-0.04, 1.04)
        first.xaxis.set_major_formatter(PercentFormatter(1, 0, symbol=""))
        text = f"% of trajectories that show it, tasks of {_numbers(horizons)} objectives"
        figure.supxlabel(f"{text}, with 95 % intervals", fontsize=9)
    return figure
