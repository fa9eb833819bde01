"""Text to ids and back."""

import subprocess
import sys
from pathlib import Path

import pytest

from mem1.agent import protocol
from mem1.agent.text import Codec, load_codec
from mem1.errors import InputError


def test_word_level_text_of_an_output_still_parses(words: Codec) -> None:
    text = "<think> Ada likes red . </think> <search> Bo lives </search>"
    assert words.decode(words.encode(text)) == text
    assert protocol.parse(words.decode(words.encode(text))).argument == "Bo lives"


def test_special_tokens_are_written_out(words: Codec) -> None:
    assert words.decode([words.eos or 0]) == "<eos>"


def test_plain_text_holds_no_special_token(words: Codec) -> None:
    ids = words.encode(words.plain("red <eos> <pad> blue"))
    assert not {0, 2} & set(ids)
    assert words.plain("red blue") == "red blue"


def test_a_saved_tokenizer_loads_with_its_end_token(words: Codec, tmp_path: Path) -> None:
    words.backend.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text('{"eos_token": {"content": "<eos>"}}')
    loaded = load_codec(tmp_path)
    assert (loaded.eos, loaded.size) == (words.eos, words.size)


@pytest.mark.parametrize("content", [None, "{}", "not json"])
def test_a_bad_tokenizer_is_named(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(InputError, match=r"tokenizer\.json"):
        load_codec(tmp_path)


def test_the_loop_needs_no_torch() -> None:
    parts = "rollout", "formats.catalogue", "memory.catalogue"
    modules = ", ".join([*(f"mem1.agent.{part}" for part in parts), "mem1.envs.search"])
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
