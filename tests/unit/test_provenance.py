"""JSON that is none, and JSON that could not be written again."""

from pathlib import Path

import pytest

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
