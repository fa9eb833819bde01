"""Prefix trees of views: layout, ownership of sampled tokens, canonical order."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem1.records import Trajectory, Turn
from mem1.train.tree import Tree, View, join, mask, pack, split_rows, views_of

tokens = st.lists(st.integers(0, 3), min_size=1, max_size=5)
view_lists = st.lists(
    st.tuples(tokens, st.lists(st.integers(0, 3), max_size=4), st.integers(0, 2)),
    min_size=1,
    max_size=7,
)


def numbered(drawn: list[tuple[list[int], list[int], int]]) -> list[View]:
    return [View(context, output, k, t) for t, (context, output, k) in enumerate(drawn)]


def path(tree: Tree, row: int) -> list[int]:
    """Token ids from the root to ``row``."""
    found = []
    while row >= 0:
        found.append(int(tree.ids[row]))
        row = int(tree.parent[row])
    return found[::-1]


def distinct_trajectory(turns: int, policy: str) -> tuple[list[View], int, list[int], list[int]]:
    """Views over tokens that never repeat, with lengths |q|, |g|, |i|."""
    fresh = iter(range(10_000))

    def take(count: int) -> list[int]:
        return [next(fresh) for _ in range(count)]

    prompt, views = take(5), []
    context, g_lengths, i_lengths = prompt, [], []
    for t in range(turns):
        g, i = take(3 + t), take(2 + 2 * t)
        views.append(View(context, g, 0, t))
        context = (context if policy == "full" else prompt) + g + i
        g_lengths.append(len(g))
        i_lengths.append(len(i))
    return views, len(prompt), g_lengths, i_lengths[:-1]


def equal(one: Tree, other: Tree) -> bool:
    return all(np.array_equal(vars(one)[name], vars(other)[name]) for name in vars(one))


def test_small_tree_by_hand() -> None:
    # q = 1 2; trajectory 0 samples 5 6, sees 7, samples 8; trajectory 1 samples 5.
    tree = pack(
        [View([1, 2], [5, 6], 0, 0), View([1, 2, 5, 6, 7], [8], 0, 1), View([1, 2], [5], 1, 0)]
    )
    assert tree.ids.tolist() == [1, 2, 5, 6, 7, 8, 5]
    assert tree.depth.tolist() == [0, 1, 2, 3, 4, 5, 2]
    assert tree.parent.tolist() == [-1, 0, 1, 2, 3, 4, 1]
    assert tree.subtree_end.tolist() == [7, 7, 6, 6, 6, 6, 7]
    assert tree.sampled.tolist() == [2, 3, 5, 6]
    assert tree.trajectory.tolist() == [0, 0, 0, 1]
    assert tree.turn.tolist() == [0, 0, 1, 0]
    assert tree.place.tolist() == [0, 1, 0, 0]


@given(view_lists)
def test_every_sampled_token_stands_once_behind_its_own_view(drawn) -> None:
    views = numbered(drawn)
    tree = pack(views)
    assert len(set(tree.sampled.tolist())) == len(tree.sampled)
    found = {}
    for row, *name in zip(tree.sampled, tree.trajectory, tree.turn, tree.place, strict=True):
        found[tuple(map(int, name))] = path(tree, int(row))
    expected = {
        (view.trajectory, view.turn, place): [*view.context, *view.output[: place + 1]]
        for view in views
        for place in range(len(view.output))
    }
    assert found == expected


@given(view_lists, st.randoms())
def test_order_of_insertion_does_not_matter(drawn, rng: random.Random) -> None:
    views = numbered(drawn)
    shuffled = views[:]
    rng.shuffle(shuffled)
    assert equal(pack(views), pack(shuffled))


@given(view_lists)
def test_mask_shows_exactly_the_ancestors(drawn) -> None:
    tree = pack(numbered(drawn))
    seen = mask(tree)
    for row in range(len(tree)):
        ancestors, node = set(), row
        while node >= 0:
            ancestors.add(node)
            node = int(tree.parent[node])
        assert set(np.flatnonzero(seen[row]).tolist()) == ancestors
        assert tree.depth[row] == len(ancestors) - 1


@given(view_lists)
def test_no_context_passes_through_what_another_trajectory_sampled(drawn) -> None:
    views = numbered(drawn)
    tree = pack(views)
    owner = dict(zip(tree.sampled.tolist(), tree.trajectory.tolist(), strict=True))
    for row, trajectory in owner.items():
        node = row
        while node >= 0:
            assert owner.get(node, trajectory) == trajectory
            node = int(tree.parent[node])


@given(view_lists)
def test_context_tokens_with_the_same_path_are_stored_once(drawn) -> None:
    tree = pack(numbered(drawn))
    sampled = set(tree.sampled.tolist())
    edges = [
        (int(tree.parent[row]), int(tree.ids[row]))
        for row in range(len(tree))
        if row not in sampled
    ]
    assert len(edges) == len(set(edges))


@pytest.mark.parametrize("turns", [1, 2, 5])
def test_full_history_stores_no_token_twice(turns: int) -> None:
    views, q, g, i = distinct_trajectory(turns, "full")
    tree = pack(views)
    assert len(tree) == q + sum(g) + sum(i)
    assert len(set(tree.ids.tolist())) == len(tree)


@pytest.mark.parametrize("turns", [1, 2, 5])
def test_mem1_repeats_each_later_output_once(turns: int) -> None:
    views, q, g, i = distinct_trajectory(turns, "mem1")
    tree = pack(views)
    repeated = sum(g[1:-1])  # the first is on the path of its turn, the last in no context
    assert len(tree) == q + sum(g) + sum(i) + repeated
    counts = np.bincount(tree.ids)
    assert counts.max() == (2 if turns > 2 else 1)


def test_groups_share_the_prompt_but_no_sampled_token() -> None:
    views = [View([1, 2, 3], [9, 9], k, 0) for k in range(8)]
    tree = pack(views)
    assert len(tree) == 3 + 8 * 2


def test_views_of_takes_contexts_and_outputs_as_they_are() -> None:
    turns = [
        Turn(context=[1], output=[2, 3], logprobs=[0, 0], text="", action="search", argument="x"),
        Turn(context=[1, 4], output=[5], logprobs=[0], text="", action="answer", argument="y"),
    ]
    trajectory = Trajectory(
        task_id="a", horizon=1, system="s", policy="mem1", prompt=[1], turns=turns, end="answered"
    )
    assert views_of(trajectory, 7) == [View([1], [2, 3], 7, 0), View([1, 4], [5], 7, 1)]


@given(st.lists(view_lists, min_size=1, max_size=4))
def test_joined_trees_do_not_see_each_other(lists) -> None:
    trees = [pack(numbered(drawn)) for drawn in lists]
    seen = mask(join(trees))
    start = 0
    for tree in trees:
        block = slice(start, start + len(tree))
        assert np.array_equal(seen[block, block], mask(tree))
        assert seen[block].sum() == mask(tree).sum()
        start += len(tree)


@given(st.lists(st.integers(1, 12), max_size=12), st.integers(1, 15))
def test_rows_hold_all_trees_within_the_limit(lengths: list[int], limit: int) -> None:
    trees = [pack([View([5], [6] * (n - 1), k, 0)]) for k, n in enumerate(lengths)]
    rows = split_rows(trees, limit)
    assert sorted(id(t) for row in rows for t in row) == sorted(map(id, trees))
    assert all(len(row) == 1 or sum(map(len, row)) <= limit for row in rows)


def test_shifted_moves_position_ids_only() -> None:
    tree = pack([View([1, 2], [3], 0, 0)])
    assert tree.shifted(10).depth.tolist() == [10, 11, 12]
    assert tree.depth.tolist() == [0, 1, 2]
    assert tree.shifted(10).parent.tolist() == tree.parent.tolist()


@pytest.mark.parametrize(
    ("views", "message"),
    [
        ([], "at least one view"),
        ([View([], [1], 0, 0)], "turn 0 of trajectory 0 has no context"),
        ([View([1], [2], 3, 1), View([1], [2], 3, 1)], "trajectory 3 has two views of turn 1"),
    ],
)
def test_what_cannot_be_packed_is_refused(views: list[View], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pack(views)


def test_paths_can_be_longer_than_the_stack_of_python() -> None:
    prompt = list(range(3000))
    tree = pack([View(prompt, [1] * 3000, k, 0) for k in range(3)])
    assert len(tree) == 3000 + 3 * 3000
    assert int(tree.depth.max()) == 5999
