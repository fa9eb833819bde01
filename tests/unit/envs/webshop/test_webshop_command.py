"""`python -m mem1.webshop` as a person starts it."""

import subprocess
import sys
from pathlib import Path

import pytest

from mem1.envs.webshop import panel
from mem1.envs.webshop.shop import Shop
from mem1.records import Trajectory, read_jsonl


def run(*arguments: object, typed: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mem1.webshop", *map(str, arguments)]
    return subprocess.run(command, input=typed, capture_output=True, text=True, check=False)


def test_an_episode_from_search_to_reward(mini: Shop, tmp_path: Path) -> None:
    goal = mini.goals[7]
    words = goal.request.removeprefix("Find me ").partition(" with ")[0]
    clicks = [goal.asin, *(value for _, value in goal.options), "nothing", "buy now"]
    typed = f"search[{words}]\n" + "".join(f"click[{click}]\n" for click in clicks)
    record = tmp_path / "episode.jsonl"
    done = run("--goal", 7, "--mode", "compact", "--record", record, typed=typed)
    assert done.returncode == 0, done.stderr
    assert f"goal 7 of {len(mini.goals)}: {goal.instruction}" in done.stdout
    assert "actions: search[<content>]" in done.stdout
    assert done.stdout.count("Nothing happened") == 1
    assert "reward 1.0000\n  r_type 1.0\n  r_att 1.0\n" in done.stdout
    assert f"panel {mini.panel.digest}\n" in done.stdout
    [trajectory] = read_jsonl(record, Trajectory)
    assert [turn.argument for turn in trajectory.turns] == typed.splitlines()
    assert {turn.action for turn in trajectory.turns} == {"act", "malformed"}
    assert (trajectory.answers, trajectory.end) == ([goal.asin], "bought")

    page = tmp_path / "page.html"
    view = [sys.executable, "-m", "mem1.view", str(record), "--output", str(page)]
    assert subprocess.run(view, capture_output=True, check=False).returncode == 0
    assert "Total results: " in page.read_text(encoding="utf-8")


def test_input_that_ends_early_is_no_error(folder: Path) -> None:
    name = ("--protocol", "human", "--catalogue", folder, "--nouns", "words")
    done = run(*name, typed="search[lamp]\n")
    assert done.returncode == 0, done.stderr
    assert "[button] B000000001 [button_]" in done.stdout
    assert "The input ended before anything was bought." in done.stdout


def test_bytes_that_are_no_text_do_nothing() -> None:
    command = [sys.executable, "-m", "mem1.webshop", "--mode", "compact"]
    done = subprocess.run(command, input=b"\xff\xfe[\x00]\n", capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"Nothing happened" in done.stdout


def test_goals_are_written_and_read_again(folder: Path, tmp_path: Path, shop: Shop) -> None:
    name = ("--protocol", "official-1k-synthetic", "--catalogue", folder)
    path = tmp_path / "goals.json"
    assert run(*name, "--write-panel", path).returncode == 0
    assert panel.read(path, shop.catalogue) == shop.panel
    done = run(*name, "--panel", path, "--goal", 4)
    assert shop.goals[4].instruction in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--goal", "100000"), "error: Goal 100000 is not in test: take one from 0 to "),
        (("--protocol", "x"), "error: There is no protocol 'x': "),
        (("--protocol", "human"), "error: Protocol human needs a catalogue"),
        (("--protocol", "human", "--catalogue", "nowhere"), "error: nowhere holds no catalogue"),
        (("--panel", "nowhere.json"), "error: nowhere.json does not exist"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: tuple[str, ...], message: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
