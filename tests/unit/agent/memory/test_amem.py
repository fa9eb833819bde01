"""Agentic notes: made, linked, evolved and recalled."""

import json
from collections.abc import Callable

import pytest

from mem1.agent.context import Ask
from mem1.agent.memory.notes import (
    Description,
    Evolution,
    Note,
    Revision,
    evolved,
    read_description,
    read_evolution,
    recalled,
    remembered,
)
from mem1.config_systems import Policy
from mem1.records import Turn
from tests.unit.agent.memory.conftest import Bench, play, told

Make = Callable[[Policy, str], Bench]
ABOUT = Description(keywords=["Ada"], context="Ada likes red.", tags=["person"])


def described(about: Description = ABOUT) -> str:
    return f"<note> {about.model_dump_json()} </note>"


def turn() -> Turn:
    return Turn(context=[], output=[1], logprobs=[], text="t", action="search", argument="")


def notes(*links: tuple[int, ...]) -> dict[int, Note]:
    """Notes from 1 on with these links."""
    return {n: Note(n, turn(), ABOUT, to) for n, to in enumerate(links, start=1)}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "}{",
        "<think> Ada",
        "[]",
        '{"keywords": ["a"]}',
        '{"keywords": "a", "context": "c", "tags": []}',
        '{"keywords": [], "context": " ", "tags": ["t"]}',
        '{"keywords": [1], "context": "c", "tags": []}',
        described().removesuffix("} </note>"),
    ],
)
def test_a_description_that_is_none_is_not_taken_for_one(text: str) -> None:
    assert read_description(text) is None


def test_a_description_is_read_whatever_stands_around_it() -> None:
    assert read_description(f"Sure! {described()} Done.") == ABOUT
    assert read_evolution("<evolution> {} </evolution>") == Evolution()
    assert read_evolution('{"links": ["1"]}') is None


def test_a_new_note_is_linked_and_neighbours_are_revised() -> None:
    decision = Evolution(
        links=[2, 7, 2],
        tags=["colour"],
        revisions=[
            Revision(note=1, context="new", tags=["x"]),
            Revision(note=9, context="", tags=[]),
        ],
    )
    found = evolved(notes((), ()), Note(3, turn(), ABOUT), decision)
    assert found[3].links == (2,)  # 7 is no note
    assert found[3].description == ABOUT.model_copy(update={"tags": ["colour"]})
    assert found[1].description == Description(keywords=["Ada"], context="new", tags=["x"])
    assert (found[2].description, sorted(found)) == (ABOUT, [1, 2, 3])


def test_without_a_decision_nothing_evolves() -> None:
    before, new = notes((), ()), Note(3, turn(), ABOUT)
    assert evolved(before, new, None) == {**before, 3: new}
    silent = Note(3, turn())
    assert evolved(before, silent, Evolution(links=[1])) == {**before, 3: silent}


def test_links_bring_notes_along_up_to_the_number_shown() -> None:
    known = notes((), (), (1,), (3, 2))
    assert [n.number for n in recalled([4], known, 3)] == [2, 3, 4]
    assert [n.number for n in recalled([4, 1], known, 2)] == [3, 4]
    assert [n.number for n in recalled([2, 3], known, 9)] == [1, 2, 3]
    assert recalled([], known, 3) == []


def test_notes_are_what_the_records_of_calls_say(bench: Make) -> None:
    one = bench("amem", "instruct")
    turns = [
        one.turn(0),
        one.turn(1, [told(one.codec, "note", described())]),
        one.turn(2, [told(one.codec, "note", "rubbish", malformed=True)]),
        one.turn(
            3,
            [
                told(one.codec, "note", described()),
                told(one.codec, "evolve", '{"links": [1], "revisions": [], "tags": null}'),
            ],
        ),
    ]
    found = remembered(turns)
    assert {n: (note.description, note.links) for n, note in found.items()} == {
        1: (ABOUT, ()),
        2: (None, ()),
        3: (ABOUT, (1,)),
    }
    assert [found[n].turn for n in (1, 2, 3)] == turns[:3]


def test_each_turn_is_noted_and_from_the_second_on_linked(bench: Make) -> None:
    one = bench("amem", "instruct")
    first, note = one.turn(0), told(one.codec, "note", described())
    context, [ask] = play(one.policy, one.prompt, [first], lambda _: described())
    assert context == one.prompt + first.output + first.info
    assert ask.context[: len(context)] == context
    assert (ask.purpose, ask.stop, ask.max_new_tokens) == ("note", ("</note>",), 300)
    turns = [first, one.turn(1, [note])]
    _, asks = play(one.policy, one.prompt, turns, lambda _: described())
    assert [ask.purpose for ask in asks] == ["note", "evolve"]
    text = one.codec.decode(asks[1].context)
    assert text.startswith(one.codec.decode(one.prompt))
    assert text.index("My note 1: Ada likes red.") < text.index("My note 2: Ada likes red.")
    assert "<|im_start|>user\nDo not go on with the task yet: put the note" in text


def test_a_context_is_the_question_the_notes_and_the_newest_turn(bench: Make) -> None:
    one = bench("amem", "instruct")
    note = told(one.codec, "note", described())
    turns = [one.turn(0), one.turn(1, [note]), one.turn(2, [note]), one.turn(3, [note])]

    def answer(ask: Ask) -> str:
        revision = {"note": 1, "context": "new", "tags": ["x"]}
        decision = {"links": [2], "tags": ["y"], "revisions": [revision]}
        return described() if ask.purpose == "note" else json.dumps(decision)

    context, _ = play(one.policy, one.prompt, turns, answer)
    header = "\n<note>\nMy note {}: {}\nKeywords: Ada\nTags: {}\nBelongs with: none\n</note>\n"
    # Turn 4 is about Ada again, as turn 1 was; it is linked to 2; two notes are shown.
    shown = [
        *one.codec.encode(header.format(1, "new", "x")),
        *(turns[0].output + turns[0].info),
        *one.codec.encode(header.format(2, "Ada likes red.", "person")),
        *(turns[1].output + turns[1].info),
    ]
    assert context == one.prompt + shown + turns[3].output + turns[3].info


def test_a_malformed_note_is_the_turn_alone_and_costs_one_call(bench: Make) -> None:
    one = bench("amem", "mem1")
    lost = told(one.codec, "note", "<think> Ada </think>", malformed=True)
    turns = [one.turn(0), one.turn(1, [lost]), one.turn(2, [lost]), one.turn(3, [lost])]
    context, asks = play(one.policy, one.prompt, turns, lambda _: "<think> Ada </think>")
    assert [ask.purpose for ask in asks] == ["note"]
    ids = [each.output + each.info for each in turns]
    assert context in (
        one.prompt + ids[0] + ids[1] + ids[3],
        one.prompt + ids[0] + ids[2] + ids[3],
    )


def test_the_turn_most_like_the_newest_is_recalled(bench: Make) -> None:
    one = bench("amem", "mem1")
    lost = told(one.codec, "note", "x", malformed=True)
    turns = [one.turn(0), *(one.turn(n, [lost]) for n in (1, 1, 1, 1, 1, 0))]
    context, _ = play(one.policy, one.prompt, turns, lambda _: "x")
    first = one.prompt + turns[0].output + turns[0].info
    assert context[: len(first)] == first


def test_the_policy_says_what_finds_its_notes(bench: Make) -> None:
    assert bench("amem", "mem1").policy.facts == {"notes_found_by": "tf-idf of words"}
    assert bench("summary", "mem1").policy.facts == {}
