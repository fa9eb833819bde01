"""The oracle reader: what it finds, what it carries, what it gives up."""

from collections.abc import Sequence

import pytest

from mem1.agent import protocol
from mem1.agent.context import policy
from mem1.agent.engines.base import Sampling
from mem1.agent.engines.oracle_reader import OracleReader
from mem1.agent.formats.short import SHORT
from mem1.agent.rollout import rollout, scored
from mem1.agent.text import Codec
from mem1.config import Agent
from mem1.config_systems import Policy
from mem1.envs.search import SearchEnvironment
from mem1.errors import InputError
from mem1.records import Passage, Question, Task, Trajectory
from mem1.retrieval.base import Hit

PAGES = {
    "Ada": Passage(id="a", title="Ada", text="Ada likes red."),
    "Bo": Passage(id="b", title="Bo", text="Bo likes green."),  # not the gold
    "Cy": Passage(id="c", title="Cy", text="Cy likes green."),
}


class Pages:
    """Finds the page whose title stands in the query."""

    digest = "pages"

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        return [[Hit(p, 1.0) for name, p in PAGES.items() if name in q] for q in queries]


@pytest.fixture(params=["words", "characters"])
def codec(request: pytest.FixtureRequest) -> Codec:
    return request.getfixturevalue(request.param)


def play(tasks: list[Task], codec: Codec, name: Policy, kind: str) -> list[Trajectory]:
    limits = Agent(max_context=4000, max_new_tokens=200, max_info=400, truncate_budget=600)
    return rollout(
        tasks,
        OracleReader(tasks, kind, codec),  # type: ignore[arg-type]
        policy(name, limits),
        SearchEnvironment(Pages(), 3, limits, codec),
        codec,
        limits,
        Sampling(0.0, 200),
        prompt=SHORT[kind],  # type: ignore[index]
        system="oracle",
        seed=0,
        progress=False,
    )


@pytest.mark.parametrize(
    ("name", "kind"), [("mem1", "mem1"), ("truncate", "mem1"), ("full", "full")]
)
def test_it_answers_what_its_searches_return(
    codec: Codec, tasks: list[Task], name: Policy, kind: str
) -> None:
    done = play(tasks, codec, name, kind)
    assert [t.answers for t in done] == [["red"], ["unknown", "green"], ["green", "red", "unknown"]]
    assert [len(t.turns) for t in done] == [2, 3, 4]
    scores = [scored(t, task).score for t, task in zip(done, tasks, strict=True)]
    assert [s.question_em for s in scores if s] == [[1.0], [0.0, 1.0], [1.0, 1.0, 0.0]]


def test_it_searches_each_question_with_its_own_text(codec: Codec, tasks: list[Task]) -> None:
    [done] = play([tasks[1]], codec, "mem1", "mem1")
    assert [t.argument for t in done.turns[:2]] == ["what is Bo ?", "what is Cy ?"]


def test_under_mem1_its_state_carries_the_answers(codec: Codec, tasks: list[Task]) -> None:
    [done] = play([tasks[2]], codec, "mem1", "mem1")
    states = [turn.text.partition("</think>")[0] for turn in done.turns]
    assert [state.count(";") for state in states] == [0, 0, 1, 2]
    assert "green ; red" in states[2]


def test_it_has_no_memory_but_its_context(codec: Codec, tasks: list[Task]) -> None:
    [done] = play([tasks[2]], codec, "mem1", "mem1")
    fresh = OracleReader(tasks, "mem1", codec)
    for turn in reversed(done.turns):
        [output] = fresh.generate([turn.context], Sampling(0.0, 200), [0])
        assert output.ids == turn.output


def test_a_wrong_prompt_wording_for_the_policy_loses_the_answers(
    codec: Codec, tasks: list[Task]
) -> None:
    [done] = play([tasks[2]], codec, "mem1", "full")
    assert done.end == "turns"  # it counts the infos it sees, and sees one at most


def test_an_output_over_the_limit_is_refused(codec: Codec, tasks: list[Task]) -> None:
    prompt = codec.encode(protocol.prompt_text(["what is Ada ?"], "mem1"))
    with pytest.raises(InputError, match=r"agent\.max_new_tokens is 8"):
        OracleReader(tasks, "mem1", codec).generate([prompt], Sampling(0.0, 8), [0])


def test_two_tasks_with_one_prompt_need_the_same_golds(codec: Codec, tasks: list[Task]) -> None:
    other = Question(id="x", text="what is Ada ?", golds=["blue"], source="test")
    twin = tasks[0].model_copy(update={"id": "twin", "questions": [other]})
    OracleReader([tasks[0], tasks[0]], "mem1", codec)
    with pytest.raises(InputError, match="twin"):
        OracleReader([tasks[0], twin], "mem1", codec)


def test_a_form_that_it_does_not_write_is_named(words: Codec, tasks: list[Task]) -> None:
    with pytest.raises(InputError, match="mem1 and full, not in instruct"):
        OracleReader(tasks, "instruct", words)
