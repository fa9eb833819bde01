"""From a teacher's trajectories to a trained student: collected, filtered, learned from."""

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from mem1 import distill, train_sft
from mem1.agent.formats.catalogue import FORMATS
from mem1.agent.text import load_codec
from mem1.config_learning import Filter
from mem1.config_retrieval import Retrieval
from mem1.errors import InputError
from mem1.provenance import read_json, write_json
from mem1.records import Score, StepMetrics, Task, Trajectory, Turn, read_jsonl, write_jsonl
from mem1.retrieval import bm25
from mem1.train.demonstrations import Recorded, vocabulary
from mem1.train.model import load_model
from tests.unit.agent.engines.openai_server import BASE
from tests.unit.agent.engines.test_http import AGENT, WORLD
from tests.unit.test_evaluate import bytewise
from tests.unit.test_evaluate_systems import publish

SETTINGS = Retrieval(k=3, k1=1.5, b=0.75)
STRICT = {"least_em": 1.0, "well_formed": True}


def inputs(folder: Path, teacher: dict[str, Any], filter: dict[str, Any] = STRICT) -> list[str]:
    """A small world, and the arguments that let ``teacher`` act in it for the base model."""
    write_jsonl(folder / "passages.jsonl", WORLD.passages)
    write_jsonl(folder / "questions.jsonl", WORLD.questions)
    bm25.build(WORLD.passages, SETTINGS, folder / "index")
    system = {
        "policy": "mem1",
        "prompt": "mem1",
        "agent": AGENT.model_dump(mode="json"),
        "k": 3,
        "temperature": 1.0,
        "batch": 64,
        "seed": 0,
    }
    section = {
        "teacher": system | teacher,
        "horizons": [1, 2],
        "max_turns": {1: 4, 2: 6},
        "tasks": 16,
        "filter": filter,
    }
    write_json(folder / "distill.json", section)
    return (
        f"--config {folder}/distill.json --system expert --questions {folder}/questions.jsonl "
        f"--passages {folder}/passages.jsonl --index {folder}/index --student {BASE} "
        f"--output-dir {folder}/made"
    ).split()


def training(folder: Path) -> list[str]:
    """Arguments of a run of two steps that learns from the demonstrations."""
    flat = {"lr": 1e-3, "weight_decay": 0.0, "warmup": 0, "final_lr": 1.0, "clip": 1.0}
    none = {"wrong_query": 0, "early_answer": 0, "forgotten_fact": 0, "early_stop": 0}
    section = {
        "name": "sft",
        "seed": 0,
        "run": {"stage": "sft", "policy": "mem1", "start": "base", "seed": 0},
        "world": {"entities_per_type": 8, "hops": {1: 0.5, 2: 0.5}},
        "retrieval": SETTINGS.model_dump(mode="json"),
        "agent": AGENT.model_dump(mode="json"),
        "max_turns": {1: 4, 2: 6},
        "tasks": None,
        "model": None,
        "sft": {
            "steps": 2,
            "batch": 3,
            "horizons": [1, 2],
            "teacher": "expert",
            "imperfections": none,
            "optimizer": flat,
            "checkpoint_every": 2,
        },
        "rl": None,
    }
    write_json(folder / "run.json", section)
    return (
        f"--config {folder}/run.json --start {BASE} --tokenizer {BASE} "
        f"--checkpoint-dir {folder}/checkpoints --output-dir {folder}/trained"
    ).split()


def test_a_student_learns_from_what_is_kept_of_a_teacher(tmp_path: Path) -> None:
    distill.main([*inputs(tmp_path, {"engine": "hf"}), "--model", str(BASE)])
    made = tmp_path / "made" / "demonstrations.jsonl"
    kept = read_jsonl(made, Trajectory)
    manifest = read_json(made.with_name("manifest.json"))
    assert manifest["tried"] == 16
    assert sum(manifest["kept"].values()) == len(kept) > 8
    assert sum(manifest["dropped"].values()) == 16 - len(kept)
    assert manifest["kept"] == {str(n): c for n, c in Counter(k.horizon for k in kept).items()}
    for one in kept:
        assert one.end == "answered"
        assert one.score is not None
        assert one.score.em == one.horizon
        assert all(turn.logprobs for turn in one.turns)  # tokens as the teacher sampled them
    assert {p.name for p in made.parent.iterdir()} == {made.name, "manifest.json"}

    train_sft.main([*training(tmp_path), "--demonstrations", str(made)])
    metrics = read_jsonl(tmp_path / "trained" / "metrics.jsonl", StepMetrics)
    assert [row.values["sampled_tokens"] > 0 for row in metrics] == [True, True]
    trained = read_json(tmp_path / "trained" / "manifest.json")
    assert made.as_posix() in trained["inputs"]
    assert not any("passages" in name for name in trained["inputs"])


def test_a_teacher_with_another_tokenizer_is_taken_down_in_the_students_tokens(
    tmp_path: Path,
) -> None:
    codec = load_codec(BASE)
    wide = AGENT.model_copy(update={"max_new_tokens": 600, "max_info": 900, "max_context": 9000})
    oracle = {"engine": "oracle-reader", "agent": wide.model_dump(mode="json")}
    distill.main([*inputs(tmp_path, oracle), "--tokenizer", str(bytewise(tmp_path / "bytes"))])
    told = read_jsonl(tmp_path / "made" / "demonstrations.jsonl", Trajectory)
    assert told
    for one in told:
        assert one.score is not None
        assert one.score.em == one.horizon
        for turn in one.turns:
            assert turn.context[: len(one.prompt)] == one.prompt
            assert turn.output == codec.encode(turn.text)
            assert turn.info == codec.encode(turn.info_text)


def test_a_teacher_with_another_prompt_is_told_in_the_form_of_the_run(tmp_path: Path) -> None:
    bytes_ = bytewise(tmp_path / "bytes")
    wide = AGENT.model_copy(update={"max_new_tokens": 600, "max_info": 900, "max_context": 30000})
    oracle = {"engine": "oracle-reader", "agent": wide.model_dump(mode="json")}
    arguments = inputs(tmp_path, oracle)
    section = read_json(tmp_path / "distill.json")
    write_json(tmp_path / "distill.json", section | {"prompt": "instruct"})
    distill.main([*arguments, "--tokenizer", str(bytes_), "--student", str(bytes_)])
    told = read_jsonl(tmp_path / "made" / "demonstrations.jsonl", Trajectory)
    assert told
    spoken = FORMATS["instruct"].prompt(
        Task(id="t", split="train", questions=WORLD.questions[:1], max_turns=4), load_codec(bytes_)
    )
    for one in told:
        assert one.prompt[:100] == spoken[:100]
        assert all(turn.context[: len(one.prompt)] == one.prompt for turn in one.turns)


def test_a_model_with_too_few_positions_is_not_trained(tmp_path: Path) -> None:
    distill.main([*inputs(tmp_path, {"engine": "hf"}), "--model", str(BASE)])
    arguments = training(tmp_path)
    section = read_json(tmp_path / "run.json")
    wide = {**section["agent"], "max_context": 9000}
    write_json(tmp_path / "run.json", section | {"agent": wide})
    made = tmp_path / "made" / "demonstrations.jsonl"
    with pytest.raises(InputError, match="max_context is 9000, and the model has 8192 positions"):
        train_sft.main([*arguments, "--demonstrations", str(made)])


def test_a_filter_that_nothing_passes_says_so_and_keeps_what_was_played(tmp_path: Path) -> None:
    arguments = inputs(tmp_path, {"engine": "oracle-reader"})
    section = read_json(tmp_path / "distill.json")
    write_json(tmp_path / "distill.json", section | {"max_turns": {"1": 1, "2": 1}})
    with pytest.raises(InputError, match=r"expert passes distill\.filter \(16 unanswered\)"):
        distill.main([*arguments, "--tokenizer", str(BASE)])
    assert not (tmp_path / "made" / "demonstrations.jsonl").exists()
    kept = tmp_path / "made" / ".demonstrations.jsonl.partial"
    assert len(kept.read_text(encoding="utf-8").splitlines()) == 1 + 16


def acted(em: float, end: str, *actions: str) -> Trajectory:
    turns = [
        Turn(context=[1], output=[1], logprobs=[], text="", action=a, argument="")  # type: ignore[arg-type]
        for a in actions
    ]
    score = Score(em=em, f1=em, given=2, expected=2, zero="none", question_em=[em / 2] * 2)
    return Trajectory(
        task_id="t", horizon=2, system="s", policy="mem1", prompt=[1], turns=turns, end=end,  # type: ignore[arg-type]
        score=score,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("trajectory", "least_em", "well_formed", "reason"),
    [
        (acted(2, "answered", "search", "answer"), 1.0, True, None),
        (acted(1, "answered", "search", "answer"), 1.0, True, "wrong"),
        (acted(1, "answered", "search", "answer"), 0.5, True, None),
        (acted(2, "answered", "malformed", "answer"), 1.0, True, "malformed"),
        (acted(2, "answered", "malformed", "answer"), 1.0, False, None),
        (acted(0, "turns", "malformed"), 0.0, True, "unanswered"),
        (acted(0, "turns", "search"), 0.0, False, None),
        (acted(0, "turns", "search"), 0.1, False, "wrong"),
    ],
)
def test_each_trajectory_is_dropped_for_one_reason(
    trajectory: Trajectory, least_em: float, well_formed: bool, reason: str | None
) -> None:
    wanted = Filter(least_em=least_em, well_formed=well_formed)
    assert distill.flaw(trajectory, wanted) == reason


def recorded(folder: Path, *horizons: int) -> Path:
    """Demonstrations of these numbers of objectives, in the base model's tokens."""
    rows = [
        acted(2, "answered", "answer").model_copy(update={"horizon": horizon, "task_id": str(i)})
        for i, horizon in enumerate(horizons)
    ]
    write_jsonl(folder / "demonstrations.jsonl", rows)
    write_json(folder / "manifest.json", {"vocabulary": vocabulary(load_codec(BASE))})
    return folder / "demonstrations.jsonl"


def test_numbers_of_objectives_have_equal_shares_however_many_were_kept(tmp_path: Path) -> None:
    source = Recorded.load(recorded(tmp_path, 1, 2, 2, 2, 2, 2, 2, 3), load_codec(BASE), [1, 2])
    drawn = source.draw(0, 2000, Random(0))
    assert {one.horizon for one in drawn} == {1, 2}
    assert 900 < sum(one.horizon == 1 for one in drawn) < 1100
    assert [one.task_id for one in source.draw(0, 5, Random(1))] == [
        one.task_id for one in source.draw(0, 5, Random(1))
    ]


def test_a_number_of_objectives_without_a_demonstration_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no demonstration of 3 objectives: raise distill"):
        Recorded.load(recorded(tmp_path, 1, 2), load_codec(BASE), [1, 2, 3])


def test_demonstrations_in_other_tokens_are_refused(tmp_path: Path) -> None:
    path = recorded(tmp_path, 1)
    write_json(tmp_path / "manifest.json", {"vocabulary": "another"})
    with pytest.raises(InputError, match="holds the tokens of another tokenizer"):
        Recorded.load(path, load_codec(BASE), [1])


def test_a_run_can_start_from_a_published_checkpoint(tmp_path: Path) -> None:
    start = publish(tmp_path / "published")
    made = recorded(tmp_path, 1, 2)
    theirs = [str(start) if value == str(BASE) else value for value in training(tmp_path)]
    train_sft.main([*theirs, "--demonstrations", str(made)])
    model, codec = load_model(tmp_path / "trained" / "model")
    assert model.config.vocab_size == 1664 > codec.size


def test_a_run_with_a_teacher_asks_for_its_demonstrations(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="learns from expert: give it --demonstrations"):
        train_sft.main([*training(tmp_path), "--world", str(tmp_path)])
