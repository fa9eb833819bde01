"""Context policies on recorded turns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem1.agent.context import full_context, policy
from mem1.config import Agent
from mem1.errors import InputError
from mem1.records import Call, Turn

LIMITS = Agent(max_context=400, max_new_tokens=24, max_info=40, truncate_budget=60)


def turn(output: list[int], info: list[int]) -> Turn:
    return Turn(
        context=[],
        output=output,
        logprobs=[0.0] * len(output),
        text="",
        action="search",
        argument="",
        info=info,
    )


THREE = [turn([10, 11], [12]), turn([20], [21, 22]), turn([30], [31])]


@pytest.mark.parametrize("name", ["mem1", "full", "truncate"])
def test_the_first_turn_sees_the_prompt_alone(name: str) -> None:
    assert policy(name, LIMITS).context([1, 2], []) == [1, 2]


def test_mem1_sees_the_last_output_and_its_info() -> None:
    assert policy("mem1", LIMITS).context([1, 2], THREE) == [1, 2, 30, 31]


def test_full_sees_everything_in_order() -> None:
    assert policy("full", LIMITS).context([1], THREE) == [1, 10, 11, 12, 20, 21, 22, 30, 31]


def test_truncate_keeps_the_newest_turns_that_fit() -> None:
    tight = LIMITS.model_copy(update={"truncate_budget": 5})
    assert policy("truncate", tight).context([1], THREE) == [1, 20, 21, 22, 30, 31]


def test_truncate_always_keeps_the_newest_turn() -> None:
    tight = LIMITS.model_copy(update={"truncate_budget": 1})
    assert policy("truncate", tight).context([1], THREE) == [1, 30, 31]


lengths = st.lists(st.tuples(st.integers(1, 24), st.integers(0, 40)), max_size=12)


@given(lengths)
def test_mem1_and_truncate_never_outgrow_what_was_checked(sizes: list[tuple[int, int]]) -> None:
    turns = [turn([5] * output, [6] * info) for output, info in sizes]
    for name in ("mem1", "truncate"):
        context = policy(name, LIMITS).context([1] * 50, turns)
        assert len(context) + LIMITS.max_new_tokens <= LIMITS.max_context


@given(lengths)
def test_truncate_shows_a_suffix_of_what_full_shows(sizes: list[tuple[int, int]]) -> None:
    turns = [turn([5 + i] * o, [6 + i] * n) for i, (o, n) in enumerate(sizes)]
    history = policy("full", LIMITS).context([1], turns)[1:]
    shown = policy("truncate", LIMITS).context([1], turns)[1:]
    assert history[len(history) - len(shown) :] == shown


@pytest.mark.parametrize(("name", "most"), [("mem1", 312), ("full", 376), ("truncate", 312)])
def test_a_prompt_is_refused_exactly_when_a_turn_might_not_fit(name: str, most: int) -> None:
    chosen = policy(name, LIMITS)
    assert chosen.context([1] * most, []) == [1] * most
    with pytest.raises(InputError, match=r"agent\.max_context is 400"):
        chosen.context([1] * (most + 1), [])


def test_a_full_history_is_full_when_an_output_no_longer_fits() -> None:
    assert not full_context([1] * 376, LIMITS)
    assert full_context([1] * 377, LIMITS)


@given(lengths, st.sampled_from(["mem1", "full", "truncate"]))
def test_no_context_is_longer_than_foretold(sizes: list[tuple[int, int]], name: str) -> None:
    chosen = policy(name, LIMITS.model_copy(update={"max_context": 2000}))
    turns = [turn([5] * output, [6] * info) for output, info in sizes]
    context = chosen.context([1] * 50, turns)
    assert len(context) + LIMITS.max_new_tokens <= chosen.longest(50, len(turns) + 1)


def test_a_full_history_is_foretold_to_end_at_the_largest_context() -> None:
    assert policy("full", LIMITS).longest(50, 2) == 50 + 24 + 40 + 24
    assert policy("full", LIMITS).longest(50, 90) == 400


def test_calls_that_a_policy_does_not_make_are_refused() -> None:
    call = Call(purpose="summary", context=[], output=[], text="")
    with pytest.raises(ValueError, match="not the calls of policy mem1"):
        policy("mem1", LIMITS).context([1], THREE, [call])
