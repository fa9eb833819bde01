"""The scripted solver solves every task, and goes wrong exactly as configured."""

from random import Random

import pytest

from mem1.agent.rollout import scored
from mem1.config_learning import Imperfections
from mem1.tasks.atlas import World
from mem1.tasks.atlas_solver import PERFECT
from mem1.train.demonstrations import mixed_tasks
from tests.unit.train.conftest import TURNS


def play(teach, world: World, policy: str, imperfections: Imperfections = PERFECT):
    tasks = mixed_tasks(world.questions, [1, 2, 3], TURNS, Random(0), count=40)
    played = teach(policy, imperfections).play(tasks, seed=5)
    return tasks, [scored(one, task) for one, task in zip(played, tasks, strict=True)]


@pytest.mark.parametrize("policy", ["mem1", "full"])
def test_perfect_solver_answers_everything(teach, world: World, policy: str) -> None:
    tasks, played = play(teach, world, policy)

    assert [one.score.em for one in played] == [task.horizon for task in tasks]
    for one, task in zip(played, tasks, strict=True):
        assert len(one.turns) == 1 + sum(q.hops for q in task.questions)


def test_state_holds_all_answers_so_far(teach, world: World) -> None:
    tasks, played = play(teach, world, "mem1")
    for one, task in zip(played, tasks, strict=True):
        golds = [question.golds[0] for question in task.questions]
        state = one.turns[-1].text.split("answers ")[1].split("</think>")[0]
        assert state.strip(" .") == " ".join(golds)


@pytest.mark.parametrize(
    ("name", "zero"),
    [("early_stop", "count"), ("forgotten_fact", "count"), ("early_answer", "none")],
)
def test_imperfections_cost_what_they_should(teach, world: World, name: str, zero: str) -> None:
    sure = PERFECT.model_copy(update={name: 1.0})
    tasks, played = play(teach, world, "mem1", sure)
    hit = [
        one
        for one, task in zip(played, tasks, strict=True)
        if (task.horizon > 1 if zero == "count" else any(q.hops == 2 for q in task.questions))
    ]

    assert hit
    assert all(one.score.em < one.horizon and one.score.zero == zero for one in hit)


def test_wrong_queries_cost_turns_but_not_answers(teach, world: World) -> None:
    slips = PERFECT.model_copy(update={"wrong_query": 0.2})
    tasks, played = play(teach, world, "full", slips)
    needed = sum(1 + sum(q.hops for q in task.questions) for task in tasks)
    answered = [one for one in played if one.end == "answered"]

    assert sum(len(one.turns) for one in played) > needed
    assert len(answered) >= 35
    assert all(one.score.em == one.horizon for one in answered)


def test_same_seed_same_demonstrations(teach, world: World) -> None:
    slips = Imperfections(wrong_query=0.2, early_answer=0.2, forgotten_fact=0.1, early_stop=0.1)
    first, second = (play(teach, world, "mem1", slips)[1] for _ in range(2))

    assert [[t.output for t in one.turns] for one in first] == [
        [t.output for t in one.turns] for one in second
    ]
