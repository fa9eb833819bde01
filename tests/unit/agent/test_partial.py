"""Partial results: kept, torn, foreign."""

from pathlib import Path

import pytest

from mem1.agent.partial import Partial
from mem1.errors import InputError
from mem1.records import Trajectory

HEADER = {"config": "1"}


def finished(name: str) -> Trajectory:
    return Trajectory(
        task_id=name, horizon=1, system="s", policy="mem1", prompt=[1], turns=[], end="turns"
    )


def keep(path: Path, *names: str) -> None:
    with Partial(path, HEADER) as partial:
        for name in names:
            partial.add(finished(name))


def test_what_was_added_is_there_the_next_time(tmp_path: Path) -> None:
    keep(tmp_path / "p", "a", "b")
    keep(tmp_path / "p", "c")
    assert Partial(tmp_path / "p", HEADER).done == [finished(n) for n in "abc"]


@pytest.mark.parametrize("left", [3, 40, 150])
def test_a_torn_last_line_is_dropped_and_the_file_goes_on(tmp_path: Path, left: int) -> None:
    path = tmp_path / "p"
    keep(path, "a", "b")
    whole = path.read_bytes()
    path.write_bytes(whole[:left])
    lines = whole[:left].count(b"\n")
    assert len(Partial(path, HEADER).done) == max(lines - 1, 0)
    keep(path, "c")
    assert Partial(path, HEADER).done[-1] == finished("c")


def test_results_of_another_evaluation_are_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "p"
    keep(path, "a")
    before = path.read_bytes()
    with pytest.raises(InputError, match="other settings"):
        Partial(path, {"config": "2"})
    assert path.read_bytes() == before


def test_another_evaluation_that_finished_nothing_is_no_obstacle(tmp_path: Path) -> None:
    keep(tmp_path / "p")
    with Partial(tmp_path / "p", {"config": "2"}) as partial:
        partial.add(finished("a"))
    assert Partial(tmp_path / "p", {"config": "2"}).done == [finished("a")]


@pytest.mark.parametrize(
    "harm", [(b'"task_id":"b"', b'"task_id":"x"'), (b"{", b"\x00"), (b" ", b"")]
)
def test_trajectories_from_the_first_damaged_line_on_are_dropped(
    harm: tuple[bytes, bytes], tmp_path: Path
) -> None:
    path = tmp_path / "p"
    keep(path, "a", "b", "c")
    header, first, second, third = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(header + first + second.replace(*harm, 1) + third)

    assert Partial(path, HEADER).done == [finished("a")]
    keep(path, "d")
    assert Partial(path, HEADER).done == [finished("a"), finished("d")]
