"""The command, with a random model and made-up trajectories of policy mem1."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from mem1 import manifest, mask_gap
from mem1.config import Model
from mem1.errors import InputError
from mem1.provenance import write_json
from mem1.records import Trajectory, Turn, read_jsonl, write_jsonl
from mem1.tasks import tokenizer
from mem1.train.model import new_model, save_model

SHAPE = Model(layers=2, hidden=32, heads=2, intermediate=48, max_position=512)


def made_up(number: int, turns: int, vocabulary: int, policy: str = "mem1") -> Trajectory:
    """A trajectory of random tokens with the contexts of ``policy``."""
    rng = np.random.default_rng(number)

    def draw() -> list[int]:
        return rng.integers(0, vocabulary, int(rng.integers(2, 9))).tolist()

    prompt, made = draw(), list[Turn]()
    context = prompt
    for _ in range(turns):
        output, info = draw(), draw()
        made.append(
            Turn(
                context=context, output=output, logprobs=[-1.0] * len(output), text="",
                action="search", argument="x", info=info,
            )
        )  # fmt: skip
        context = [*(context if policy == "full" else prompt), *output, *info]
    return Trajectory(
        task_id=f"t{number}", horizon=2, system="s", policy="mem1", prompt=prompt, turns=made,
        end="turns",
    )  # fmt: skip


@pytest.fixture
def inputs(tmp_path: Path) -> list[str]:
    """A model, three trajectories and a section; the arguments of the command."""
    words = tokenizer.word_level()
    tokenizer.save(words, tmp_path / "words")
    model = new_model(SHAPE, words.get_vocab_size(), seed=0)
    for weight in model.parameters():  # those of a new model would hide mistakes
        weight.data *= 3
    save_model(model, tmp_path / "words", tmp_path / "model")
    rows = [made_up(n, turns=n + 2, vocabulary=words.get_vocab_size()) for n in range(3)]
    write_jsonl(tmp_path / "eval" / "s" / "2.jsonl", rows)
    write_json(tmp_path / "config.json", {"system": "s", "horizons": [2], "tasks": 2})
    return (
        f"--config {tmp_path}/config.json --model {tmp_path}/model "
        f"--records-dir {tmp_path}/eval --output-dir {tmp_path}/out"
    ).split()


def table(folder: Path) -> dict[tuple[str, str], dict[str, str]]:
    """The lines of the table by variant and turn."""
    text = (folder / "out" / "tables" / "mask_gap.csv").read_text(encoding="utf-8")
    return {(row["variant"], row["turn"]): row for row in csv.DictReader(text.splitlines())}


def test_views_are_exact_and_stitched_rows_are_up_to_turn_2(inputs, tmp_path: Path) -> None:
    mask_gap.main(inputs)
    found = {key: float(row["largest"]) for key, row in table(tmp_path).items()}
    assert found["views", "all"] < 1e-5
    for variant in ("stitched", "stitched-restarted"):
        assert max(found[variant, "1"], found[variant, "2"]) < 1e-5
        assert found[variant, "3"] > 0.01
        assert found[variant, "all"] == found[variant, "3"]


def test_the_first_trajectories_are_measured(inputs, tmp_path: Path) -> None:
    mask_gap.main(inputs)
    found = table(tmp_path)
    first = read_jsonl(tmp_path / "eval" / "s" / "2.jsonl", Trajectory)[:2]
    sampled = sum(len(turn.output) for one in first for turn in one.turns)
    assert {row["tokens"] for (_, turn), row in found.items() if turn == "all"} == {str(sampled)}
    assert {turn for _, turn in found} == {"1", "2", "3", "all"}


def test_all_files_stand_in_the_manifest(inputs, tmp_path: Path, monkeypatch) -> None:
    mask_gap.main(inputs)
    out = tmp_path / "out"
    recorded = manifest.verify(out / "mask_gap.manifest.json")
    written = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    assert set(recorded["outputs"]) == written - {"mask_gap.manifest.json"}
    assert len(recorded["outputs"]) == 6
    assert (tmp_path / "eval" / "s" / "2.jsonl").as_posix() in recorded["inputs"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"system": None}, "names no system to measure"),
        ({"horizons": []}, "horizons: List should have at least 1 item"),
        ({"horizons": [4]}, r"s/4\.jsonl does not exist"),
        ({"tasks": 5}, "holds 3 trajectories and mask_gap.tasks is 5"),
    ],
)
def test_settings_that_do_not_fit_write_nothing(inputs, tmp_path, change, sentence) -> None:
    config = json.loads((tmp_path / "config.json").read_text())
    write_json(tmp_path / "config.json", config | change)
    with pytest.raises(InputError, match=sentence):
        mask_gap.main(inputs)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("update", "sentence"),
    [
        ({"policy": "full"}, "line 2: a trajectory of system 's' with 2 objectives and policy f"),
        ({"system": "other"}, "line 2: a trajectory of system 'other'"),
        ({"horizon": 3}, "with 3 objectives"),
    ],
)
def test_other_records_than_asked_for_are_refused(inputs, tmp_path, update, sentence) -> None:
    path = tmp_path / "eval" / "s" / "2.jsonl"
    first, second, third = read_jsonl(path, Trajectory)
    write_jsonl(path, [first, second.model_copy(update=update), third])
    with pytest.raises(InputError, match=sentence):
        mask_gap.main(inputs)


def test_contexts_of_another_policy_are_refused(inputs, tmp_path) -> None:
    path = tmp_path / "eval" / "s" / "2.jsonl"
    write_jsonl(path, [made_up(n, 3, 50, policy="full") for n in range(2)])
    with pytest.raises(InputError, match="Task t0: turn 2 of trajectory 0 does not see the prom"):
        mask_gap.main(inputs)
    assert not (tmp_path / "out").exists()
