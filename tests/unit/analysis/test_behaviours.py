"""Each detector on hand-written trajectories that show its behaviour, and on some that do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem1.analysis.behaviours import BEHAVIOURS, QUOTE
from mem1.analysis.episode import content, episode, focus, names, place, sentences
from mem1.records import Call, Trajectory, Turn

QUESTIONS = ("Who directed the film Vertigo?", "In which city was the author of Dune born?")
DETECT = {behaviour.key: behaviour.detect for behaviour in BEHAVIOURS}


def turn(state, query, found="", calls=()):
    info = f"<information> [HINT: YOU HAVE 5 TURNS LEFT] Doc 1: {found} </information>"
    return Turn(
        context=[1],
        output=[2],
        logprobs=[0.0],
        text=f"<think> {state} </think> <search> {query} </search>",
        action="search",
        argument=query,
        info_text=info,
        calls=[Call(purpose="summary", context=[1], output=[2], text=text) for text in calls],
    )


def last(state, answer):
    text = f"<think> {state} </think> <answer> {answer} </answer>"
    return Turn(
        context=[1], output=[2], logprobs=[0.0], text=text, action="answer", argument=answer
    )


def play(*turns, questions=QUESTIONS, answers=()):
    trajectory = Trajectory(
        version=2,
        task_id="t",
        horizon=len(questions),
        system="s",
        policy="mem1",
        prompt=[1],
        turns=list(turns),
        end="answered",
        answers=list(answers),
    )
    return episode(trajectory, questions)


def seen(key, *turns, **given):
    """The turns at which the behaviour shows."""
    return [sighting.turn for sighting in DETECT[key](play(*turns, **given))]


# One memory slot per question


@pytest.mark.parametrize(
    "state",
    [
        "Q1: Alfred Hitchcock. Q2: the author is Frank Herbert, birthplace unknown.",
        "**Question 1** (film): Hitchcock\n**Question 2** (author): not found yet",
        "The first question is answered: Hitchcock. For the second question, I look for Herbert.",
        "1. Vertigo was directed by Hitchcock\n2. author of Dune: Frank Herbert",
    ],
)
def test_text_under_the_labels_of_two_questions_is_a_slot_each(state):
    turns = turn("", "Vertigo film"), turn(state, "Dune author"), last("", "x")
    assert seen("slots", *turns) == [2]


@pytest.mark.parametrize(
    "state",
    [
        "Q1: who directed the film Vertigo? Q2: in which city was the author of Dune born?",
        "done Q1 . open Q2 .",
        "Q1: Alfred Hitchcock.",
        "1. Search for the cast.\n2. Read the page.",
    ],
)
def test_labels_without_knowledge_of_two_questions_are_no_slots(state):
    turns = turn("", "Vertigo film"), turn(state, "Dune author"), last("", "x")
    assert seen("slots", *turns) == []


def test_answers_kept_in_their_order_are_slots_by_position():
    turns = (
        turn("none", "Vertigo", "Vertigo was directed by Alfred Hitchcock."),
        turn("answers Alfred Hitchcock", "Dune", "Dune is by Frank Herbert."),
        turn("answers Alfred Hitchcock Frank Herbert", "Frank Herbert", "Born in Tacoma."),
        last("answers Alfred Hitchcock Tacoma", "Alfred Hitchcock ; Tacoma"),
    )
    assert seen("slots", *turns, answers=("Alfred Hitchcock", "Frank Herbert")) == [3]


def test_two_answers_in_one_result_are_no_memory():
    turns = (
        turn("none", "Vertigo", "Alfred Hitchcock met Frank Herbert."),
        turn("Alfred Hitchcock met Frank Herbert", "Dune", "A novel."),
        last("", "Alfred Hitchcock ; Frank Herbert"),
    )
    assert seen("slots", *turns, answers=("Alfred Hitchcock", "Frank Herbert")) == []


def test_a_memory_that_a_call_wrote_counts_as_written():
    memory = "Q1: Alfred Hitchcock. Q2: unknown author."
    turns = turn("", "Vertigo film"), turn("", "Dune author", calls=[memory]), last("", "x")
    assert seen("slots", *turns) == [2]


# Moving on


def test_giving_up_after_two_searches_is_moving_on():
    turns = (
        turn("", "Vertigo film director", "A town in France."),
        turn("", "film Vertigo crew", "A band."),
        turn("I could not find the director of Vertigo. Next, Dune.", "Dune author"),
    )
    assert seen("moving_on", *turns) == [3]


def test_noting_nothing_of_the_last_result_is_moving_on():
    turns = (
        turn("none", "Vertigo film director", "A town in France."),
        turn("none", "film Vertigo crew", "Four musicians from Leeds."),
        turn("none", "Dune author"),
    )
    assert seen("moving_on", *turns) == [3]


def test_going_on_with_an_answer_is_not_moving_on():
    turns = (
        turn("", "Vertigo film director", "A town in France."),
        turn("", "film Vertigo crew", "Directed by Alfred Hitchcock."),
        turn("Vertigo: Alfred Hitchcock.", "Dune author"),
    )
    assert seen("moving_on", *turns) == []


def test_one_search_is_not_being_stuck():
    turns = turn("", "Vertigo film", "A town."), turn("Not found.", "Dune author")
    assert seen("moving_on", *turns) == []


# Folding


def test_a_name_that_was_found_and_is_searched_for_is_folded_in():
    turns = (
        turn("", "Dune author", "Dune is a novel by Frank Herbert."),
        turn("The author is Frank Herbert.", "Frank Herbert birthplace"),
    )
    assert seen("folding", *turns) == [2]


@pytest.mark.parametrize("query", ["author of Dune biography", "Vertigo film", "novel writer city"])
def test_words_of_questions_and_words_that_are_no_names_are_not_folded_in(query):
    turns = turn("", "Dune author", "Dune is a novel by Frank Herbert."), turn("", query)
    assert seen("folding", *turns) == []


def test_what_was_known_before_it_was_found_is_not_folded_in():
    turns = (
        turn("I recall that Herbert wrote it.", "Dune author", "By Frank Herbert."),
        turn("", "Herbert birthplace"),
    )
    assert seen("folding", *turns) == []


# Updating


def test_a_slot_that_changes_with_the_newest_result_is_an_update():
    turns = (
        turn("", "Dune author", "Dune is by Brian Herbert."),
        turn("Q1: open. Q2: Brian wrote it.", "Dune author", "Dune is by Frank Herbert."),
        turn("Q1: open. Q2: Frank wrote it.", "Frank Herbert"),
    )
    assert seen("updating", *turns) == [3]


def test_a_correction_with_a_word_of_the_newest_result_is_an_update():
    turns = (
        turn("Brian Herbert wrote it.", "Dune author", "Dune is by Frank Herbert."),
        turn("It was actually Frank who wrote it.", "Frank Herbert"),
    )
    assert seen("updating", *turns) == [2]


@pytest.mark.parametrize(
    "state",
    [
        "Q1: Alfred Hitchcock. Q2: Brian wrote it; Frank edited it.",  # added to, nothing replaced
        "Actually, let me search again.",  # no new word
        "The author is Frank.",  # a new fact, no correction
    ],
)
def test_adding_a_fact_is_no_update(state):
    turns = (
        turn("Q1: Alfred Hitchcock. Q2: Brian wrote it.", "Dune author", "By Frank Herbert."),
        turn(state, "Herbert"),
    )
    assert seen("updating", *turns) == []


# Verification


@pytest.mark.parametrize(
    "state",
    ["Let me verify that Hitchcock directed it.", "I need to double-check this.", "To make sure:"],
)
def test_a_search_to_check_is_verification(state):
    turns = turn("", "Vertigo film", "Directed by Hitchcock."), turn(state, "Hitchcock Vertigo")
    assert seen("verification", *turns) == [2]


def test_searching_an_answer_with_its_question_is_verification():
    turns = (
        turn("", "Vertigo film", "Directed by Hitchcock."),
        turn("Q1: Hitchcock.", "film Vertigo Hitchcock"),
        last("", "Hitchcock ; Tacoma"),
    )
    assert seen("verification", *turns, answers=("Hitchcock", "Tacoma")) == [2]


def test_confirmed_facts_and_checks_without_a_search_are_no_verification():
    turns = (
        turn("", "Vertigo film", "Directed by Hitchcock."),
        turn("Confirmed: Hitchcock.", "Dune author"),
        last("Let me verify: all is there.", "Hitchcock ; Tacoma"),
    )
    assert seen("verification", *turns, answers=("Hitchcock", "Tacoma")) == []


def test_going_on_from_an_answer_is_no_verification():
    turns = turn("", "Dune author", "By Frank Herbert."), turn("Herbert.", "Frank Herbert")
    assert seen("verification", *turns, answers=("x", "Frank Herbert")) == []


# Planning


@pytest.mark.parametrize(
    "state",
    [
        "I will first find the author, then the city.",
        "My plan: author, city.",
        "Let\u2019s start with Vertigo.",
        "We need to find the author before looking for the city.",
    ],
)
def test_an_order_of_what_is_to_be_done_is_a_plan(state):
    assert seen("planning", turn(state, "Dune author")) == [1]


@pytest.mark.parametrize(
    "state",
    [
        "done Q1 . open Q2 .",
        "I need to find the director.",
        "He first appeared in a film and then retired.",
        "I need to answer the first question.",
    ],
)
def test_one_intention_or_a_told_order_is_no_plan(state):
    assert seen("planning", turn(state, "Dune author")) == []


# Iterative search, broadening


def test_another_query_for_the_same_question_is_iterative():
    assert seen("iterative", turn("", "Dune author"), turn("", "who wrote Dune novel")) == [2]


@pytest.mark.parametrize("query", ["author Dune", "Vertigo film"])
def test_the_same_words_and_another_question_are_not_iterative(query):
    assert seen("iterative", turn("", "Dune author"), turn("", query)) == []


def test_a_query_with_fewer_words_is_broader():
    assert seen("broadening", turn("", "Dune author birth city"), turn("", "Dune author")) == [2]


@pytest.mark.parametrize("query", ["Dune novel", "Dune author birth city 1920", "the", "Vertigo"])
def test_other_words_more_words_and_no_words_are_not_broader(query):
    assert seen("broadening", turn("", "Dune author birth city"), turn("", query)) == []


# What detectors look at


def test_what_stands_around_the_action_is_written_where_nothing_thinks():
    text = "Thought: find the author.\nSearch: Dune author"
    one = turn("", "Dune author").model_copy(update={"text": text})
    assert play(one).steps[0].written == "Thought: find the author.\nSearch:"


def test_hints_tags_and_numbers_of_documents_are_not_found():
    found = content(play(turn("", "Dune", "Frank Herbert wrote it.")).steps[0].found)
    assert found == {"frank", "herbert", "wrote"}


def test_a_malformed_turn_searches_for_nothing():
    one = Turn(
        context=[1], output=[2], logprobs=[0.0], text="no", action="malformed", argument="why"
    )
    step = play(one).steps[0]
    assert (step.query, step.found, step.focus, step.written) == (None, "", None, "no")


@pytest.mark.parametrize(
    ("query", "before", "expected"),
    [
        ("Dune", None, 1),
        ("Frank Herbert", 1, 1),
        ("Frank Herbert", None, None),
        ("film Dune author", 0, 1),
    ],
)
def test_a_query_is_about_the_question_it_shares_most_words_with(query, before, expected):
    asked = [content(question) for question in QUESTIONS]
    common = {word: 1 for found in asked for word in found}
    assert focus(query, asked, common, before) == expected


def test_a_word_of_all_questions_tells_little():
    asked = [frozenset({"film", "director", "a"}), frozenset({"film", "director", "b"})]
    common = {"film": 2, "director": 2, "a": 1, "b": 1}
    assert focus("film director b", asked, common, 0) == 1


def test_names_are_capitalized_or_numbers():
    assert names("In 1965 the novel Dune by McHerbert") == {"1965", "dune", "mcherbert"}


def test_sentences_end_where_they_end():
    assert sentences("One. Two 3.5 four; five\nsix?") == ("One", "Two 3.5 four", "five", "six?")


def test_a_phrase_is_found_as_words_in_a_row():
    assert place("New York", "the new yorker of New York") == 4
    assert place("New York", "York New") == -1
    assert place("", "anything") == -1


@given(
    states=st.lists(st.text(max_size=60), min_size=1, max_size=4),
    query=st.text(min_size=1, max_size=30),
)
def test_any_text_is_looked_through(states, query):
    turns = [turn(state, query, state) for state in states]
    text = play(*turns, answers=(query, "x"))
    for behaviour in BEHAVIOURS:
        for sighting in behaviour.detect(text):
            assert 1 <= sighting.turn <= len(turns)
            assert len(sighting.quote) <= QUOTE
