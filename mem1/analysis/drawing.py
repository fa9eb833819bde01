"""How all figures look, and how they become files. Drawn without any global state.

A line has a colour, a dash and a marker of its own, so that it is told apart in grey and by
colour-blind readers; every colour has a contrast of 3 or more to white. Bytes depend on the data
alone: no dates, a fixed salt for SVG ids, fonts that come with matplotlib. Beside each figure
lies a CSV with the numbers it shows.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from mem1.analysis.grouping import POLICIES, rank
from mem1.analysis.statistics import Interval
from mem1.provenance import replacing

FORMATS = ("png", "svg", "pdf")
# In the order of POLICIES. Okabe and Ito's blue, vermilion, green and purple; the others replace
# what is too light.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#882255", "#B8860B", "#000000", "#CC79A7")
DASHES: tuple[Any, ...] = (
    "-",
    (0, (5, 1.5)),
    (0, (1.2, 1.2)),
    (0, (6, 1.5, 1.2, 1.5)),
    (0, (8, 1.5, 1.2, 1.5, 1.2, 1.5)),
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h")
GREY = "#767676"  # of what is no system
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
class Drawn:
    """A figure and what goes beside it, by suffix: csv, md."""

    figure: Figure
    texts: Mapping[str, str]


def colours(groups: Iterable[str]) -> dict[str, str]:
    """A colour for each group: a context policy has its own, others take what is left in order."""
    order = list(dict.fromkeys(groups))
    taken = {group: PALETTE[rank(group)] for group in order if group in POLICIES}
    left = [colour for colour in PALETTE if colour not in taken.values()] or list(PALETTE)
    others = [group for group in order if group not in taken]
    return taken | {group: left[n % len(left)] for n, group in enumerate(others)}


def styles(groups: Sequence[str], kinds: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Colour by group, a dash and a marker of its own, for each entry of ``groups``.

    With ``kinds``, dashes and markers are counted within a kind: entries that never share a
    panel can share them. The first of a group has a filled marker.
    """
    colour = colours(groups)
    numbers: dict[str, int] = {}
    seen: set[tuple[str, str]] = set()
    out = []
    for key in zip(groups, kinds or [""] * len(groups), strict=True):
        number = numbers[key[1]] = numbers.get(key[1], -1) + 1
        out.append(
            {
                "color": colour[key[0]],
                "linestyle": DASHES[number % len(DASHES)],
                "marker": MARKERS[number % len(MARKERS)],
                "markerfacecolor": "white" if key in seen else None,
            }
        )
        seen.add(key)
    return out


def legend_columns(handles: Sequence[Artist], figure: Figure) -> int:
    """How many columns of a legend below ``figure`` fit beside each other, four at most."""
    sizes = [max(map(len, str(one.get_label()).split("\n"))) for one in handles]
    for columns in range(min(4, len(sizes)), 1, -1):
        longest = [column.max() for column in np.array_split(sizes, columns)]
        # inches: a line with its gaps, and letters of 9 points
        if sum(0.75 + 0.075 * letters for letters in longest) <= figure.get_figwidth():
            return columns
    return 1


def interval_columns(interval: Interval) -> list[float | int]:
    """Value, low, high and n, as the CSVs name them."""
    return [interval.mean, interval.low, interval.high, interval.n]


def render(figure: Figure, kind: str) -> bytes:
    """``figure`` as the bytes of a png, svg or pdf file; the same figure, the same bytes."""
    out = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(out, format=kind, dpi=160, metadata=METADATA[kind])
    return out.getvalue()


def save(drawn: Drawn, stem: Path) -> list[Path]:
    """Write figure and texts next to ``stem``, each file whole or not at all."""
    files = {}
    for kind in FORMATS:
        files[kind] = render(drawn.figure, kind)
        drawn.figure.set_layout_engine("none")  # the first has laid it out
    files |= {suffix: text.encode() for suffix, text in drawn.texts.items()}
    for suffix, content in files.items():
        with replacing(stem.with_name(f"{stem.name}.{suffix}")) as temporary:
            temporary.write_bytes(content)
    return [stem.with_name(f"{stem.name}.{suffix}") for suffix in files]
