"""JSON that is none or could not be written again; disks without room; digests of folders."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from mem1 import provenance
from mem1.errors import InputError


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "Expecting value"),
        (b'{"a": ', "Expecting value"),
        (b"\xff", "invalid start byte"),
        (b"[" * 100_000, "nested too deeply"),
        (b"1" * 5000, "Exceeds the limit"),
        (b'["cut \\ud83d"]', "surrogates not allowed"),
        (b'{"\\uDC00": 1}', "surrogates not allowed"),
    ],
)
def test_what_is_no_json_is_one_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"x\.json is not valid JSON \(.*{message}") as caught:
        provenance.read_json(path)
    assert "\n" not in str(caught.value)


def test_characters_beyond_utf_16_are_read_in_either_form() -> None:
    assert provenance.parse_json('["\\ud83d\\ude00", "\\\\ud83d"]') == ["\U0001f600", "\\ud83d"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.json does not exist"):
        provenance.read_json(tmp_path / "none.json")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    line = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(line, check=False, capture_output=True).returncode != 0:
        pytest.skip("needs to be allowed to mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("how", ["text", "torch", "safetensors"])
def test_a_full_disk_is_one_sentence_whoever_writes(small_disk: Path, how: str) -> None:
    numbers = {"x": torch.zeros(2**20)}
    write = {
        "text": lambda path: path.write_text("x" * 2**22, encoding="utf-8"),
        "torch": lambda path: torch.save(numbers, path),
        "safetensors": lambda path: save_file(numbers, path),
    }[how]
    path = small_disk / "result"
    with pytest.raises(InputError, match="The disk is full"), provenance.replacing(path) as part:
        write(part)
    assert [*small_disk.iterdir()] == []


def test_an_error_with_room_on_the_disk_is_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="other"), provenance.replacing(tmp_path / "result"):
        raise RuntimeError("other")


def test_what_decides_nothing_is_in_no_digest_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "weights").write_text("1", encoding="utf-8")
    before = provenance.tree_digest(tmp_path)
    (tmp_path / ".cache").mkdir()
    for name in ("README.md", ".hidden", ".cache/notes"):
        (tmp_path / name).write_text("words", encoding="utf-8")
    assert provenance.tree_digest(tmp_path) == before
    (tmp_path / "inner" / "weights").write_text("2", encoding="utf-8")
    assert provenance.tree_digest(tmp_path) != before
