"""The page as text: its data, and that nothing in it can leave its place."""

import base64
import hashlib
import json
import re
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem1.analysis import page, seen
from mem1.records import Call, Question, Task

FOLDER = files("mem1.analysis") / "page_files"
JSON = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(JSON)
def test_embedded_data_is_the_same_and_cannot_end_its_element(value):
    text = page.embedded(value)
    assert json.loads(text) == value
    assert not set("<>&\u2028\u2029") & set(text)


@given(st.sets(st.tuples(st.booleans(), st.integers(0, 5)), max_size=8), st.booleans())
def test_runs_of_turns_hold_the_same_pieces(chosen, prompt):
    pieces = [seen.Piece("prompt", 0, 4)] * prompt
    ordered = sorted(chosen, key=lambda c: (c[1], c[0]))
    pieces += [seen.Piece("info" if info else "output", turn, 3) for info, turn in ordered]
    expanded = []
    for kind, first, last, *_ in page.compact(pieces):
        for turn in range(first, last + 1):
            parts = ("output", "info") if kind == "turns" else (kind,)
            expanded += [(part, turn) for part in parts]
    assert expanded == [(piece.kind, piece.turn) for piece in pieces]


def test_neighbouring_turns_are_one_run():
    pieces = [seen.Piece(kind, t, 1) for t in range(9) for kind in ("output", "info")]
    assert page.compact(pieces) == [["turns", 0, 8]]


def test_trajectories_of_a_task_stand_together(synthetic_trajectory):
    rows = [
        page.trajectory_data(synthetic_trajectory(task, system, horizon), None)
        for system in ("b", "a")
        for horizon, task in ((2, "t1"), (2, "t0"), (1, "s"))
    ]
    data = page.page_data(rows, {}, [], 0)
    assert [(t["task"], t["system"]) for t in data["trajectories"]] == [
        ("s", "b"),
        ("s", "a"),
        ("t1", "b"),
        ("t1", "a"),
        ("t0", "b"),
        ("t0", "a"),
    ]


def test_only_tasks_that_are_shown_go_into_the_page(synthetic_trajectory):
    question = Question(id="q", text="who ?", golds=["x", "y"], source="t")
    tasks = {
        name: Task(id=name, split="test", questions=[question], max_turns=3) for name in ("a", "b")
    }
    rows = [page.trajectory_data(synthetic_trajectory("b"), None)]
    shown = page.page_data(rows, tasks, [], 0)["tasks"]
    assert shown == {
        "b": {
            "maxTurns": 3,
            "instruction": None,
            "questions": [{"text": "who ?", "golds": ["x", "y"]}],
        }
    }


def test_texts_that_need_a_tokenizer_are_absent_without_one(synthetic_trajectory):
    trajectory = synthetic_trajectory(sizes=((8, 2), (11, 2)))  # a token that is from no turn
    trajectory.turns[1].context[8] = 5
    bare = page.trajectory_data(trajectory, None)
    known = page.trajectory_data(trajectory, lambda ids: " ".join(map(str, ids)))
    assert (bare["prompt"], bare["turns"][1]["other"]) == (None, None)
    assert known["prompt"] == "1 1 1 1 1 1 1 1"
    assert known["turns"][1]["other"] == "5 1 1"
    assert "other" not in known["turns"][0]


def test_calls_beside_the_turns_are_there_with_their_sizes(synthetic_trajectory):
    trajectory = synthetic_trajectory()
    trajectory.turns[1].calls = [
        Call(purpose="summary", context=[1, 2, 3], output=[4], text="so far")
    ]
    assert page.trajectory_data(trajectory, None)["turns"][1]["calls"] == [
        {"purpose": "summary", "text": "so far", "malformed": False, "tokens": [3, 1]}
    ]


def test_the_policy_allows_the_page_its_own_script_and_style_and_nothing_else():
    text = page.render(page.page_data([], {}, [], 0))
    allowed = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    for element in ("style", "script"):
        content = re.search(rf"<{element}>(.*?)</{element}>", text, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in allowed
    assert allowed.startswith("default-src 'none';")
    assert "unsafe" not in allowed


@pytest.mark.parametrize("name", page.SCRIPTS)
def test_scripts_make_no_markup_from_text_and_ask_for_nothing(name):
    source = (FOLDER / name).read_text(encoding="utf-8")
    markup, requests = r"innerHTML|outerHTML|insertAdjacent", r"fetch|XMLHttpRequest|import"
    assert not re.findall(rf"{markup}|document\.write|\b(?:eval|{requests})\b", source)


def test_every_file_of_the_page_is_used():
    names = {entry.name for entry in FOLDER.iterdir()}
    assert names == {*page.SCRIPTS, "page.html", "style.css"}
