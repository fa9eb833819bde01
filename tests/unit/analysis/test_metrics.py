import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem1.analysis.metrics import CAUSES, METRICS, dependency, of
from mem1.errors import InputError
from mem1.records import Call, Trajectory, Turn
from mem1.tasks.scoring import score

ZEROS = [name for name in METRICS if name.startswith("zero_")]


def test_metrics_of_a_trajectory_by_hand(synthetic_trajectory):
    got = of(synthetic_trajectory(sizes=((10, 4), (20, 6)), prompt=8, right=1, seconds=2.5))
    assert (got.em, got.f1, got.question_em) == (1, 1, 0.5)
    assert got.peak == 26
    assert got.peak_without_prompt == 18
    assert got.dependency == (2 * 10 + 4) * 4 / 2 + (2 * 20 + 6) * 6 / 2
    assert (got.total_tokens, got.sampled_tokens) == (14 + 26, 4 + 6)
    assert (got.seconds, got.turns, got.searches, got.calls) == (2.5, 2, 1, 0)


def test_peak_is_the_longest_turn_not_the_last(synthetic_trajectory):
    assert of(synthetic_trajectory(sizes=((50, 9), (20, 6)))).peak == 59


def test_turns_past_the_tenth_count(synthetic_trajectory):
    got = of(synthetic_trajectory(sizes=((10, 5),) * 19 + ((500, 5),)))
    assert (got.turns, got.peak) == (20, 505)


def test_a_trajectory_without_turns_has_the_prompt_as_peak(synthetic_trajectory):
    got = of(synthetic_trajectory(sizes=(), prompt=8))
    assert (got.peak, got.peak_without_prompt, got.dependency, got.turns) == (8, 0, 0, 0)


def test_other_calls_of_the_model_count_like_turns(synthetic_trajectory):
    plain = synthetic_trajectory(sizes=((10, 4), (20, 6)), prompt=8)
    call = Call(purpose="summary", context=[7] * 40, output=[7] * 5, text="", seconds=0.1)
    second = plain.turns[1].model_copy(update={"calls": [call], "retrieval_seconds": 0.25})
    got = of(plain.model_copy(update={"turns": [plain.turns[0], second]}))
    before = of(plain)
    assert (got.peak, got.peak_without_prompt) == (45, 45)  # its context has no task prompt
    assert got.dependency == before.dependency + (2 * 40 + 5) * 5 / 2
    assert got.total_tokens == before.total_tokens + 45
    assert got.sampled_tokens == before.sampled_tokens + 5
    assert (got.turns, got.calls) == (2, 1)
    assert (got.seconds, got.retrieval_seconds) == (before.seconds, 0.25)


WORDS = ("red", "blue", "green")


@st.composite
def trajectories(draw):
    """Any trajectory that a rollout could record, scored by the project's scorer."""
    ids = st.lists(st.integers(0, 3), max_size=6)
    prompt = draw(ids)
    horizon = draw(st.integers(1, 4))
    end = draw(st.sampled_from(sorted(CAUSES)))
    answers = draw(st.lists(st.sampled_from(WORDS), max_size=5)) if end == "answered" else []

    def context():
        return (prompt if draw(st.booleans()) else []) + draw(ids)

    turns = []
    for _ in range(draw(st.integers(0, 5))):
        calls = [
            Call(purpose="note", context=context(), output=draw(ids), text="")
            for _ in range(draw(st.integers(0, 2)))
        ]
        output = draw(ids)
        turns.append(
            Turn(
                context=prompt + draw(ids),
                output=output,
                logprobs=[0.0] * len(output),
                text="",
                action=draw(st.sampled_from(["search", "answer", "malformed"])),
                argument="",
                retrieval_seconds=draw(st.floats(0, 9)),
                calls=calls,
            )
        )
    return Trajectory(
        task_id="t",
        horizon=horizon,
        system="s",
        policy="mem1",
        prompt=prompt,
        turns=turns,
        end=end,
        answers=answers,
        score=score(answers or None, [["red"]] * horizon),
        seconds=draw(st.floats(0, 99)),
    )


def replay(trajectory):
    """The same metrics, token by token: each sampled token is written and looks at all before it.

    It knows nothing of the formulas.
    """
    seen = {"peak": len(trajectory.prompt), "without": 0, "pairs": 0, "read": 0, "written": 0}
    found = {"turns": 0, "searches": 0, "calls": 0, "waited": 0.0}
    for turn in trajectory.turns:
        for number, view in enumerate([*turn.calls, turn]):
            found["calls" if number < len(turn.calls) else "turns"] += 1
            sequence = []
            for token in view.context:
                sequence.append(token)
                seen["read"] += 1
            for token in view.output:
                sequence.append(token)
                seen["written"] += 1
                for _ in sequence:  # itself included
                    seen["pairs"] += 1
            seen["peak"] = max(seen["peak"], len(sequence))
            rest = list(view.context)
            for token in trajectory.prompt:
                if not rest or rest[0] != token:
                    rest = list(view.context)
                    break
                rest.pop(0)
            seen["without"] = max(seen["without"], len(rest) + len(view.output))
        found["searches"] += turn.action == "search"
        found["waited"] += turn.retrieval_seconds
    return seen, found


@given(trajectories())
def test_metrics_agree_with_a_replay_token_by_token(trajectory):
    got = of(trajectory)
    seen, found = replay(trajectory)
    assert got.peak == seen["peak"]
    assert got.peak_without_prompt == seen["without"]
    assert got.dependency == pytest.approx(seen["pairs"] - seen["written"] / 2)
    assert (got.total_tokens, got.sampled_tokens) == (
        seen["read"] + seen["written"],
        seen["written"],
    )
    assert (got.turns, got.searches, got.calls) == (
        found["turns"],
        found["searches"],
        found["calls"],
    )
    assert got.retrieval_seconds == pytest.approx(found["waited"])
    assert got.seconds == trajectory.seconds


@given(trajectories())
def test_scores_and_causes_agree_with_the_answers(trajectory):
    got = of(trajectory)
    answers, horizon = trajectory.answers, trajectory.horizon
    red = sum(answer == "red" for answer in answers[:horizon])
    counted = red if len(answers) == horizon else 0
    assert (got.em, got.question_em) == (counted, pytest.approx(red / horizon))
    assert got.all_right == (answers == ["red"] * horizon)
    causes = [name for name in ZEROS if getattr(got, name)]
    if counted:
        assert causes == []
    elif answers:
        assert causes == ["zero_wrong" if len(answers) == horizon else "zero_count"]
    else:
        assert causes == [{"turns": "zero_turns", "context": "zero_context"}.get(
            trajectory.end, "zero_format"
        )]  # fmt: skip


@pytest.mark.parametrize(("zero", "by_format", "by_count"), [("format", 1, 0), ("count", 0, 1)])
def test_zeros_are_told_apart(synthetic_trajectory, zero, by_format, by_count):
    got = of(synthetic_trajectory(right=2, zero=zero))
    assert (got.zero_format, got.zero_count) == (by_format, by_count)


def test_score_per_question_ignores_the_count(synthetic_trajectory):
    got = of(synthetic_trajectory(horizon=4, right=3, zero="count"))
    assert (got.em, got.question_em, got.all_right) == (0, 0.75, 0)


def test_an_unscored_trajectory_is_refused(synthetic_trajectory):
    with pytest.raises(InputError, match="'t0' has no score"):
        of(synthetic_trajectory().model_copy(update={"score": None}))


def test_a_score_of_another_horizon_is_refused(synthetic_trajectory):
    with pytest.raises(InputError, match="covers 2 questions, not 3"):
        of(synthetic_trajectory().model_copy(update={"horizon": 3}))


def test_a_trajectory_that_did_not_end_is_refused(synthetic_trajectory):
    with pytest.raises(InputError, match="ended with 'running'"):
        of(synthetic_trajectory().model_copy(update={"end": "running"}))


def test_what_is_no_number_is_refused(synthetic_trajectory):
    with pytest.raises(InputError, match="seconds of task 't0' is nan"):
        of(synthetic_trajectory(seconds=float("nan")))


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), max_size=9))
def test_dependency_counts_attended_pairs(sizes):
    """Each output token sees the context and the output up to itself, half of itself."""
    pairs = sum(prefix + place + 0.5 for prefix, output in sizes for place in range(output))
    assert dependency(sizes) == pytest.approx(pairs)


def test_every_metric_is_a_field(synthetic_trajectory):
    got = of(synthetic_trajectory())
    assert all(isinstance(getattr(got, name), int | float) for name in METRICS)


def test_metrics_import_no_torch():
    code = "import sys, mem1.analysis.metrics; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
