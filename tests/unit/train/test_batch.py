"""Packed rows as tensors: padding, parents, offsets, values by name."""

import pytest

from mem1.train.batch import collate
from mem1.train.tree import View, pack

FORK = pack([View([1, 2], [5, 6], 0, 0), View([1, 2], [7], 1, 0)])  # rows 1 2 5 6 7
CHAIN = pack([View([3], [4, 8], 2, 0)])


def test_rows_are_padded_on_the_right_with_tokens_that_see_themselves_only() -> None:
    batch = collate([FORK, CHAIN], pad_id=9)
    assert batch.ids.tolist() == [[1, 2, 5, 6, 7], [3, 4, 8, 9, 9]]
    assert batch.position_ids.tolist() == [[0, 1, 2, 3, 2], [0, 1, 2, 0, 0]]
    assert batch.subtree_end.tolist() == [[5, 5, 4, 4, 5], [3, 3, 3, 4, 5]]


def test_the_first_token_of_a_branch_is_predicted_by_its_parent() -> None:
    batch = collate([FORK, CHAIN], pad_id=9)
    assert batch.row.tolist() == [0, 0, 0, 1, 1]
    assert batch.column.tolist() == [2, 3, 4, 1, 2]
    assert batch.parent_column.tolist() == [1, 2, 1, 0, 1]
    assert batch.targets.tolist() == [5, 6, 7, 4, 8]


def test_trees_of_one_row_stand_next_to_each_other() -> None:
    batch = collate([[FORK, CHAIN]], pad_id=9)
    assert batch.ids.tolist() == [[1, 2, 5, 6, 7, 3, 4, 8]]
    assert batch.position_ids.tolist() == [[0, 1, 2, 3, 2, 0, 1, 2]]
    assert batch.subtree_end.tolist() == [[5, 5, 4, 4, 5, 8, 8, 8]]
    assert batch.parent_column.tolist() == [1, 2, 1, 5, 6]
    assert batch.trajectory.tolist() == [0, 0, 1, 2, 2]


def test_offsets_move_the_positions_of_a_row_but_not_of_padding() -> None:
    batch = collate([FORK, CHAIN], pad_id=9, position_offsets=[0, 30])
    assert batch.position_ids.tolist() == [[0, 1, 2, 3, 2], [30, 31, 32, 0, 0]]


def test_no_rows_and_wrong_offsets_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one row"):
        collate([], pad_id=0)
    with pytest.raises(ValueError, match="1 position offsets for 2 rows"):
        collate([FORK, CHAIN], pad_id=0, position_offsets=[1])
