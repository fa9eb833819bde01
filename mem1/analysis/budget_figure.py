"""Score against tokens: how much of a task an agent gets right for what it processes and holds.

The score is EM over the number of objectives: a task with another number of answers than questions
counts 0, unlike in the tables' *per question*, which counts right answers by position.

One panel for each number of objectives of the paper's Table 1; the CSV has all. Total tokens are
those of all contexts and outputs, calls beside the turns included, as without a cache; peak
tokens are those of the longest sequence. The grey steps join the systems that no other beats
for fewer tokens. The paper has no such figure.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from mem1.analysis.csv_text import csv_text
from mem1.analysis.drawing import GREY, STYLE, interval_columns, legend_columns
from mem1.analysis.series import Series, looks, main_horizons
from mem1.analysis.statistics import Interval

COSTS = {"total_tokens": "tokens processed in a task", "peak": "peak tokens"}


def share(em: Interval, horizon: int) -> Interval:
    """EM as a share of the objectives."""
    return Interval(em.mean / horizon, em.low / horizon, em.high / horizon, em.n)


def budget_csv(series: Sequence[Series]) -> str:
    """EM as a share of the objectives beside both costs, for every line and panel."""
    rows: list[list[Any]] = []
    for one in series:
        for horizon, em in sorted(one.values["em"].items()):
            right = share(em, horizon)
            row = [one.label, " ".join(one.records), horizon, *interval_columns(right)]
            for cost in COSTS:
                row += interval_columns(one.values[cost][horizon])[:3]
            rows.append(row)
    head = ["line", "records", "objectives", "right", "right_low", "right_high", "n"]
    head += [f"{cost}{side}" for cost in COSTS for side in ("", "_low", "_high")]
    return csv_text(head, rows)


def frontier(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Those of the (cost, score) ``points`` that no other beats at the same cost or less."""
    best: list[tuple[float, float]] = []
    for cost, score in sorted(points, key=lambda point: (point[0], -point[1])):
        if not best or score > best[-1][1]:
            best.append((cost, score))
    return best


def _panel(
    axes: Axes,
    series: Sequence[Series],
    look: Mapping[str, Mapping[str, Any]],
    cost: str,
    horizon: int,
) -> None:
    points = []
    axes.set_xscale("log")
    for one in reversed(series):
        if horizon not in one.values["em"]:
            continue
        right, paid = share(one.values["em"][horizon], horizon), one.values[cost][horizon]
        points.append((paid.mean, right.mean))
        bar: Any = {"color": look[one.label]["color"], "linewidth": 0.9, "alpha": 0.7}
        axes.vlines(paid.mean, right.low, right.high, **bar)
        axes.hlines(right.mean, paid.low, paid.high, **bar)
        axes.plot(paid.mean, right.mean, **look[one.label], markersize=6.5)
    low, high = min(cost for cost, _ in points) / 1.35, max(cost for cost, _ in points) * 1.35
    best = frontier(points)
    xs, ys = zip(*best, (high, best[-1][1]), strict=True)
    axes.step(xs, ys, where="post", color=GREY, linewidth=0.9, zorder=1)
    axes.set_xlim(low, high)
    axes.set_ylim(-0.04, 1.04)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _short(value: float) -> str:
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"


def budget(series: Sequence[Series]) -> Figure:
    """EM as a share of the objectives against total tokens (above) and peak tokens (below).

    Args:
        series: all systems, in the order of the legend; one at least.
    """
    columns = main_horizons(series)
    look = {label: {**one, "linestyle": "none"} for label, one in looks(series).items()}
    series = [one for one in series if one.values["em"].keys() & set(columns)]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(max(6.6, 3.1 * len(columns)), 5.6), layout="constrained")
        grid = figure.subplots(len(COSTS), len(columns), squeeze=False, sharey=True)
        for panels, (cost, label) in zip(grid, COSTS.items(), strict=True):
            for axes, horizon in zip(panels, columns, strict=True):
                _panel(axes, series, look, cost, horizon)
                axes.set_xlabel(f"{label} (log)")
                number = f"{horizon} objective{'s' if horizon > 1 else ''}"
                axes.set_title(number, loc="left")
            panels[0].set_ylabel("exact match / objectives")
        handles = [
            Line2D([], [], label=one.label, markersize=6.5, **look[one.label]) for one in series
        ]
        handles.append(Line2D([], [], color=GREY, linewidth=0.9, label="not beaten for less"))
        figure.legend(
            handles=handles, loc="outside lower center", ncols=legend_columns(handles, figure)
        )
    return figure
