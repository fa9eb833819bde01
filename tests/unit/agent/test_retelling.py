"""A trajectory told in another tokenizer, form and view is one that the loop would have made."""

import pytest

from mem1.agent import context
from mem1.agent.engines.base import Sampling
from mem1.agent.engines.oracle_reader import OracleReader
from mem1.agent.formats.base import Format
from mem1.agent.formats.instruct import Instruct
from mem1.agent.formats.short import SHORT
from mem1.agent.retelling import retold
from mem1.agent.rollout import rollout, scored
from mem1.agent.text import Codec
from mem1.config import Agent
from mem1.config_retrieval import Retrieval
from mem1.config_systems import Policy
from mem1.envs.search import SearchEnvironment
from mem1.records import Passage, Task, Trajectory, Turn
from mem1.retrieval import bm25
from mem1.tasks.atlas_solver import squeeze

PAGES = bm25.in_memory(
    [
        Passage(id=name, title=name, text=f"{name} likes {color}.")
        for name, color in (("Ada", "red"), ("Bo", "blue"), ("Cy", "green"))
    ],
    Retrieval(k=2, k1=1.5, b=0.75),
)
WIDE = Agent(max_context=4000, max_new_tokens=400, max_info=400, truncate_budget=400)
NARROW = Agent(max_context=400, max_new_tokens=40, max_info=60, truncate_budget=60)


def play(tasks: list[Task], codec: Codec, policy: Policy = "mem1") -> list[Trajectory]:
    played = rollout(
        tasks,
        OracleReader(tasks, "mem1", codec),
        context.policy(policy, WIDE),
        SearchEnvironment(PAGES, 2, WIDE, codec),
        codec,
        WIDE,
        Sampling(0.0, WIDE.max_new_tokens),
        prompt=SHORT["mem1"],
        system="teacher",
        seed=0,
        progress=False,
    )
    return [scored(one, task) for one, task in zip(played, tasks, strict=True)]


def tell(
    one: Trajectory, task: Task, codec: Codec, form: Format = SHORT["mem1"], agent: Agent = NARROW
) -> Trajectory | None:
    environment = SearchEnvironment(PAGES, 2, agent, codec)
    return retold(one, task, form, context.policy("mem1", agent), environment, codec, agent)


def test_words_stay_and_the_rest_is_the_students(
    tasks: list[Task], words: Codec, characters: Codec
) -> None:
    for one, task in zip(play(tasks, characters), tasks, strict=True):
        told = tell(one, task, words)
        assert told is not None
        assert told.score == one.score
        assert one.score is not None
        assert one.score.em == task.horizon
        assert told.prompt == SHORT["mem1"].prompt(task, words)
        policy = context.policy("mem1", NARROW)
        for number, (turn, said) in enumerate(zip(told.turns, one.turns, strict=True)):
            assert squeeze(turn.text) == squeeze(said.text)
            assert turn.output == words.encode(said.text)
            assert turn.context == policy.context(told.prompt, told.turns[:number])
            assert turn.logprobs == []


def test_an_output_that_is_too_long_for_the_student_is_not_told(
    tasks: list[Task], words: Codec, characters: Codec
) -> None:
    [one] = play(tasks[:1], words)
    assert tell(one, tasks[0], words, agent=WIDE) is not None
    longest = max(len(characters.encode(turn.text)) for turn in one.turns)
    enough = WIDE.model_copy(update={"max_new_tokens": longest})
    short = WIDE.model_copy(update={"max_new_tokens": longest - 1})
    assert tell(one, tasks[0], characters, agent=enough) is not None
    assert tell(one, tasks[0], characters, agent=short) is None


def spoken(task: Task, *texts: tuple[str, str]) -> Trajectory:
    """A trajectory with these texts and the actions that the teacher's form took them for."""
    turns = [
        Turn(context=[1], output=[1], logprobs=[], text=text, action=action, argument="x")  # type: ignore[arg-type]
        for text, action in texts
    ]
    return Trajectory(
        task_id=task.id, horizon=task.horizon, system="teacher", policy="mem1", prompt=[1],
        turns=turns, end="answered",
    )  # fmt: skip


@pytest.mark.parametrize(
    "texts",
    [
        [("<answer> red </answer>", "answer")],  # no state: an action for models of others only
        [("<think> red </think> <search> Ada </search>", "search")],  # more was to come
        [("<think> red </think> <answer> red </answer>", "answer")] * 2,
        [("", "malformed")],
    ],
)
def test_what_means_something_else_to_the_student_is_not_told(
    texts: list[tuple[str, str]], tasks: list[Task], words: Codec
) -> None:
    assert tell(spoken(tasks[0], *texts), tasks[0], words) is None


def test_a_teacher_may_have_been_told_at_length_what_to_do(tasks: list[Task], words: Codec) -> None:
    text = "<think> Ada likes red </think> <answer> red </answer>"
    assert Instruct().parse(text).kind == "answer"
    told = tell(spoken(tasks[0], (text, "answer")), tasks[0], words)
    assert told is not None
    assert (told.answers, told.end) == (["red"], "answered")
