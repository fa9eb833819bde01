"""Tensors in parts: all numbers once, and any parts out of any others."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mem1.train.shards import assembled, share

TOTALS, COUNTS = st.integers(0, 60), st.integers(1, 20)  # also tensors smaller than the number


def cut(whole: Tensor, count: int) -> list[Tensor]:
    """What each of ``count`` processes keeps of ``whole``."""
    owned = [share(len(whole), count, rank) for rank in range(count)]
    return [whole[own.start : own.stop] for own in owned]


@given(TOTALS, COUNTS)
def test_each_number_belongs_to_one_process_in_order(total: int, count: int) -> None:
    owned = [share(total, count, rank) for rank in range(count)]

    assert [number for own in owned for number in own] == list(range(total))


@given(TOTALS, COUNTS)
def test_no_process_has_more_than_its_share_rounded_up(total: int, count: int) -> None:
    assert max(len(share(total, count, rank)) for rank in range(count)) == -(-total // count)


@given(TOTALS, COUNTS, COUNTS)
def test_parts_of_another_number_of_processes_are_those_of_the_whole(
    total: int, before: int, after: int
) -> None:
    whole = torch.arange(total)
    parts = cut(whole, before)

    again = [assembled(parts, total, share(total, after, rank)) for rank in range(after)]

    for one, expected in zip(again, cut(whole, after), strict=True):
        assert torch.equal(one, expected)


@given(TOTALS, COUNTS, st.integers(1, 5))
def test_parts_of_a_tensor_of_another_size_are_refused(total: int, count: int, more: int) -> None:
    parts = cut(torch.arange(total), count)

    with pytest.raises(ValueError, match=f"have {total} numbers, not {total + more}"):
        assembled(parts, total + more, range(total))
