"""How far the paper's stitched row is from exact: numbers, a table, a figure.

Everything is relative to the log-probabilities of the tree (``train.tree``), which are those
that the agent acted with. The control ``views`` runs each turn by itself and shows what
rounding alone makes.
"""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mem1.analysis.csv_text import csv_text
from mem1.analysis.drawing import DASHES, GREY, PALETTE, STYLE
from mem1.records import Record

Variant = Literal["views", "stitched", "stitched-restarted"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)
LABELS: dict[Variant, str] = {
    "views": "each view alone (control)",
    "stitched": "stitched, contiguous positions (paper)",
    "stitched-restarted": "stitched, restarted positions",
}
LOOKS: dict[Variant, dict[str, Any]] = {
    "views": {"color": GREY, "linestyle": DASHES[2], "marker": "^"},
    "stitched": {"color": PALETTE[1], "linestyle": DASHES[0], "marker": "o"},
    "stitched-restarted": {"color": PALETTE[0], "linestyle": DASHES[1], "marker": "s"},
}
CLIP = 0.2  # of the probability ratio in PPO, as in the official scripts
FLOOR = 1e-9  # nats; what is smaller, zero included, is drawn here


class Gap(Record):
    """|Δ log-prob| of the sampled tokens of some trajectories, one way to write them down."""

    horizon: int  # objectives
    variant: Variant
    turn: int | None  # counted from 1; None: all of them
    trajectories: int  # that have such a turn
    tokens: int
    mean: float  # nats
    largest: float  # nats
    outside: float  # share of tokens whose probability ratio to the tree leaves 1 ± CLIP


def gaps(
    horizon: int, variant: Variant, turns: Sequence[np.ndarray], deltas: Sequence[np.ndarray]
) -> list[Gap]:
    """One record for each turn in their order, then one for all turns.

    Args:
        horizon: objectives of the tasks.
        variant: how the trajectories were written down.
        turns: for each trajectory, [A] the turn of each sampled token, counted from 0.
        deltas: for each trajectory, [A] log-probability minus that of the tree, in nats.

    Raises:
        ValueError: no token was sampled.
    """
    turn, delta = np.concatenate(turns), np.concatenate(deltas).astype(float)
    if not len(delta):
        raise ValueError(f"the trajectories of {horizon} objectives have no sampled token")

    def record(number: int | None) -> Gap:
        chosen = delta if number is None else delta[turn == number]
        return Gap(
            horizon=horizon,
            variant=variant,
            turn=None if number is None else number + 1,
            trajectories=sum(number is None or bool((one == number).any()) for one in turns),
            tokens=len(chosen),
            mean=float(np.abs(chosen).mean()),
            largest=float(np.abs(chosen).max()),
            outside=float((np.abs(np.expm1(chosen)) > CLIP).mean()),
        )

    return [record(number) for number in [*np.unique(turn).tolist(), None]]


def to_csv(rows: Sequence[Gap]) -> str:
    """One line for each record."""
    names = list(Gap.model_fields)
    whole = {"turn": "all"}
    dumped = [row.model_dump() | (whole if row.turn is None else {}) for row in rows]
    return csv_text(names, [[row[name] for name in names] for row in dumped])


def to_markdown(rows: Sequence[Gap], label: str) -> str:
    """The records over all turns, with what they mean; ``label`` names the system."""
    head = ["objectives", "row", "tokens", "mean", "largest", f"ratio outside 1 ± {CLIP:g}"]
    lines = [head, ["---:", "---", *["---:"] * 4]]
    whole = [row for row in rows if row.turn is None]
    for row in whole:
        numbers = [f"{row.tokens}", _nats(row.mean), _nats(row.largest), f"{row.outside:.2%}"]
        lines.append([str(row.horizon), LABELS[row.variant], *numbers])
    counts = dict.fromkeys(f"{r.trajectories} of {r.horizon} objectives" for r in whole)
    return "\n".join(
        [
            "## The stitched row against exact log-probabilities",
            "",
            *("| " + " | ".join(line) + " |" for line in lines),
            "",
            f"|Δ log-prob| in nats of the sampled tokens, each row minus the tree, over the "
            f"trajectories of `{label}` ({', '.join(counts)}), at temperature 1. Turns 1 and 2 "
            f"are exact in every row: turn 3 is the first from which something is pruned.",
            "",
            "Last column: the share of tokens whose probability ratio to the tree is outside PPO's "
            "clip before any update. (Taking the old log-probabilities from the same row hides "
            "that; the gradient is then the one of another policy.)",
            "",
            "The model learned from exact views: positions and kept states of a stitched row are "
            "new to it. Another model has other numbers, and is as exact in turns 1 and 2.",
            "",
        ]
    )


def _nats(value: float) -> str:
    return f"{value:.0e}" if value < 1e-3 else f"{value:.3f}"


def figure(rows: Sequence[Gap]) -> Figure:
    """|Δ log-prob| by turn, a panel for each number of objectives: mean thick, largest light."""
    horizons = sorted({row.horizon for row in rows})
    with mpl.rc_context(STYLE):
        drawn = Figure(figsize=(1.2 + 3.9 * len(horizons), 3.9), layout="constrained")
        panels = drawn.subplots(1, len(horizons), sharey=True, squeeze=False)[0]
        for axes, horizon in zip(panels, horizons, strict=True):
            _panel(axes, [row for row in rows if row.horizon == horizon and row.turn is not None])
            axes.set_title(f"{horizon} objective{'s' if horizon > 1 else ''}", loc="left")
        panels[0].set_ylabel("|Δ log-prob| to the tree (nats, log scale)")
        found = [variant for variant in VARIANTS if any(row.variant == variant for row in rows)]
        handles = [
            Line2D([], [], **LOOKS[variant], markersize=4, linewidth=1.7, label=LABELS[variant])
            for variant in found
        ]
        clip: Any = {"color": GREY, "linewidth": 0.9, "linestyle": (0, (2, 2))}
        handles.append(Line2D([], [], label=f"ratio {1 + CLIP:g}: PPO's clip", **clip))
        title = (
            f"thick: mean over the tokens of a turn; light: the largest; 0 is drawn at {FLOOR:.0e}"
        )
        legend = drawn.legend(
            handles=handles,
            loc="outside lower center",
            ncols=2,
            title=title,
            title_fontsize=8,
            handlelength=3.4,
        )
        legend.get_title().set_color("#555555")
    return drawn


def _panel(axes: Axes, rows: Sequence[Gap]) -> None:
    """The curves of one number of objectives."""
    axes.set_yscale("log")
    axes.axhline(np.log1p(CLIP), color=GREY, linewidth=0.9, linestyle=(0, (2, 2)), zorder=1)
    for variant in VARIANTS:
        mine = [row for row in rows if row.variant == variant]
        turns = [row.turn or 0 for row in mine]
        look: Any = {**LOOKS[variant], "markersize": 4}
        axes.plot(turns, [max(row.largest, FLOOR) for row in mine], **look, lw=0.9, alpha=0.35)
        axes.plot(turns, [max(row.mean, FLOOR) for row in mine], **look, lw=1.7)
    axes.set_xlabel("turn")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
