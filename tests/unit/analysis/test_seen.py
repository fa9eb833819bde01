"""Contexts taken apart, states compared: whatever the policy, and whatever repeats itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from mem1.agent.context import policy
from mem1.agent.text import Codec
from mem1.analysis import seen
from mem1.config import Agent
from mem1.records import Trajectory, Turn

AGENT = Agent(max_context=4000, max_new_tokens=8, max_info=16, truncate_budget=20)
IDS = st.lists(st.integers(0, 2), max_size=6)  # few ids, so that turns resemble each other


def synthetic_trajectory(prompt, pairs, name="mem1") -> Trajectory:
    """Turns of given outputs and infos, with the contexts that the policy ``name`` makes."""
    rule = policy(name, AGENT)
    turns: list[Turn] = []
    for output, info in pairs:
        context = rule.context(prompt, turns)
        turns.append(
            Turn(
                context=context,
                output=output,
                logprobs=[0.0] * len(output),
                text=f"<think> {output} </think>",
                action="search",
                argument="x",
                info=info,
            )
        )
    return Trajectory(
        task_id="t", horizon=1, system="s", policy=name, prompt=prompt, turns=turns, end="turns"
    )


def written_out(found, other, prompt, turns):
    """The ids of pieces, joined."""
    source = {
        "prompt": lambda p: prompt,
        "output": lambda p: turns[p.turn].output,
        "info": lambda p: turns[p.turn].info,
        "other": lambda p: other,
    }
    return [token for piece in found for token in source[piece.kind](piece)]


@given(IDS, st.lists(st.tuples(IDS, IDS), max_size=5), IDS)
def test_pieces_join_to_any_context(prompt, pairs, context):
    turns = synthetic_trajectory(prompt, pairs).turns
    found, other = seen.pieces(prompt, turns, context)
    assert written_out(found, other, prompt, turns) == context
    assert sum(piece.tokens for piece in found) == len(context)


@given(
    IDS, st.lists(st.tuples(IDS, IDS), max_size=5), st.sampled_from(["mem1", "full", "truncate"])
)
def test_what_a_policy_shows_is_all_from_the_history(prompt, pairs, name):
    for view in seen.views(synthetic_trajectory(prompt, pairs, name)):
        assert all(piece.kind != "other" for piece in view.context)


def distinct(turns: int) -> list[tuple[list[int], list[int]]]:
    return [([10 + t, 11 + t], [50 + t] * 3) for t in range(0, 2 * turns, 2)]


def test_mem1_drops_the_turn_before_the_last():
    views = seen.views(synthetic_trajectory([1, 2], distinct(4)))
    assert [[(p.kind, p.turn) for p in view.dropped] for view in views] == [
        [],
        [],
        [("output", 0), ("info", 0)],
        [("output", 1), ("info", 1)],
    ]
    assert [(p.kind, p.turn) for p in views[3].context] == [
        ("prompt", 0),
        ("output", 2),
        ("info", 2),
    ]


def test_full_history_drops_nothing():
    views = seen.views(synthetic_trajectory([1, 2], distinct(5), "full"))
    assert not any(view.dropped for view in views)
    assert len(views[4].context) == 9


def test_truncation_drops_what_leaves_its_budget():
    views = seen.views(synthetic_trajectory([1, 2], distinct(6), "truncate"))
    assert [(p.kind, p.turn) for p in views[5].dropped] == [("output", 0), ("info", 0)]


def test_a_repeated_turn_is_the_newest_one():
    same = [([7, 8], [9])] * 3
    found, _ = seen.pieces([1], synthetic_trajectory([1], same).turns, [1, 7, 8, 9])
    assert [(p.kind, p.turn) for p in found] == [("prompt", 0), ("output", 2), ("info", 2)]


def test_a_summary_is_neither_prompt_nor_turn_and_is_dropped_when_it_changes():
    trajectory = synthetic_trajectory([1, 2], distinct(4))
    for number, summary in ((1, [90]), (2, [90]), (3, [91])):
        context = trajectory.turns[number].context
        trajectory.turns[number].context = context[:2] + summary + context[2:]
    views = seen.views(trajectory)
    others = [[p for p in view.context if p.kind == "other"] for view in views]
    assert others[1] == others[2] == [seen.Piece("other", 1, 1)]
    assert others[3] == [seen.Piece("other", 3, 1)]
    assert seen.Piece("other", 1, 1) in views[3].dropped
    assert seen.Piece("other", 1, 1) not in views[2].dropped


@given(IDS, st.lists(st.tuples(IDS, IDS), max_size=6))
def test_the_full_history_is_what_the_full_policy_would_have_read(prompt, pairs):
    full = synthetic_trajectory(prompt, pairs, "full")
    sizes = [len(turn.context) + len(turn.output) for turn in full.turns]
    assert seen.full_history(synthetic_trajectory(prompt, pairs)) == sizes


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("<think> a b </think> <search> c </search>", "a b"),
        (" <think>a\nb</think>", "a\nb"),
        ("<think> never closed", "never closed"),
        ("<search> no state </search>", ""),
        ("<think></think> <answer> x </answer>", ""),
    ],
)
def test_the_state_of_an_output(text, state):
    parts = seen.split_state(text)
    assert parts[1] == state
    assert "".join(parts) == text


TEXTS = st.text(alphabet="ab .\n\t<", max_size=30)


@given(TEXTS)
def test_words_join_to_their_text(text):
    assert "".join(seen.words(text)) == text


@given(TEXTS, TEXTS)
def test_changes_lead_from_the_old_state_to_the_new_one(old, new):
    before, after = seen.words(old), seen.words(new)
    i = j = 0
    for sign, number in seen.changes(old, new):
        if sign == "=":
            kept = [word.split() for word in before[i : i + number]]
            assert kept == [word.split() for word in after[j : j + number]]
        i += number * (sign != "+")
        j += number * (sign != "-")
    assert (i, j) == (len(before), len(after))


def test_an_unchanged_word_is_kept():
    assert seen.changes("open Q1 . Ada", "done Q1 .\nAda lives") == [
        ("-", 1),
        ("+", 1),
        ("=", 3),
        ("+", 1),
    ]


def codec(*words: str) -> Codec:
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token=words[0]))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return Codec(tokenizer)


def test_the_tokenizer_is_the_one_that_gives_the_recorded_text():
    own, other, small = codec("?", "red", "blue"), codec("?", "blue", "red"), codec("?")
    trajectory = synthetic_trajectory([1], [([1, 2], [])])
    trajectory.turns[0].text = "red blue"
    assert seen.decoder([small, other, own], trajectory) == own.decode
    assert seen.decoder([small, other], trajectory) is None
