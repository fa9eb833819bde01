"""Checkpoints of two processes: whole or not used, by both alike."""

from pathlib import Path

import pytest

from mem1.provenance import read_json
from tests.parity.launch import launch


def played(folder: Path, scene: str) -> tuple[list[dict], str]:
    """What each process found in ``scene``, and what was said."""
    said = launch("checkpoint_worker.py", 2, folder, scene)
    return [read_json(folder / f"found-{rank}.json") for rank in (0, 1)], said


@pytest.mark.slow
def test_each_process_goes_on_with_all_parts_and_its_own_generator(tmp_path: Path) -> None:
    found, _ = played(tmp_path, "quiet")

    expected = {"step": 2, "weights": [[20.0] * 3, [21.0] * 3], "generator": True}
    assert found == [expected, expected]


@pytest.mark.slow
@pytest.mark.parametrize("scene", ["damaged", "missing", "damaged to one", "hidden from one"])
def test_a_part_that_is_not_whole_for_one_process_is_used_by_none(
    scene: str, tmp_path: Path
) -> None:
    found, said = played(tmp_path, scene)

    assert [one["step"] for one in found] == [1, 1]
    assert [one["weights"] for one in found] == [[[10.0] * 3, [11.0] * 3]] * 2
    part = "1of2" if scene == "missing" else "2of2"
    assert said.count(f"step-000002-{part}.pt is damaged, and not used.") == 1
