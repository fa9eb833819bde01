"""Settings that contradict each other are one sentence, before anything starts."""

from pathlib import Path

import pytest

from mem1 import config_files
from mem1.errors import InputError

MINI = Path(__file__).parents[2] / "config" / "config.yaml"
HUB = "sources: {kind: hub, test: [nq-test], corpus: wiki18}\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "sft: {horizons: [1, 20]}",
            r"sft\.horizons of runs\.sft-mem1 has 20 objectives, and tasks\.max_turns has no entry "
            r"for 20 or more: add one, or ask for 16 at most",
        ),
        (
            "runs: {sft-full: {changes: {horizons: [17]}}}",
            r"sft\.horizons of runs\.sft-full has 17 objectives",
        ),
        (
            "preset: base\nbase: {growth: {700: 32}}",
            r"base\.growth has 32 objectives, and tasks\.max_turns has no entry",
        ),
        ("sft: {horizons: []}", r"sft\.horizons: List should have at least 1 item"),
        (HUB, r"sources\.train is empty, and runs has sft-mem1, .*: name rows"),
        (
            "tasks: {train_count: 0}",
            r"tasks\.train_count is 0, and runs has rl-mem1, rl-full, rl-format of stage rl",
        ),
        ("mask_gap: {tasks: 100}", r"mask_gap\.tasks is 100, and tasks\.test_count 64"),
    ],
)
def test_a_contradiction_is_refused_by_the_names_of_the_settings(tmp_path, text, sentence):
    (tmp_path / "overlay.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=sentence):
        config_files.load(MINI, tmp_path / "overlay.yaml")


@pytest.mark.parametrize(
    "text", ["base: {growth: {700: 32}}", "mask_gap: {tasks: 100, system: null}"]
)
def test_what_a_preset_does_not_use_contradicts_nothing(tmp_path, text):
    (tmp_path / "overlay.yaml").write_text(text, encoding="utf-8")
    assert config_files.load(MINI, tmp_path / "overlay.yaml").preset == "mini"
