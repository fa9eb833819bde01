"""The loop of turns, driven by engines that do as they are told."""

from collections.abc import Callable, Sequence

import pytest

from mem1.agent import protocol
from mem1.agent.context import policy
from mem1.agent.engines.base import Output, Sampling
from mem1.agent.formats.catalogue import FORMATS
from mem1.agent.formats.short import SHORT
from mem1.agent.rollout import rollout, scored
from mem1.agent.text import Codec
from mem1.config import Agent
from mem1.envs.base import Observation, Request
from mem1.errors import InputError
from mem1.records import Task, Trajectory
from mem1.train.collect import rewards, statistics

SEARCH = "<think> Ada </think> <search> Ada </search>"
BAD = "<think> Ada </think> Ada"
Script = Callable[[list[int]], str]


class Told:
    """Writes what ``script`` says for a context; remembers calls."""

    def __init__(self, codec: Codec, script: Script) -> None:
        self.codec, self.script = codec, script
        self.calls: list[tuple[list[list[int]], list[int]]] = []

    def generate(
        self, contexts: Sequence[Sequence[int]], sampling: Sampling, seeds: Sequence[int]
    ) -> list[Output]:
        self.calls.append(([list(c) for c in contexts], list(seeds)))
        texts = [self.script(list(context)) for context in contexts]
        ids = [self.codec.encode(text) for text in texts]
        return [Output(i, [-0.5] * len(i), t) for i, t in zip(ids, texts, strict=True)]


class Echo:
    """Answers each action with its turns left and its argument."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.calls: list[list[Request]] = []

    def begin(self, task: Task) -> None:
        """Nothing changes."""

    def step(self, requests: Sequence[Request]) -> list[Observation]:
        self.calls.append(list(requests))
        texts = [f"{protocol.INFO} {r.turns_left} {protocol.END_INFO}" for r in requests]
        return [Observation(self.codec.encode(text), text, ["p"]) for text in texts]


def run(
    tasks: list[Task],
    script: Script,
    codec: Codec,
    agent: Agent,
    name: str = "mem1",
    samples: Sequence[int] = (0,),
    batch: int = 64,
    **options: bool,
) -> tuple[list[Trajectory], Told, Echo]:
    engine, echo = Told(codec, script), Echo(codec)
    trajectories = rollout(
        tasks,
        engine,
        policy(name, agent),  # type: ignore[arg-type]
        echo,
        codec,
        agent,
        Sampling(1.0, agent.max_new_tokens),
        prompt=SHORT["mem1"],
        system="s",
        seed=7,
        samples=samples,
        batch=batch,
        progress=False,
        **options,
    )
    return trajectories, engine, echo


def answer_when(codec: Codec, text: str, final: str) -> Script:
    """Search until ``text`` stands in the context, then answer."""
    wanted = codec.encode(text)
    answer = f"<think> Ada </think> <answer> {final} </answer>"

    def script(context: list[int]) -> str:
        spans = (context[i : i + len(wanted)] for i in range(len(context)))
        return answer if wanted in spans else SEARCH

    return script


def test_an_answer_ends_the_trajectory_and_is_split(
    words: Codec, agent: Agent, tasks: list[Task]
) -> None:
    script = answer_when(words, "<information> 2", "blue ; green")
    [done], _, _ = run([tasks[1]], script, words, agent)
    assert [t.action for t in done.turns] == ["search", "search", "answer"]
    assert (done.end, done.answers) == ("answered", ["blue", "green"])
    assert done.turns[-1].info == []
    assert scored(done, tasks[1]).score.em == 2.0  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["mem1", "full", "truncate"])
def test_each_context_is_what_the_policy_makes_of_the_turns_before(
    name: str, words: Codec, agent: Agent, tasks: list[Task]
) -> None:
    done, _, _ = run(tasks, lambda _: SEARCH, words, agent, name)
    chosen = policy(name, agent)  # type: ignore[arg-type]
    for trajectory in done:
        for number, turn in enumerate(trajectory.turns):
            assert turn.context == chosen.context(trajectory.prompt, trajectory.turns[:number])


def test_the_last_allowed_turn_gets_no_observation(
    words: Codec, agent: Agent, tasks: list[Task]
) -> None:
    [done], _, echo = run([tasks[0]], lambda _: SEARCH, words, agent)
    assert (done.end, len(done.turns), done.answers) == ("turns", 3, [])
    assert [bool(turn.info) for turn in done.turns] == [True, True, False]
    assert [r.turns_left for call in echo.calls for r in call] == [2, 1]
    assert scored(done, tasks[0]).score.zero == "format"  # type: ignore[union-attr]


def test_a_malformed_output_costs_a_turn_and_is_observed(
    words: Codec, agent: Agent, tasks: list[Task]
) -> None:
    [done], _, echo = run([tasks[0]], lambda _: BAD, words, agent)
    assert [turn.action for turn in done.turns] == ["malformed"] * 3
    assert [r.action.kind for call in echo.calls for r in call] == ["malformed"] * 2


def test_a_malformed_output_ends_the_trajectory_where_asked(
    words: Codec, agent: Agent, tasks: list[Task]
) -> None:
    def script(context: list[int]) -> str:
        return BAD if words.encode("<information> 2")[-1] in context else SEARCH

    [done], _, echo = run([tasks[0]], script, words, agent, end_on_malformed=True)
    assert [turn.action for turn in done.turns] == ["search", "malformed"]
    assert (done.end, done.answers, done.turns[-1].info) == ("format", [], [])
    assert [len(call) for call in echo.calls] == [1]


@pytest.mark.parametrize(("ends", "reward"), [(True, -1.0), (False, 0.0)])
def test_a_malformed_end_scores_zero_and_costs_a_reward_of_minus_one(
    ends: bool, reward: float, words: Codec, agent: Agent, tasks: list[Task]
) -> None:
    [done], _, _ = run([tasks[0]], lambda _: BAD, words, agent, end_on_malformed=ends)
    final = scored(done, tasks[0])
    assert final.score is not None
    assert (final.score.em, final.score.zero) == (0.0, "format")
    assert rewards([final]).tolist() == [reward]


def test_statistics_tell_the_reward_from_exact_matches(
    words: Codec, agent: Agent, tasks: list[Task]
) -> None:
    right = f"<think> Ada </think> <answer> {tasks[0].questions[0].golds[0]} </answer>"
    texts = iter([right, BAD])
    played, _, _ = run(
        [tasks[0]], lambda _: next(texts), words, agent, samples=[0, 1], end_on_malformed=True
    )
    got = statistics([scored(one, tasks[0]) for one in played])
    assert (got["reward"], got["em"], got["malformed_ends"]) == (0.0, 0.5, 0.5)


def test_done_trajectories_leave_and_the_next_take_their_place(
    words: Codec, agent: Agent, tasks: list[Task]
) -> None:
    done, engine, _ = run(tasks, lambda _: SEARCH, words, agent, batch=2)
    assert [len(contexts) for contexts, _ in engine.calls] == [2, 2, 2, 2, 1, 1, 1, 1, 1]
    assert [t.task_id for t in done] == ["one", "two", "three"]


def test_observations_of_a_step_are_one_call(words: Codec, agent: Agent, tasks: list[Task]) -> None:
    _, _, echo = run(tasks, lambda _: SEARCH, words, agent)
    assert [len(call) for call in echo.calls] == [3, 3, 2, 1, 1]


def test_seeds_belong_to_task_sample_and_turn(
    words: Codec, agent: Agent, tasks: list[Task]
) -> None:
    def seeds(batch: int, samples: Sequence[int]) -> list[int]:
        _, engine, _ = run(tasks, lambda _: SEARCH, words, agent, samples=samples, batch=batch)
        return [seed for _, used in engine.calls for seed in used]

    together, alone = seeds(64, [0, 1]), seeds(1, [0, 1])
    assert sorted(together) == sorted(alone)
    assert len(set(alone)) == len(alone) == 2 * (3 + 4 + 6)
    assert set(seeds(64, [1])) < set(together)


def test_results_are_in_the_order_of_tasks_then_samples(
    words: Codec, agent: Agent, tasks: list[Task]
) -> None:
    done, _, _ = run(tasks[:2], lambda _: SEARCH, words, agent, samples=[4, 2])
    assert [(t.task_id, t.sample) for t in done] == [("one", 4), ("one", 2), ("two", 4), ("two", 2)]


def test_a_full_history_without_room_ends_as_recorded(
    words: Codec, agent: Agent, tasks: list[Task]
) -> None:
    prompt = len(words.encode(protocol.prompt_text(["what is Ada ?"], "mem1")))
    turn = len(words.encode(SEARCH)) + 3
    room = agent.model_copy(update={"max_context": prompt + turn + agent.max_new_tokens})
    [done], _, _ = run([tasks[0]], lambda _: SEARCH, words, room, "full")
    assert (done.end, len(done.turns)) == ("context", 2)
    assert len(done.turns[1].context) == prompt + turn


def test_a_prompt_without_room_is_refused_before_any_work(
    words: Codec, agent: Agent, tasks: list[Task]
) -> None:
    def script(_: list[int]) -> str:
        raise AssertionError("the engine was called")

    longest = len(words.encode(protocol.prompt_text([q.text for q in tasks[2].questions], "mem1")))
    most = longest + 2 * agent.max_new_tokens + agent.max_info
    tight = agent.model_copy(update={"max_context": most - 1})
    with pytest.raises(InputError, match=rf"agent\.max_context is {most - 1}"):
        run(tasks, script, words, tight)


def test_seconds_of_turns_add_up_to_those_of_the_trajectory(
    words: Codec, agent: Agent, tasks: list[Task]
) -> None:
    for done in run(tasks, lambda _: SEARCH, words, agent)[0]:
        assert done.seconds == pytest.approx(sum(turn.seconds for turn in done.turns))
        assert done.seconds > 0


CALL = '<think>a</think><tool_call>{"name": "web_search", "arguments": {"query": ["x", "y"]}}'


@pytest.mark.parametrize(
    ("name", "search", "queries"),
    [
        ("search-r1", "<search>x</search>", ("x",)),
        ("instruct", "<think>a</think><search>x</search>", ("x",)),
        ("deepresearcher", f"{CALL}</tool_call>", ("x", "y")),
    ],
)
def test_the_form_decides_how_the_agent_is_read_and_answered(
    name: str, search: str, queries: tuple[str, ...], chatting: Codec, tasks: list[Task]
) -> None:
    form = next(one for known, one in FORMATS.items() if known == name)
    texts = iter([search, "Ada", "<think>a</think><answer>blue; green</answer>"])
    engine, echo = Told(chatting, lambda _: next(texts)), Echo(chatting)
    limits = Agent(max_context=9000, max_new_tokens=200, max_info=200, truncate_budget=200)
    samplings: list[Sampling] = []
    generate = engine.generate

    def remember(
        contexts: Sequence[Sequence[int]], sampling: Sampling, seeds: Sequence[int]
    ) -> list[Output]:
        samplings.append(sampling)
        return generate(contexts, sampling, seeds)

    engine.generate = remember  # type: ignore[method-assign]
    [done] = rollout(
        [tasks[1]],
        engine,
        policy("full", limits),
        echo,
        chatting,
        limits,
        Sampling(1.0, 200),
        prompt=form,
        system="s",
        seed=7,
        progress=False,
    )
    assert [turn.action for turn in done.turns] == ["search", "malformed", "answer"]
    assert done.answers == ["blue", "green"]
    assert {sampling.stop for sampling in samplings} == {form.stop}
    assert done.prompt == form.prompt(tasks[1], chatting)
    [[first], [second]] = echo.calls
    assert first.action.searches == queries
    assert (first.form, second.form) == (form, form)
