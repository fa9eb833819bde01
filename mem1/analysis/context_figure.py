"""Figure 2: how long the context grows over the turns of a task, measured, by context policy.

The length at a turn is that of its longest sequence in tokens: context and output, of the turn
or of a call that the policy made for it. So the largest of a trajectory is its peak.

Departures from the paper: its Figure 2 is a sketch; this one is drawn from the trajectories of
the largest number of objectives. One system stands for each context policy: one after RL, where
there is one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mem1.analysis.csv_text import csv_text
from mem1.analysis.drawing import GREY, STYLE, legend_columns, styles
from mem1.analysis.grouping import rank
from mem1.analysis.settings import Analysis
from mem1.analysis.summary import record_file
from mem1.errors import InputError
from mem1.records import Trajectory, iter_jsonl

MIDDLE = (5, 95)  # percentiles of the tasks that the band holds


@dataclass(frozen=True)
class Growth:
    """Context lengths under one policy, in tokens."""

    policy: str
    label: str  # of the system
    prompt: float  # mean length of the task prompt
    lengths: Mapping[str, Sequence[int]]  # by task: the length at each turn, tasks in file order

    def at(self, turn: int) -> list[int]:
        """The lengths at ``turn``, counted from 0, of the trajectories that have it."""
        return [found[turn] for found in self.lengths.values() if len(found) > turn]

    @property
    def turns(self) -> int:
        """Turns of the longest trajectory."""
        return max(map(len, self.lengths.values()))


def lengths(trajectory: Trajectory) -> list[int]:
    """Tokens of the longest sequence of each turn, calls included."""
    return [
        max(
            len(turn.context) + len(turn.output),
            *(len(call.context) + len(call.output) for call in turn.calls),
            0,
        )
        for turn in trajectory.turns
    ]


def preferred(analysis: Analysis) -> list[str]:
    """All systems in the order in which they stand for their context policy: after RL first."""

    def order(name: str) -> tuple[int, bool, bool]:
        system = analysis.systems[name]
        run = analysis.runs.get(system.run or "")
        return rank(system.policy), run is None or run.stage != "rl", system.environment != "wiki"

    return sorted(analysis.systems, key=order)


def read(folder: Path, analysis: Analysis, horizon: int) -> list[Growth]:
    """Context lengths by policy, of the first system that was evaluated on ``horizon`` objectives.

    Of several seeds and of several samples of a task the first counts.

    Raises:
        InputError: a file is unusable.
    """
    found: dict[str, Growth] = {}
    for name in preferred(analysis):
        system = analysis.systems[name]
        path = record_file(folder, analysis.replicas[name][0], horizon)
        if system.policy in found or not path.exists():
            continue
        by_task: dict[str, list[int]] = {}
        prompts = []
        for trajectory in iter_jsonl(path, Trajectory):
            by_task.setdefault(trajectory.task_id, lengths(trajectory))
            prompts.append(len(trajectory.prompt))
        if not any(by_task.values()):
            raise InputError(f"{path} holds no turn: evaluate it again.")
        prompt = sum(prompts) / len(prompts)
        found[system.policy] = Growth(system.policy, system.label, prompt, by_task)
    return list(found.values())


def example(growths: Sequence[Growth]) -> str | None:
    """The task that all have whose number of turns under the first is the median; lower, first."""
    common = [t for t in growths[0].lengths if all(t in other.lengths for other in growths)]
    ranked = sorted(common, key=lambda task: len(growths[0].lengths[task]))
    return ranked[(len(ranked) - 1) // 2] if ranked else None


def figure2_csv(growths: Sequence[Growth]) -> str:
    """One line for each policy and turn; turn 0 is the prompt alone."""
    task = example(growths)
    rows: list[list[Any]] = []
    for one in growths:
        drawn = one.lengths[task] if task is not None else []
        rows.append([one.policy, one.label, 0, len(one.lengths), one.prompt, None, None, None])
        for turn in range(one.turns):
            values = one.at(turn)
            low, high = (float(value) for value in np.percentile(values, MIDDLE))
            here = drawn[turn] if turn < len(drawn) else None
            mean = sum(values) / len(values)
            rows.append([one.policy, one.label, turn + 1, len(values), mean, low, high, here])
    head = ["policy", "system", "turn", "trajectories", "mean", "p5", "p95", task or "example"]
    return csv_text(head, rows)


def _mean(axes: Axes, running: Axes, one: Growth, look: Mapping[str, Any]) -> None:
    """Mean and band over the turns, and below how many trajectories there still are."""
    turns = range(1, one.turns + 1)
    values = [one.at(turn - 1) for turn in turns]
    low, high = np.array([np.percentile(found, MIDDLE) for found in values]).T
    axes.fill_between(turns, low, high, color=look["color"], alpha=0.13, linewidth=0)
    every = max(1, len(turns) // 8)
    style: Any = {**look, "linewidth": 1.5, "markersize": 4.5, "markevery": every}
    axes.plot(turns, [np.mean(found) for found in values], **style)
    running.plot(turns, [len(found) for found in values], **style)


def _prompt(axes: Axes, growths: Sequence[Growth]) -> None:
    """The length of the task prompt, which every context begins with."""
    low, high = (pick(one.prompt for one in growths) for pick in (min, max))
    axes.axhspan(low, high, color=GREY, linewidth=0.9, alpha=0.7, zorder=1)
    text = f"{high:.0f}" if high < 1.02 * low else f"{low:.0f} to {high:.0f}"
    axes.annotate(
        f"task prompt: {text} tokens",
        (1, low),
        xycoords=("axes fraction", "data"),
        xytext=(0, -3),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=7.5,
        color="#555555",
    )


def figure2(growths: Sequence[Growth], horizon: int) -> Figure:
    """Context length over turns: the mean with a band over tasks, and one task.

    Args:
        growths: at least one, as ``read`` returns them.
        horizon: objectives of the tasks.
    """
    task = example(growths)
    looks = styles([one.policy for one in growths])
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.2, 4.7), layout="constrained")
        grid = figure.add_gridspec(2, 2, height_ratios=[3.2, 1])
        mean = figure.add_subplot(grid[0, 0])
        running = figure.add_subplot(grid[1, 0], sharex=mean)
        single = figure.add_subplot(grid[:, 1], sharey=mean)
        for one, look in reversed(list(zip(growths, looks, strict=True))):
            _mean(mean, running, one, look)
            drawn = one.lengths[task] if task is not None else []
            every = max(1, len(drawn) // 8)
            turns = range(1, len(drawn) + 1)
            single.plot(turns, drawn, **look, linewidth=1.5, markersize=4.5, markevery=every)
        for axes in (mean, single):
            _prompt(axes, growths)
            axes.set_ylim(bottom=0)
        for axes in (running, single):
            axes.set_xlabel("turn")
        for axes in (mean, running, single):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=10))
        mean.tick_params(labelbottom=False)
        running.set_ylim(bottom=0)
        running.set_ylabel("still running")
        mean.set_ylabel("context and output (tokens)")
        number = f"{horizon} objective{'s' if horizon > 1 else ''}"
        mean.set_title(f"Tasks of {number}: mean, band: middle 90 %", loc="left")
        single.set_title(f"One of them: {task}", loc="left")
        handles = [
            Line2D([], [], label=one.label, linewidth=1.5, markersize=4.5, **look)
            for one, look in zip(growths, looks, strict=True)
        ]
        figure.legend(
            handles=handles,
            loc="outside lower center",
            ncols=legend_columns(handles, figure),
            handlelength=4,
        )
    return figure
