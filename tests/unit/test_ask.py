"""The command, as a process, with the committed base model in a world of its own; and bad input."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mem1 import ask
from mem1.errors import InputError
from mem1.records import write_jsonl
from tests.unit.agent.engines.openai_server import BASE, ROOT
from tests.unit.agent.engines.test_http import WORLD


def test_the_base_model_answers_in_a_world_made_for_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mem1.ask", "--world", "--checkpoint", str(BASE)],
        cwd=tmp_path,  # nothing that another command has made
        env={"PYTHONPATH": str(ROOT), "PATH": "", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    turns = int(re.findall(r"^Turn (\d+)$", done.stdout, re.MULTILINE)[-1])
    assert turns >= 3
    for what, times in (("state", turns), ("query", turns - 1), ("info", turns - 1), ("answer", 1)):
        assert len(re.findall(rf"^  {what} ", done.stdout, re.MULTILINE)) == times
    answers = re.findall(r"^A\d: (.+?)    \(right: (.+)\)$", done.stdout, re.MULTILINE)
    assert len(answers) == 2
    assert all(given == right for given, right in answers)
    tokens = re.findall(r"^ +\d+ +(\d+) +(\d+)$", done.stdout, re.MULTILINE)
    assert len(tokens) == turns
    peak = max(int(context) + int(output) for context, output in tokens)
    assert f"Peak: {peak} tokens" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_questions_of_ones_own_over_passages_of_ones_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_jsonl(tmp_path / "passages.jsonl", WORLD.passages)
    question = next(q for q in WORLD.questions if q.hops == 1)
    passages = ["--passages", str(tmp_path / "passages.jsonl")]
    ask.main([f"{question.text}; Who wrote Hamlet?", "--checkpoint", str(BASE), *passages])
    said = capsys.readouterr().out
    assert f"Q1: {question.text}\nQ2: Who wrote Hamlet?\n" in said
    assert "Words that the model does not know: Hamlet?" in said
    assert question.golds[0] in said
    assert "right:" not in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--checkpoint", "nowhere", "Who?"], "nowhere holds no model: train one with `make repro"),
        (["--checkpoint", str(BASE), "Who?"], "results/mini holds no passages .* run `make repro"),
        (["--checkpoint", str(BASE), "--world", "--objectives", "0"], "--objectives is from 1 to"),
        (["--checkpoint", str(BASE), "--world", "; ".join(["Who?"] * 17)], "no budget for 17 obj"),
        (["--checkpoint", str(BASE), "--preset", "other", "Who?"], r"other\.yaml does not exist"),
    ],
)
def test_what_is_missing_is_said_in_one_sentence(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        ask.main(arguments)


def test_no_question_is_asked_for(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "passages.jsonl", WORLD.passages)
    with pytest.raises(InputError, match="Ask something"):
        ask.main(["--checkpoint", str(BASE), "--passages", str(tmp_path / "passages.jsonl")])
