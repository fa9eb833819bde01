"""The scorer, and what the official code gets wrong in it (reward, evaluation, F1)."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mem1.tasks.scoring import (
    SQUAD,
    Normalization,
    contains_answer,
    exact_match,
    f1,
    normalize,
    score,
    stands_in,
)

texts = st.text(alphabet=st.sampled_from("aAnNtThHeE oyk.,!'-19é"), max_size=12)
answers = st.lists(texts, max_size=8)
golds_of_task = st.lists(st.lists(texts, min_size=1, max_size=3), min_size=1, max_size=8)
ways = st.builds(
    Normalization,
    case=st.sampled_from(["lower", "keep"]),
    punctuation=st.sampled_from(["remove", "space", "keep"]),
    articles=st.sampled_from(["remove", "keep"]),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  The  Beatles! ", "beatles"),
        ("An apple a day", "apple day"),
        ("U.S.A.", "usa"),
        ("Theory", "theory"),
        ("A", "a"),
        ("The The", "the the"),
        ("!!!", "!!!"),
        ("", ""),
    ],
)
def test_normalize_follows_squad_and_never_empties_a_text(text: str, expected: str) -> None:
    assert normalize(text) == expected


def test_official_evaluation_is_an_option() -> None:
    official = Normalization(punctuation="space", articles="keep")
    assert normalize("The U.S.", official) == "the u s"


@settings(deadline=None)
@given(texts, ways)
def test_normalize_twice_is_normalize_once(text: str, how: Normalization) -> None:
    assert normalize(normalize(text, how), how) == normalize(text, how)


@settings(deadline=None)
@given(st.text(), st.lists(st.text(), min_size=1))
def test_any_text_scores_between_zero_and_one(prediction: str, golds: list[str]) -> None:
    assert 0 <= exact_match(prediction, golds) <= f1(prediction, golds) <= 1


@settings(deadline=None)
@given(texts, st.lists(texts, min_size=1))
def test_exact_match_is_f1_one_only_with_the_same_tokens(prediction: str, golds: list[str]) -> None:
    given_tokens = Counter(normalize(prediction).split())
    same = any(given_tokens == Counter(normalize(gold).split()) for gold in golds)
    assert (f1(prediction, golds) == 1.0) == (same and bool(given_tokens))


@pytest.mark.parametrize("gold", ["A", "The", "...", ""])
def test_an_empty_guess_never_matches(gold: str) -> None:
    assert exact_match("", [gold]) == 0.0
    assert f1("", [gold]) == 0.0


def test_any_alias_counts() -> None:
    assert exact_match("heart of Oak", ["Hearts", "The Heart of Oak."]) == 1.0


def test_f1_counts_repeated_tokens() -> None:
    assert f1("new york new york", ["New York"]) == pytest.approx(2 * 2 / (4 + 2))


def test_f1_by_hand() -> None:
    # 2 of 3 given tokens and 2 of 4 gold tokens agree
    assert f1("king george vi", ["King George of England"]) == pytest.approx(4 / 7)


def test_f1_takes_the_best_gold() -> None:
    assert f1("george vi", ["king george", "George VI"]) == 1.0


@pytest.mark.parametrize(
    ("text", "golds", "expected"),
    [
        ("It is well known.", ["no"], False),
        ("The answer is no.", ["No"], True),
        ("Founded in 1912.", ["19"], False),
        ("the March of the Heart of the Oak.", ["Heart of Oak"], True),
        ("Anything at all", ["The"], False),
        ("", ["x"], False),
        ("x", [], False),
    ],
)
def test_contains_answer_wants_whole_words(text: str, golds: list[str], expected: bool) -> None:
    assert contains_answer(text, golds) is expected
    assert stands_in(normalize(text), golds) is expected


@settings(deadline=None)
@given(texts, texts, texts)
def test_what_stands_between_words_is_contained(before: str, gold: str, after: str) -> None:
    content = normalize(gold)
    if content and normalize(f"x {content} x") == f"x {content} x":
        assert contains_answer(f"{before} {gold} {after}", [gold])


def test_right_answers_are_summed() -> None:
    result = score(["Paris", "the Nile", "blue"], [["paris"], ["Nile", "River Nile"], ["red"]])
    assert (result.em, result.zero, result.question_em) == (2.0, "none", [1.0, 1.0, 0.0])
    assert result.f1 == pytest.approx(2.0)


def test_single_objective_tasks_score() -> None:
    result = score(["Paris"], [["Paris"]])
    assert (result.em, result.f1, result.zero) == (1.0, 1.0, "none")


def test_answers_count_by_position() -> None:
    assert score(["b", "c"], [["c"], ["b"]]).em == 0.0


@pytest.mark.parametrize("given_answers", [["x", "y"], ["x", "y", "z", "w"]])
def test_a_wrong_count_is_zero_but_the_positions_are_kept(given_answers: list[str]) -> None:
    result = score(given_answers, [["x"], ["y"], ["z"]])
    assert (result.em, result.f1, result.zero) == (0.0, 0.0, "count")
    assert result.given == len(given_answers)
    assert result.question_em[:2] == [1.0, 1.0]


@pytest.mark.parametrize("nothing", [None, []])
def test_a_missing_answer_is_a_format_zero(nothing: list[str] | None) -> None:
    result = score(nothing, [["x"], ["y"]])
    assert result.model_dump() == {
        "em": 0.0,
        "f1": 0.0,
        "given": 0,
        "expected": 2,
        "zero": "format",
        "question_em": [0.0, 0.0],
    }


@settings(deadline=None)
@given(st.none() | answers, golds_of_task, ways)
def test_any_answers_score_within_bounds(
    given_answers: list[str] | None, golds: list[list[str]], how: Normalization
) -> None:
    result = score(given_answers, golds, how)
    assert 0 <= result.em <= result.f1 <= result.expected == len(golds)
    assert len(result.question_em) == len(golds)
    counts = {"format": 0, "none": len(golds)}.get(result.zero, result.given)
    assert result.given == counts == len(given_answers or [])
    assert result.em == (sum(result.question_em) if result.zero == "none" else 0.0)


@settings(deadline=None)
@given(golds_of_task)
def test_the_golds_themselves_score_full(golds: list[list[str]]) -> None:
    expected = sum(1 for aliases in golds if normalize(aliases[0], SQUAD))
    assert score([aliases[0] for aliases in golds], golds).em >= expected


@settings(deadline=None)
@given(st.none() | st.lists(st.text(), max_size=6), st.lists(st.lists(st.text()), max_size=6))
def test_no_answers_and_no_golds_crash_the_scorer(
    given_answers: list[str] | None, golds: list[list[str]]
) -> None:
    result = score(given_answers, golds)
    assert result.given == len(given_answers or [])
    assert len(result.question_em) == result.expected == len(golds)


@settings(deadline=None)
@given(st.text(), st.lists(st.text(), min_size=1, max_size=3))
def test_one_objective_scores_like_its_only_question(answer: str, golds: list[str]) -> None:
    result = score([answer], [golds])
    assert (result.em, result.f1) == (exact_match(answer, golds), f1(answer, golds))


@settings(deadline=None)
@given(golds_of_task, st.data())
def test_each_answer_counts_at_its_own_position_only(
    golds: list[list[str]], data: st.DataObject
) -> None:
    right = [aliases[0] for aliases in golds]
    place = data.draw(st.integers(0, len(golds) - 1))
    wrong = [*right[:place], "zzz", *right[place + 1 :]]
    before, after = (score(given, golds).question_em for given in (right, wrong))
    assert after[place] == 0.0
    assert [*after[:place], *after[place + 1 :]] == [*before[:place], *before[place + 1 :]]


@settings(deadline=None)
@given(st.lists(st.sampled_from("xyz"), min_size=1), st.lists(st.sampled_from("xyz"), min_size=1))
def test_f1_is_over_multisets(given_tokens: list[str], gold_tokens: list[str]) -> None:
    common = sum(min(given_tokens.count(c), gold_tokens.count(c)) for c in "xyz")
    expected = 2 * common / (len(given_tokens) + len(gold_tokens))
    assert f1(" ".join(given_tokens), [" ".join(gold_tokens)]) == pytest.approx(expected)


@settings(deadline=None)
@given(answers, golds_of_task)
def test_a_wrong_number_of_answers_scores_nothing(
    given_answers: list[str], golds: list[list[str]]
) -> None:
    result = score(given_answers, golds)
    if len(given_answers) != len(golds):
        assert (result.em, result.f1) == (0.0, 0.0)
        assert result.zero == ("count" if given_answers else "format")
