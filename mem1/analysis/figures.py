"""Figure 4 of the paper, and how all figures look; drawn without any global state.

Departures from the paper's Figure 4: 95 % bands, a shade over the horizons that no
supervised training covered, and optional marks where the paper's headline ratios would put
MEM1 relative to our full-history baseline. Bytes depend on the data alone: no dates, a fixed
salt for SVG ids, fonts that come with matplotlib.
"""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from mem1.analysis.statistics import Interval
from mem1.provenance import replacing

FORMATS = ("png", "svg", "pdf")
# Okabe and Ito's palette without its yellow, which is too light for lines on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
DASHES: tuple[Any, ...] = ("-", (0, (4, 1.5)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e5e5e5",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "svg.hashsalt": "mem1",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
    "path.simplify": False,
}
METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


@dataclass(frozen=True)
class Series:
    """One system over the horizons; ``em`` and ``peak`` (tokens) by horizon."""

    label: str
    group: str  # systems of one group (a context policy, an ablation's arm) share a colour
    em: Mapping[int, Interval]
    peak: Mapping[int, Interval]


@dataclass(frozen=True)
class Headline:
    """Where the paper's ratios would put MEM1 relative to a measured baseline."""

    horizon: int
    baseline: str  # its label
    em: float  # questions
    em_ratio: float
    peak: float  # tokens
    peak_ratio: float


def styles(groups: Sequence[str], kinds: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Colour by group, dash and marker by place within it, for each entry of ``groups``.

    With ``kinds``, places are counted within a group and kind: entries that never share a
    panel can share a dash.
    """
    order = list(dict.fromkeys(groups))
    seen: dict[tuple[str, str], int] = {}
    out = []
    for number, key in enumerate(zip(groups, kinds or [""] * len(groups), strict=True)):
        rank = seen[key] = seen.get(key, -1) + 1
        out.append(
            {
                "color": PALETTE[order.index(key[0]) % len(PALETTE)],
                "linestyle": DASHES[rank % len(DASHES)],
                "marker": MARKERS[number % len(MARKERS)],
                "markerfacecolor": None if rank == 0 else "white",
            }
        )
    return out


def _band(axes: Axes, data: Mapping[int, Interval], style: Mapping[str, Any]) -> None:
    horizons = sorted(data)
    means = [data[h].mean for h in horizons]
    low, high = ([getattr(data[h], side) for h in horizons] for side in ("low", "high"))
    axes.fill_between(horizons, low, high, color=style["color"], alpha=0.15, linewidth=0)
    axes.plot(horizons, means, **style, linewidth=1.6, markersize=5)


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


def figure4(
    series: Sequence[Series],
    horizons: Sequence[int],
    warm_start_to: int | None,
    rl_horizon: int | None,
    headline: Headline | None = None,
) -> Figure:
    """EM and peak tokens against the number of objectives, for all systems.

    Args:
        series: the systems, in the order of the legend.
        horizons: objectives of the panels, the ticks.
        warm_start_to: largest number of objectives of any supervised training.
        rl_horizon: objectives of the RL tasks.
        headline: marks for the paper's ratios, or None.
    """
    horizons = sorted(horizons)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.2, 4.1), layout="constrained")
        left, right = figure.subplots(1, 2)
        looks = styles([one.group for one in series])
        for one, look in reversed(list(zip(series, looks, strict=True))):  # the first on top
            _band(left, one.em, look)
            _band(right, one.peak, look)
        tops = [i.high for one in series for i in one.em.values()]
        marks = [] if headline is None else [headline.em * headline.em_ratio]
        top = 1.08 * max([*tops, *marks, 1.0])
        reach = np.linspace(min(horizons), max(horizons), 200)
        left.plot(reach, reach, color="#999999", linewidth=0.9, linestyle=(0, (2, 2)), zorder=1)
        left.set_ylim(-0.03 * top, top)
        right.set_ylim(bottom=0)
        left.set_ylabel("exact match (questions per task)")
        right.set_ylabel("peak tokens (longest sequence)")
        left.set_title("Right answers", loc="left")
        right.set_title("Memory", loc="left")
        handles: list[Line2D] = [
            Line2D([], [], label=one.label, linewidth=1.6, markersize=5, **look)
            for one, look in zip(series, looks, strict=True)
        ]
        grey: Any = {"color": "#999999", "linewidth": 0.9, "linestyle": (0, (2, 2))}
        handles.append(Line2D([], [], label="all questions right", **grey))
        if rl_horizon is not None and rl_horizon in horizons:
            for axes in (left, right):
                axes.axvline(rl_horizon, color="#bbbbbb", linewidth=0.9, zorder=0)
            label = f"RL trained on {rl_horizon}"
            handles.append(Line2D([], [], color="#bbbbbb", linewidth=0.9, label=label))
        if headline is not None:
            tick: Any = {"marker": "_", "markersize": 16, "markeredgewidth": 1.8, "color": "black"}
            at_peak = headline.peak / headline.peak_ratio
            left.plot([headline.horizon], [headline.em * headline.em_ratio], zorder=5, **tick)
            right.plot([headline.horizon], [at_peak], zorder=5, **tick)
            text = (
                f"paper's ratios: {headline.em_ratio:g} x the EM,"
                f"\n1/{headline.peak_ratio:g} of the peak of {headline.baseline}"
            )
            handles.append(Line2D([], [], linestyle="none", label=text, **tick))
        for axes in (left, right):
            _horizon_axis(axes, horizons, warm_start_to)
        figure.legend(handles=handles, loc="outside lower center", ncols=4, handlelength=3)
    return figure


def render(figure: Figure, kind: str) -> bytes:
    """``figure`` as the bytes of a png, svg or pdf file; the same figure, the same bytes."""
    out = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(out, format=kind, dpi=160, metadata=METADATA[kind])
    return out.getvalue()


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write ``figure`` next to ``stem`` in all formats, each whole or not at all."""
    paths = []
    for kind in FORMATS:
        path = stem.with_name(f"{stem.name}.{kind}")
        with replacing(path) as temporary:
            temporary.write_bytes(render(figure, kind))
        paths.append(path)
    return paths
