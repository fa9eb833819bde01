"""The paper's row for policy mem1: one copy of each output. An approximation.

With prompt q, outputs g_1..g_T and infos i_1..i_T the row is q, g_1, i_1, g_2, i_2, ..., g_T.
The tokens of i_t and g_{t+1} see q, g_t, i_t and what is before them in their own piece;
everything older is pruned (paper, appendix A.7). So a token of g_t or i_t is seen up to the
last token of g_{t+1}, and the rule of ``tree`` holds as it stands: ``j <= i < end[j]``. The
row is a ``Tree`` in form only: its intervals overlap without being nested, which the attention
backends ``dense`` and ``flex`` do not mind and ``branches`` refuses.

It is exact for turns 1 and 2 and not from turn 3 on: turn t+1 reads the copy of g_t whose
hidden states have seen g_{t-1} and i_{t-1}, which were pruned when the agent acted, and g_t
stands at one position where the two contexts with it have two. Restarting the positions
mends neither. ``mem1.mask_gap`` measures how much that is; the default is ``tree.pack``.
"""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from mem1.train.tree import Tree, View


def stitch(views: Iterable[View], restarted: bool) -> Tree:
    """The row of one trajectory, whatever the order of its ``views``.

    In the fields of the result, ``depth`` is the position id: the row itself, or, if
    ``restarted``, the position that an output had in its own view and an info in the view
    that saw it first. ``parent`` is the row before; ``subtree_end`` is one past the last
    row that sees a token.

    Raises:
        ValueError: the views are none, of several trajectories, not one for each turn from 0
            on, or not those of policy mem1 (a context that is not q + g_t + i_t).
    """
    ordered = sorted(views, key=lambda view: view.turn)
    _check(ordered)
    prompt = len(ordered[0].context)
    ids = list(ordered[0].context)
    positions = list(range(prompt))
    starts: list[int] = []  # rows of each output
    stops: list[int] = []
    known = prompt  # tokens of the next context that stand in the row: prompt and output
    for view in ordered:
        new = [*view.context[known:], *view.output]
        positions += range(known, known + len(new))
        ids += new
        starts.append(len(ids) - len(view.output))
        stops.append(len(ids))
        known = prompt + len(view.output)
    size = len(ids)
    # The prompt, then each output with the info behind it.
    ends = np.repeat([size, *stops[1:], size], np.diff([0, *starts, size]))
    lengths = [len(view.output) for view in ordered]
    return Tree(
        ids=np.array(ids, dtype=np.int64),
        depth=np.array(positions, dtype=np.int64) if restarted else np.arange(size),
        parent=np.arange(-1, size - 1),
        subtree_end=ends,
        sampled=_ranges(starts, lengths),
        trajectory=np.full(sum(lengths), ordered[0].trajectory),
        turn=np.repeat(np.arange(len(ordered)), lengths),
        place=_ranges([0] * len(lengths), lengths),
    )


def _check(ordered: list[View]) -> None:
    """Refuse what is not one whole trajectory of policy mem1."""
    if not ordered:
        raise ValueError("a stitched row needs at least one view")
    first = ordered[0]
    if any(view.trajectory != first.trajectory for view in ordered):
        raise ValueError("a stitched row holds one trajectory: stitch each alone and join them")
    if [view.turn for view in ordered] != list(range(len(ordered))):
        turns = ", ".join(str(view.turn) for view in ordered)
        raise ValueError(
            f"trajectory {first.trajectory} has turns {turns}: a stitched row needs each from 0 on"
        )
    if not first.context:
        raise ValueError(f"turn 0 of trajectory {first.trajectory} has no context")
    prompt = list(first.context)
    for before, view in pairwise(ordered):
        kept = [*prompt, *before.output]
        if list(view.context[: len(kept)]) != kept:
            raise ValueError(
                f"turn {view.turn} of trajectory {view.trajectory} does not see the prompt and "
                f"then the output before it: only policy mem1 has stitched rows, use pack"
            )


def _ranges(starts: list[int], lengths: list[int]) -> np.ndarray:
    """int64: the numbers from each start on, so many as its length, one range after another."""
    pairs = zip(starts, lengths, strict=True)
    return np.concatenate([np.arange(start, start + length) for start, length in pairs])
