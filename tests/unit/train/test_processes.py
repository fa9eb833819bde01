"""What processes exchange, and where."""

import pytest
import torch
from torch import distributed as dist

from mem1.train.processes import Processes


def test_sums_are_made_where_the_process_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.device] = []

    def sum_of_two(value: torch.Tensor) -> None:
        seen.append(value.device)
        raise InterruptedError

    # A device that is nowhere, as the GPUs of NCCL are here.
    monkeypatch.setattr(Processes, "device", property(lambda self: torch.device("meta")))
    monkeypatch.setattr(dist, "all_reduce", sum_of_two)
    with pytest.raises(InterruptedError):
        Processes(0, 2).sums({"loss": 1.0})
    assert seen == [torch.device("meta")]


def test_what_is_summed_stays_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dist, "all_reduce", lambda value: value.mul_(2))
    mine = torch.tensor([1.0, 3.0])
    assert Processes(1, 2).total(mine).tolist() == [2.0, 6.0]
    assert mine.tolist() == [1.0, 3.0]
    assert Processes(1, 2).sums({"a": 1.5, "b": 2.0}) == {"a": 3.0, "b": 4.0}
