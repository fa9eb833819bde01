"""Views that overlap, written once: a prefix tree of tokens in depth-first order.

A policy-gradient step needs each sampled token in the context in which it was sampled. The
views of a task overlap (all start with its prompt, and with full history each extends the
one before), so they are stored as a tree: a token's ancestors are exactly the tokens it saw.
Depth-first order makes every subtree an interval, and the attention rule one integer a token:
row i sees row j iff ``j <= i < subtree_end[j]``.

Departure from the paper: its stitched row keeps one copy of each internal state although two
contexts with different positions contain it (appendix A.7), which is an approximation. Here
the log-probabilities are those of each view alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from mem1.records import Trajectory


@dataclass(frozen=True)
class View:
    """What one turn saw and sampled.

    ``trajectory`` and ``turn`` name the sampled tokens; number the trajectories of a batch
    without repetition, so that packed tokens can be found again.
    """

    context: Sequence[int]
    output: Sequence[int]
    trajectory: int
    turn: int


@dataclass(frozen=True)
class Tree:
    """A packed row of S tokens, A of them sampled. All arrays are int64.

    The arrays of length A are in trajectory order: by trajectory, then turn, then place.
    """

    ids: np.ndarray  # [S] token ids
    depth: np.ndarray  # [S] position id: number of ancestors
    parent: np.ndarray  # [S] row of the token before it on its path, -1 for a root
    subtree_end: np.ndarray  # [S] one past the row of the last descendant
    sampled: np.ndarray  # [A] row of each sampled token
    trajectory: np.ndarray  # [A]
    turn: np.ndarray  # [A]
    place: np.ndarray  # [A] index of the token in the output of its turn

    def __len__(self) -> int:
        """Number of tokens S."""
        return len(self.ids)

    def shifted(self, offset: int) -> "Tree":
        """The same tree with all position ids moved by ``offset``."""
        return replace(self, depth=self.depth + offset)


def views_of(trajectory: Trajectory, index: int) -> list[View]:
    """The views of ``trajectory``, turns counted from 0; ``index`` names it in the batch."""
    return [View(turn.context, turn.output, index, t) for t, turn in enumerate(trajectory.turns)]


def pack(views: Iterable[View]) -> Tree:
    """The prefix tree of ``views``, whatever their order.

    Context tokens with the same path are stored once. A sampled token is a node of its own;
    later contexts of the same trajectory pass through it, those of others never do.

    Raises:
        ValueError: no views, an empty context (its first sampled token would have nothing to
            be predicted from), or two views of the same trajectory and turn.
    """
    ordered = sorted(views, key=lambda view: (view.trajectory, view.turn))
    if not ordered:
        raise ValueError("a tree needs at least one view")
    ids: list[int] = []
    parents: list[int] = []
    nodes: list[int] = []  # of the sampled tokens
    names: list[tuple[int, int, int]] = []
    shared: dict[tuple[int, int], int] = {}  # (node, token) -> child that is context
    own: dict[tuple[int, int], int] = {}  # the same for tokens the current trajectory sampled
    previous: tuple[int, int] | None = None
    for view in ordered:
        if (view.trajectory, view.turn) == previous:
            raise ValueError(f"trajectory {view.trajectory} has two views of turn {view.turn}")
        if not view.context:
            raise ValueError(f"turn {view.turn} of trajectory {view.trajectory} has no context")
        if previous is None or view.trajectory != previous[0]:
            own = {}
        previous = (view.trajectory, view.turn)
        node = -1
        for token in view.context:
            edge = (node, token)
            child = own.get(edge)
            if child is None:
                child = shared.get(edge)
            if child is None:
                child = shared[edge] = len(ids)
                ids.append(token)
                parents.append(node)
            node = child
        for place, token in enumerate(view.output):
            child = len(ids)
            own.setdefault((node, token), child)
            ids.append(token)
            parents.append(node)
            nodes.append(child)
            names.append((view.trajectory, view.turn, place))
            node = child
    return _depth_first(ids, parents, nodes, names)


def _depth_first(
    ids: list[int], parents: list[int], nodes: list[int], names: list[tuple[int, int, int]]
) -> Tree:
    """Nodes in order of creation (parents first) rewritten in depth-first order.

    Children keep their order of creation, which ``pack`` makes canonical by sorting.
    """
    count = len(ids)
    size = [1] * count
    for node in range(count - 1, -1, -1):
        if parents[node] >= 0:
            size[parents[node]] += size[node]
    row = [0] * count
    depth = [0] * count
    free = [0] * count  # next unused row within each subtree
    free_root = 0
    for node, parent in enumerate(parents):
        if parent < 0:
            row[node] = free_root
            free_root += size[node]
        else:
            row[node] = free[parent]
            free[parent] += size[node]
            depth[node] = depth[parent] + 1
        free[node] = row[node] + 1
    rows = np.array(row, dtype=np.int64)
    parent_node = np.array(parents, dtype=np.int64)
    parent_row = np.where(parent_node >= 0, rows[parent_node], -1)
    order = np.empty(count, dtype=np.int64)  # node of each row
    order[rows] = np.arange(count)
    named = np.array(names, dtype=np.int64).reshape(-1, 3)
    return Tree(
        ids=np.array(ids, dtype=np.int64)[order],
        depth=np.array(depth, dtype=np.int64)[order],
        parent=parent_row[order],
        subtree_end=(rows + np.array(size, dtype=np.int64))[order],
        sampled=rows[np.array(nodes, dtype=np.int64)],
        trajectory=named[:, 0],
        turn=named[:, 1],
        place=named[:, 2],
    )


def join(trees: Sequence[Tree]) -> Tree:
    """Several trees in one row: adjacent roots that do not see each other.

    The sampled tokens are those of the first tree, then those of the second, and so on.
    """
    starts = np.cumsum([0, *[len(tree) for tree in trees[:-1]]])
    columns: dict[str, list[np.ndarray]] = {field.name: [] for field in fields(Tree)}
    for start, tree in zip(starts, trees, strict=True):
        for name, column in columns.items():
            values = getattr(tree, name)
            if name in ("subtree_end", "sampled"):
                values = values + start
            elif name == "parent":
                values = np.where(values >= 0, values + start, -1)
            column.append(values)
    return Tree(**{name: np.concatenate(column) for name, column in columns.items()})


def split_rows(trees: Sequence[Tree], max_tokens: int) -> list[list[Tree]]:
    """Whole trees distributed over rows of at most ``max_tokens`` tokens each.

    First fit in the given order; a tree that is longer has a row to itself.
    """
    rows: list[list[Tree]] = []
    room: list[int] = []
    for tree in trees:
        for number, left in enumerate(room):
            if len(tree) <= left:
                rows[number].append(tree)
                room[number] -= len(tree)
                break
        else:
            rows.append([tree])
            room.append(max_tokens - len(tree))
    return rows


def mask(tree: Tree) -> np.ndarray:
    """The rule written out: bool [S, S], true where row i may attend to column j."""
    row = np.arange(len(tree))
    return (row[None, :] <= row[:, None]) & (row[:, None] < tree.subtree_end[None, :])
