"""Training curves: Figures 6 and 7 of the paper, the estimators, and what else a run logs.

One panel per quantity; one line per label, which is a run with its seeds or, in an ablation, an
arm with its seeds. Thin lines are runs as logged, the thick one is their mean, smoothed by a
running mean. A run looks the same in all of these figures and, in an ablation, in Figure 4.

Departures from the paper: its Figure 7 has one panel. The reward with the format reward counts
-1 for a malformed end, so exact matches, which both runs share, stand beside it.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mem1.analysis.csv_text import csv_text
from mem1.analysis.curves import Curve
from mem1.analysis.drawing import STYLE, legend_columns, styles

SMOOTH = 15  # a running mean covers this fraction of a run
MARKS = 6  # markers on a line


@dataclass(frozen=True)
class Panel:
    """One quantity of runs of one stage."""

    title: str
    unit: str
    name: str  # of the metric
    stage: str = "rl"
    log: bool = False  # orders of magnitude
    lowest: float = -math.inf  # what lies below is cut off


REWARD = Panel("Reward", "per trajectory", "reward")
EM = Panel("Exact match", "questions per task", "em")
FIGURE6 = (
    Panel("Valid searches", "per trajectory", "valid_searches"),
    Panel("Valid actions", "share of turns", "valid_actions"),
    REWARD,
    Panel("Entropy", "nats per token", "entropy"),
)
FIGURE7 = (REWARD, EM)
# Where all returns are nearly equal it can be any number below zero.
EXPLAINED = Panel(
    "Critic: explained variance", "share (cut at -1)", "critic/explained_variance", lowest=-1
)
ESTIMATORS = (REWARD, EXPLAINED)
TRAINING = (
    Panel("Warm start: loss", "nats per sampled token", "loss", "sft"),
    Panel("RL: exact match", "questions per task", "em"),
    Panel("RL: KL to the starting policy", "nats per token", "kl"),
    Panel("RL: clipped ratios", "share of tokens", "clip_fraction"),
    EXPLAINED,
    Panel("RL: engine against trainer", "largest |Δ log-prob| (nats)", "logprob_gap_max", log=True),
)


def running_mean(values: Sequence[float], window: int) -> np.ndarray:
    """Mean of each value with its predecessors, up to ``window`` of them in all."""
    sums = np.concatenate([[0.0], np.cumsum(np.asarray(values, dtype=float))])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - window)
    return (sums[ends] - sums[starts]) / (ends - starts)


def mean_curve(curves: Sequence[Sequence[tuple[int, float]]]) -> list[tuple[int, float]]:
    """Step and mean over the ``curves`` that have it."""
    at: dict[int, list[float]] = defaultdict(list)
    for curve in curves:
        for step, value in curve:
            at[step].append(value)
    return [(step, sum(values) / len(values)) for step, values in sorted(at.items())]


def looks(curves: Sequence[Curve]) -> dict[str, dict[str, Any]]:
    """Label to colour, dash and marker."""
    known = {curve.label: curve for curve in curves}
    chosen = styles([c.group for c in known.values()], [c.stage for c in known.values()])
    return dict(zip(known, chosen, strict=True))


def panels_of(curves: Sequence[Curve], panels: Sequence[Panel]) -> list[Panel]:
    """Those of ``panels`` for which at least one run has data."""
    return [p for p in panels if any(c.stage == p.stage and c.values.get(p.name) for c in curves)]


def _panel(
    axes: Axes, panel: Panel, curves: Sequence[Curve], look: Mapping[str, Mapping[str, Any]]
) -> None:
    lines: dict[str, list[Sequence[tuple[int, float]]]] = defaultdict(list)
    for curve in curves:
        if curve.stage == panel.stage and curve.values.get(panel.name):
            lines[curve.label].append(curve.values[panel.name])
    for label, runs in lines.items():
        color = look[label]["color"]
        for run in runs:
            axes.plot(*zip(*run, strict=True), color=color, alpha=0.3, linewidth=0.9)
        steps, values = zip(*mean_curve(runs), strict=True)
        smooth = running_mean(values, max(1, len(values) // SMOOTH))
        every = max(1, math.ceil(len(steps) / MARKS))
        axes.plot(steps, smooth, **look[label], linewidth=1.7, markersize=4.5, markevery=every)
    axes.set_title(panel.title, loc="left")
    axes.set_ylabel(panel.unit)
    if panel.log:
        axes.set_yscale("log")
    if axes.get_ylim()[0] < panel.lowest:
        axes.set_ylim(panel.lowest, max(panel.lowest + 1, axes.get_ylim()[1]))
    axes.set_xlabel("optimizer step" if panel.stage == "sft" else "RL step (collect and update)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))


def curves_csv(curves: Mapping[str, Curve], panels: Sequence[Panel]) -> str:
    """What is drawn in ``panels``, as logged; ``curves`` by run."""
    return csv_text(
        ["line", "run", "metric", "step", "value"],
        [
            [curve.label, run, panel.name, step, float(value)]
            for panel in panels
            for run, curve in curves.items()
            if curve.stage == panel.stage
            for step, value in curve.values.get(panel.name, [])
        ],
    )


def curve_figure(
    curves: Sequence[Curve], panels: Sequence[Panel], among: Sequence[Curve] | None = None
) -> Figure:
    """One of the figures of this module.

    Args:
        curves: the runs that are drawn; those of one label are seeds of one arm.
        panels: ``FIGURE6``, ``FIGURE7``, ``ESTIMATORS`` or ``TRAINING``.
        among: all runs that there are, so that a run looks the same in each figure.
    """
    panels = panels_of(curves, panels)
    look = looks(curves if among is None else among)
    drawn = {c.label for c in curves if any(c.stage == p.stage for p in panels)}
    columns = {1: 1, 2: 2, 4: 2}.get(len(panels), 3)
    rows = max(1, math.ceil(len(panels) / columns))
    entries: dict[Any, list[str]] = {}
    for label in (name for name in look if name in drawn):
        entries.setdefault(tuple(look[label].items()), []).append(label)
    with mpl.rc_context(STYLE):
        size = (max(6.6, 3.3 * columns), 2.4 * rows + 0.5)
        figure = Figure(figsize=size, layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, panel in zip(grid, panels, strict=False):
            _panel(axes, panel, curves, look)
        for axes in grid[len(panels) :]:
            axes.set_axis_off()
        handles = [
            Line2D([], [], **dict(one), linewidth=1.7, markersize=4.5, label=", ".join(labels))
            for one, labels in entries.items()
        ]
        seeds = len(curves) > len({curve.label for curve in curves})
        thick = "mean over seeds, " if seeds else ""
        legend = figure.legend(
            handles=handles,
            loc="outside lower center",
            ncols=legend_columns(handles, figure),
            handlelength=3.4,
            title=f"thin: as logged; thick: {thick}running mean over a fifteenth of the run",
            title_fontsize=8,
        )
        legend.get_title().set_color("#555555")
    return figure
