"""Checkpoints: the newest two, never half, never another run's."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mem1.errors import InputError
from mem1.provenance import file_digest, write_json
from mem1.train.checkpoint import Checkpoints

IDENTITY = {"configuration": "a"}


def state(value: float) -> dict:
    return {"model": {"w": torch.full((3,), value)}}


def test_newest_two_are_kept(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, IDENTITY)
    for step in (1, 2, 3):
        checkpoints.save(step, state(step))

    assert sorted(p.name for p in tmp_path.glob("*.pt")) == ["step-000002.pt", "step-000003.pt"]
    step, [saved] = checkpoints.latest()
    assert step == 3
    assert saved["model"]["w"].tolist() == [3, 3, 3]


def test_generator_of_torch_is_restored(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, IDENTITY)
    torch.manual_seed(3)
    checkpoints.save(1, state(1))
    expected = torch.rand(2)
    torch.manual_seed(4)

    checkpoints.latest()

    assert torch.equal(torch.rand(2), expected)


def test_half_written_checkpoint_is_not_seen(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, IDENTITY)
    checkpoints.save(1, state(1))
    (tmp_path / "step-000002.pt").write_bytes(b"half")  # killed before its manifest

    step, _ = checkpoints.latest()

    assert step == 1


def test_what_killed_saves_left_over_is_removed(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, IDENTITY)
    checkpoints.save(1, state(1))
    for name in ("step-000002-1of2.pt", "step-000002.pt", ".step-000002-2of2.pt.tmp-7"):
        (tmp_path / name).write_bytes(b"half")

    checkpoints.save(2, state(2))

    assert sorted(p.name for p in tmp_path.iterdir()) == [
        f"step-00000{step}.{kind}" for step in (1, 2) for kind in ("json", "pt")
    ]
    assert checkpoints.latest()[0] == 2


def test_checkpoints_of_an_older_version_are_refused(tmp_path: Path, capsys) -> None:
    path = tmp_path / "step-000001.pt"
    torch.save(state(1) | {"torch_rng": [torch.get_rng_state()]}, path)
    manifest = {"step": 1, "sha256": file_digest(path), "identity": IDENTITY}
    write_json(path.with_suffix(".json"), manifest)

    with pytest.raises(InputError, match="or of an older version: remove that folder"):
        Checkpoints(tmp_path, IDENTITY).latest()
    assert "step-000001.json is damaged, or of an older version" in capsys.readouterr().err


def test_another_configuration_is_refused(tmp_path: Path) -> None:
    Checkpoints(tmp_path, IDENTITY).save(1, state(1))

    with pytest.raises(InputError, match="another configuration"):
        Checkpoints(tmp_path, {"configuration": "b"}).latest()


def test_another_code_is_accepted_when_asked(tmp_path: Path) -> None:
    Checkpoints(tmp_path, IDENTITY | {"code": "old"}).save(1, state(1))

    with pytest.raises(InputError, match="--accept code"):
        Checkpoints(tmp_path, IDENTITY | {"code": "new"}).latest()
    found = Checkpoints(tmp_path, IDENTITY | {"code": "new"}, accepted=["code"]).latest()

    assert found is not None
    assert found[0] == 1


@pytest.mark.parametrize("name", ["step-000002.pt", "step-000002.json"])
@pytest.mark.parametrize("damage", [lambda text: text[:-40], lambda text: b"x" + text[1:], None])
def test_a_damaged_checkpoint_is_passed_over(
    name: str, damage: Callable[[bytes], bytes] | None, tmp_path: Path
) -> None:
    checkpoints = Checkpoints(tmp_path, IDENTITY)
    for step in (1, 2):
        checkpoints.save(step, state(step))
    path = tmp_path / name
    path.write_bytes(damage(path.read_bytes())) if damage else path.unlink()

    found = checkpoints.latest()

    assert found is not None
    assert found[0] == 1


def test_damage_of_all_is_named(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, IDENTITY)
    checkpoints.save(1, state(1))
    path = tmp_path / "step-000001.pt"
    path.write_bytes(path.read_bytes()[:-1] + b"x")

    with pytest.raises(InputError, match=r"All checkpoints in .* are damaged, or .* remove that"):
        checkpoints.latest()


def test_folder_has_one_writer(tmp_path: Path) -> None:
    second = Checkpoints(tmp_path, IDENTITY).locked()

    with (
        Checkpoints(tmp_path, IDENTITY).locked(),
        pytest.raises(InputError, match="in use by another training"),
        second,
    ):
        pass


def test_failed_write_leaves_the_old_checkpoint(tmp_path: Path, monkeypatch) -> None:
    checkpoints = Checkpoints(tmp_path, IDENTITY)
    checkpoints.save(1, state(1))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(InputError, match="disk is full"):
        checkpoints.save(2, state(2))

    assert checkpoints.latest()[0] == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-000001.json", "step-000001.pt"]
