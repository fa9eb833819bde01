"""The paper's row: layout by hand, and what has none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem1.train.stitched import stitch
from mem1.train.tree import View, mask, pack

# q = 1 2, g_1 = 5 6, i_1 = 7, g_2 = 8 9 3, i_2 = 4 4, g_3 = 6
VIEWS = [
    View([1, 2], [5, 6], 0, 0),
    View([1, 2, 5, 6, 7], [8, 9, 3], 0, 1),
    View([1, 2, 8, 9, 3, 4, 4], [6], 0, 2),
]
pieces = st.lists(
    st.tuples(st.lists(st.integers(0, 3), max_size=4), st.lists(st.integers(0, 3), max_size=4)),
    min_size=1,
    max_size=6,
)


def mem1_views(turns: list[tuple[list[int], list[int]]], trajectory: int = 0) -> list[View]:
    """The views of policy mem1 for outputs and the infos that follow them."""
    prompt = [7, 8, 9]
    contexts = [prompt, *([*prompt, *output, *info] for output, info in turns)]
    return [View(contexts[t], turn[0], trajectory, t) for t, turn in enumerate(turns)]


def test_small_row_by_hand() -> None:
    row = stitch(VIEWS, restarted=False)
    assert row.ids.tolist() == [1, 2, 5, 6, 7, 8, 9, 3, 4, 4, 6]
    assert row.depth.tolist() == list(range(11))
    assert row.parent.tolist() == list(range(-1, 10))
    assert row.subtree_end.tolist() == [11, 11, 8, 8, 8, 11, 11, 11, 11, 11, 11]
    assert row.sampled.tolist() == [2, 3, 5, 6, 7, 10]
    assert row.trajectory.tolist() == [0] * 6
    assert row.turn.tolist() == [0, 0, 1, 1, 1, 2]
    assert row.place.tolist() == [0, 1, 0, 1, 2, 0]


def test_restarted_positions_are_those_of_the_view_that_a_token_came_in() -> None:
    row = stitch(VIEWS, restarted=True)
    assert row.depth.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 5, 6, 7]


@given(pieces)
def test_every_output_and_every_seen_info_stands_once(turns) -> None:
    row = stitch(mem1_views(turns), restarted=False)
    seen = [token for output, info in turns for token in [*output, *info]]
    unseen = len(turns[-1][1])
    assert row.ids.tolist() == [7, 8, 9, *seen][: 3 + len(seen) - unseen]
    outputs = [token for output, _ in turns for token in output]
    assert row.ids[row.sampled].tolist() == outputs


@given(pieces, st.booleans())
def test_sampled_tokens_have_the_names_and_the_order_of_the_tree(turns, restarted) -> None:
    row, tree = stitch(mem1_views(turns, 4), restarted), pack(mem1_views(turns, 4))
    for name in ("trajectory", "turn", "place"):
        assert np.array_equal(getattr(row, name), getattr(tree, name))


@given(pieces, st.randoms())
def test_order_of_views_does_not_matter(turns, rng) -> None:
    views = mem1_views(turns)
    shuffled = views[:]
    rng.shuffle(shuffled)
    one, other = stitch(views, restarted=True), stitch(shuffled, restarted=True)
    assert all(np.array_equal(vars(one)[name], vars(other)[name]) for name in vars(one))


@pytest.mark.parametrize("turns", [1, 2])
@pytest.mark.parametrize("restarted", [False, True])
def test_up_to_two_turns_it_is_the_tree(turns: int, restarted: bool) -> None:
    row, tree = stitch(VIEWS[:turns], restarted), pack(VIEWS[:turns])
    assert all(np.array_equal(vars(row)[name], vars(tree)[name]) for name in vars(row))


@given(pieces)
def test_the_paper_says_which_pieces_see_which(turns) -> None:
    row = stitch(mem1_views(turns), restarted=False)
    # (turn, is info) of each row; an info belongs to the turn before the output that saw it
    label = [(-1, False)] * 3
    for t, (output, info) in enumerate(turns):
        label += [(t, False)] * len(output)
        label += [(t, True)] * (len(info) if t + 1 < len(turns) else 0)

    def sees(i: int, j: int) -> bool:
        (turn, info), (other, other_info) = label[i], label[j]
        if j > i:
            return False
        if other == -1 or label[i] == label[j]:
            return True  # the prompt, and its own past
        if info:
            return (other, other_info) == (turn, False)
        return other == turn - 1

    expected = [[sees(i, j) for j in range(len(row))] for i in range(len(row))]
    assert np.array_equal(mask(row), np.array(expected))


@pytest.mark.parametrize(
    ("views", "message"),
    [
        ([], "at least one view"),
        ([View([], [1], 0, 0)], "turn 0 of trajectory 0 has no context"),
        ([VIEWS[0], View([1, 2, 5, 6], [1], 1, 1)], "one trajectory"),
        (VIEWS[1:], "trajectory 0 has turns 1, 2"),
        ([VIEWS[0], VIEWS[0]], "trajectory 0 has turns 0, 0"),
        ([VIEWS[0], View([1, 2, 5, 7], [8], 0, 1)], "turn 1 of trajectory 0 does not see"),
        ([*VIEWS[:2], View([*VIEWS[1].context, 8, 9, 3, 4], [6], 0, 2)], "turn 2 of trajectory 0"),
    ],
)
def test_what_has_no_such_row_is_refused(views: list[View], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stitch(views, restarted=False)
