"""Figure 4 of the paper: EM and peak tokens against the number of objectives, all systems.

Departures from the paper: 95 % intervals, a shade over the horizons that no supervised training
covered, and optional marks where the paper's headline ratios would put MEM1 relative to our
full-history baseline.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from mem1.analysis.csv_text import csv_text
from mem1.analysis.drawing import GREY, STYLE, interval_columns, legend_columns
from mem1.analysis.series import Series, looks
from mem1.analysis.statistics import Interval

DRAWN = ("em", "peak")
BANDS = 6  # more lines than these have bars in place of bands


@dataclass(frozen=True)
class Headline:
    """Where the paper's ratios would put MEM1 relative to a measured baseline."""

    horizon: int
    baseline: str  # its label
    em: float  # questions
    em_ratio: float
    peak: float  # tokens
    peak_ratio: float


def with_lines(series: Sequence[Series]) -> list[Series]:
    """Those of ``series`` with several numbers of objectives; where none has, all."""
    return [one for one in series if len(one.values["em"]) > 1] or list(series)


def figure4_csv(series: Sequence[Series]) -> str:
    """What Figure 4 shows, with the records behind each line."""
    return csv_text(
        ["line", "records", "objectives", "metric", "value", "low", "high", "n"],
        [
            [one.label, " ".join(one.records), horizon, metric, *interval_columns(interval)]
            for one in series
            for metric in DRAWN
            for horizon, interval in sorted(one.values[metric].items())
        ],
    )


def _line(axes: Axes, data: Mapping[int, Interval], look: Mapping[str, Any], bands: bool) -> None:
    """Means with their intervals, as a band or as bars."""
    horizons = sorted(data)
    means = [data[h].mean for h in horizons]
    low, high = ([getattr(data[h], side) for h in horizons] for side in ("low", "high"))
    if bands:
        axes.fill_between(horizons, low, high, color=look["color"], alpha=0.15, linewidth=0)
    else:
        axes.vlines(horizons, low, high, color=look["color"], linewidth=0.8, alpha=0.6)
    axes.plot(horizons, means, **look, linewidth=1.5, markersize=5)


def _horizon_axis(axes: Axes, horizons: Sequence[int], warm_start_to: int | None) -> None:
    """A log2 axis with a tick per horizon, shaded beyond the warm start."""
    axes.set_xscale("log", base=2)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(list(horizons), [str(h) for h in horizons])
    left, right = min(horizons) / 1.15, max(horizons) * 1.15
    axes.set_xlim(left, right)
    axes.set_xlabel("objectives in a task (log scale)")
    if warm_start_to is not None and warm_start_to < max(horizons):
        edge = math.sqrt(warm_start_to * min(h for h in horizons if h > warm_start_to))
        axes.axvspan(max(edge, left), right, color="#f0f0f0", zorder=0, linewidth=0)
        axes.text(
            0.985,
            1.01,
            f"shaded: beyond the warm start (up to {warm_start_to})",
            transform=axes.transAxes,
            ha="right",
            va="bottom",
            fontsize=7.5,
            color="#555555",
        )


def _paper_ratios(left: Axes, right: Axes, headline: Headline) -> Line2D:
    """Mark the paper's ratios in both panels; return their entry in the legend."""
    tick: Any = {"marker": "_", "markersize": 16, "markeredgewidth": 1.8, "color": "black"}
    left.plot([headline.horizon], [headline.em * headline.em_ratio], zorder=5, **tick)
    right.plot([headline.horizon], [headline.peak / headline.peak_ratio], zorder=5, **tick)
    text = (
        f"paper's ratios: {headline.em_ratio:g} x the EM,"
        f"\n1/{headline.peak_ratio:g} of the peak of {headline.baseline}"
    )
    return Line2D([], [], linestyle="none", label=text, **tick)


def figure4(
    series: Sequence[Series],
    horizons: Sequence[int],
    warm_start_to: int | None,
    rl_horizon: int | None,
    headline: Headline | None = None,
    among: Sequence[Series] | None = None,
) -> Figure:
    """EM and peak tokens against the number of objectives, for all systems.

    Args:
        series: the systems, in the order of the legend.
        horizons: objectives of the panels, the ticks.
        warm_start_to: largest number of objectives of any supervised training.
        rl_horizon: objectives of the RL tasks.
        headline: marks for the paper's ratios, or None.
        among: all systems that there are, so that one looks the same in each figure.
    """
    horizons = sorted(horizons)
    look = looks(series if among is None else among)
    many = len(series) > BANDS
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.2, 4.9 if many else 4.1), layout="constrained")
        left, right = figure.subplots(1, 2)
        for one in reversed(series):  # the first on top
            for axes, metric in ((left, "em"), (right, "peak")):
                _line(axes, one.values[metric], look[one.label], bands=not many)
        tops = [interval.high for one in series for interval in one.values["em"].values()]
        marks = [] if headline is None else [headline.em * headline.em_ratio]
        top = 1.08 * max([*tops, *marks, 1.0])
        reach = np.linspace(min(horizons), max(horizons), 200)
        ceiling: Any = {"color": GREY, "linewidth": 0.9, "linestyle": (0, (2, 2))}
        left.plot(reach, reach, zorder=1, **ceiling)
        left.set_ylim(-0.03 * top, top)
        right.set_ylim(bottom=0)
        left.set_ylabel("exact match (questions per task)")
        right.set_ylabel("peak tokens (longest sequence)")
        left.set_title("Right answers", loc="left")
        right.set_title("Memory", loc="left")
        handles: list[Line2D] = [
            Line2D([], [], label=one.label, linewidth=1.5, markersize=5, **look[one.label])
            for one in series
        ]
        handles.append(Line2D([], [], label="all questions right", **ceiling))
        if rl_horizon is not None and rl_horizon in horizons:
            for axes in (left, right):
                axes.axvline(rl_horizon, color="#bbbbbb", linewidth=0.9, zorder=0)
            label = f"RL trained on {rl_horizon}"
            handles.append(Line2D([], [], color="#bbbbbb", linewidth=0.9, label=label))
        if headline is not None:
            handles.append(_paper_ratios(left, right, headline))
        for axes in (left, right):
            _horizon_axis(axes, horizons, warm_start_to)
        figure.legend(
            handles=handles,
            loc="outside lower center",
            ncols=legend_columns(handles, figure),
            handlelength=3.4,
            columnspacing=1.4,
        )
    return figure
