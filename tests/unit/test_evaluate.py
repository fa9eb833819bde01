"""The command, with the oracle reader: whole, interrupted, and given bad input."""

import json
from pathlib import Path

import pytest
from tokenizers import decoders, models, pre_tokenizers

from mem1 import cli, evaluate
from mem1.agent import rollout
from mem1.agent.settings import EvaluationRun
from mem1.config import Agent
from mem1.config_retrieval import Retrieval
from mem1.errors import InputError
from mem1.provenance import write_json
from mem1.records import Passage, Question, Task, Trajectory, read_jsonl, write_jsonl
from mem1.retrieval import bm25
from mem1.tasks.compose import save_panel
from tests.unit.agent.engines.openai_server import BASE

NAMES = ["Ada", "Bo", "Cy", "Di", "Ed", "Fay"]


def bytewise(folder: Path) -> Path:
    """A tokenizer of bytes."""
    from tokenizers import Tokenizer

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({c: i for i, c in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    write_json(folder / "tokenizer_config.json", {})
    return folder


def make_inputs(folder: Path) -> list[str]:
    """A world of six pages, a panel of three tasks; the arguments of the command."""
    bytewise(folder / "tokenizer")
    pages = [Passage(id=n, title=n, text=f"{n} lives in {n}ville.") for n in NAMES]
    write_jsonl(folder / "passages.jsonl", pages)
    bm25.build(pages, Retrieval(k=3, k1=1.5, b=0.75), folder / "index")
    questions = [
        Question(id=n, text=f"Where does {n} live?", golds=[f"{n}ville"], source="t") for n in NAMES
    ]
    tasks = [
        Task(id=f"t{i}", split="test", questions=questions[2 * i : 2 * i + 2], max_turns=4)
        for i in range(3)
    ]
    save_panel(folder / "panel.jsonl", tasks, {})
    limits = Agent(max_context=3000, max_new_tokens=200, max_info=300, truncate_budget=400)
    run = EvaluationRun(
        engine="oracle-reader",
        policy="mem1",
        prompt="mem1",
        agent=limits,
        k=3,
        temperature=0.0,
        batch=1,
        seed=0,
    )
    write_json(folder / "config.json", run.model_dump(mode="json"))
    return (
        f"--config {folder}/config.json --system oracle --tasks {folder}/panel.jsonl "
        f"--passages {folder}/passages.jsonl --index {folder}/index "
        f"--tokenizer {folder}/tokenizer --output {folder}/eval/2.jsonl"
    ).split()


def test_all_tasks_are_scored_in_order_and_a_manifest_is_written(tmp_path: Path) -> None:
    evaluate.main(make_inputs(tmp_path))
    done = read_jsonl(tmp_path / "eval" / "2.jsonl", Trajectory)
    assert [(t.task_id, t.system, t.policy) for t in done] == [
        (f"t{i}", "oracle", "mem1") for i in range(3)
    ]
    assert [t.score.em for t in done if t.score] == [2.0] * 3
    manifest = json.loads((tmp_path / "eval" / "2.manifest.json").read_text())
    assert (manifest["command"], manifest["system"]) == ("evaluate", "oracle")
    assert set(manifest["outputs"]) == {"2.jsonl"}
    assert {p.name for p in (tmp_path / "eval").iterdir()} == {"2.jsonl", "2.manifest.json"}


def test_an_interrupted_evaluation_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = make_inputs(tmp_path)
    scored, played = rollout.scored, []

    def stop_at_third(trajectory: Trajectory, task: Task) -> Trajectory:
        played.append(task.id)
        if len(played) == 3:
            raise KeyboardInterrupt
        return scored(trajectory, task)

    monkeypatch.setattr(rollout, "scored", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        evaluate.main(arguments)
    assert not (tmp_path / "eval" / "2.jsonl").exists()
    evaluate.main(arguments)
    assert played == ["t0", "t1", "t2", "t2"]
    done = read_jsonl(tmp_path / "eval" / "2.jsonl", Trajectory)
    assert [t.task_id for t in done] == ["t0", "t1", "t2"]


def test_a_changed_setting_refuses_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = make_inputs(tmp_path)
    whole, finished = rollout.scored, []

    def interrupted(trajectory: Trajectory, task: Task) -> Trajectory:
        if finished:
            raise KeyboardInterrupt
        finished.append(trajectory)
        return whole(trajectory, task)

    monkeypatch.setattr(rollout, "scored", interrupted)
    with pytest.raises(KeyboardInterrupt):
        evaluate.main(arguments)
    config = json.loads((tmp_path / "config.json").read_text())
    write_json(tmp_path / "config.json", {**config, "k": 2})
    with pytest.raises(InputError, match=r"2\.jsonl\.partial holds partial results"):
        evaluate.main(arguments)


def test_a_model_with_too_few_positions_is_refused_before_anything_is_played(
    tmp_path: Path,
) -> None:
    arguments = make_inputs(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    limits = {**config["agent"], "max_context": 9000}
    write_json(tmp_path / "config.json", {**config, "engine": "hf", "agent": limits})
    with pytest.raises(InputError, match="max_context is 9000, and the model has 8192 positions"):
        evaluate.main([*arguments, "--model", str(BASE), "--tokenizer", str(BASE)])


def test_an_engine_that_needs_a_model_asks_for_it(tmp_path: Path) -> None:
    arguments = make_inputs(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    write_json(tmp_path / "config.json", {**config, "engine": "hf"})
    with pytest.raises(InputError, match="--model"):
        evaluate.main(arguments)
    with pytest.raises(InputError, match=r"index.tokenizer\.json does not exist"):
        evaluate.main([*arguments, "--model", str(tmp_path / "index")])


def test_bad_input_exits_with_two_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = make_inputs(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    limits = {**config["agent"], "max_context": 100}
    write_json(tmp_path / "config.json", {**config, "agent": limits})
    monkeypatch.setattr("sys.argv", ["evaluate", *arguments])
    with pytest.raises(SystemExit, match="2"):
        cli.run(evaluate.main)
    assert "error: agent.max_context is 100" in capsys.readouterr().err
    assert not (tmp_path / "eval" / "2.jsonl").exists()
