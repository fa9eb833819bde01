"""The loop of turns, for training, evaluation, baselines and demonstrations alike.

    context = policy.context(prompt, turns)     token ids
    output  = engine.generate(context)          sampled ids and their log-probs
    action  = protocol.parse(output)            search | answer | malformed
    info    = environment.step(action)          hint and passages

Up to ``batch`` trajectories run together; one that is done makes room for the next. Random
numbers belong to (task, sample, turn), so a trajectory does not depend on its neighbours.

Departures from the paper: a malformed output costs a turn and is told so, instead of ending
the trajectory (``end_on_malformed`` ends it, for the paper's ablation); a search on the last
allowed turn is not carried out.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tqdm import tqdm

from mem1.agent import protocol
from mem1.agent.context import ContextPolicy, full_context
from mem1.agent.engines.base import Engine, Output, Sampling
from mem1.agent.text import Codec
from mem1.config import Agent
from mem1.envs.base import Environment, Observation, Request
from mem1.records import End, Task, Trajectory, Turn
from mem1.seeding import derive
from mem1.tasks.scoring import score


@dataclass
class _Live:
    """A trajectory under way."""

    number: int  # place in the result
    task: Task
    sample: int
    prompt: list[int]
    turns: list[Turn] = field(default_factory=list)


def rollout(
    tasks: Sequence[Task],
    engine: Engine,
    policy: ContextPolicy,
    environment: Environment,
    codec: Codec,
    agent: Agent,
    sampling: Sampling,
    *,
    prompt: protocol.PromptKind,
    system: str,
    seed: int,
    samples: Sequence[int] = (0,),
    batch: int = 64,
    end_on_malformed: bool = False,
    progress: bool = True,
    on_done: Callable[[Trajectory], None] | None = None,
) -> list[Trajectory]:
    """Run each task once for each number in ``samples``; the caller scores.

    Returns trajectories in the order of ``tasks``, and for each task in that of ``samples``.
    They end with ``answered``, with ``turns`` when the budget of the task is used up, with
    ``context`` when no room is left for another turn (policy ``full`` only), or, if
    ``end_on_malformed``, with ``format`` at the first malformed output.

    A turn's ``seconds`` are the wall time of the step it was part of divided by the number of
    trajectories in that step, so they add up to the wall time of the whole rollout.
    ``on_done`` is called with each trajectory as soon as it is finished.

    Raises:
        InputError: a prompt leaves no room for a turn.
    """
    waiting = [
        _Live(task_number * len(samples) + sample_number, task, sample, ids)
        for task_number, task in enumerate(tasks)
        for ids in [codec.encode(task_prompt(task, prompt))]
        for sample_number, sample in enumerate(samples)
    ]
    for each in waiting:
        policy.context(each.prompt, [])  # refuses a prompt that does not fit, before any work
    final: dict[str, End] = {"answer": "answered"}
    if end_on_malformed:
        final["malformed"] = "format"
    done: list[Trajectory | None] = [None] * len(waiting)
    waiting.reverse()
    live: list[_Live] = []
    played = 0
    with tqdm(total=len(waiting), desc=system, unit="task", disable=not progress) as bar:
        while waiting or live:
            while waiting and len(live) < batch:
                live.append(waiting.pop())
            started = time.perf_counter()
            contexts = [policy.context(each.prompt, each.turns) for each in live]
            outputs = engine.generate(contexts, sampling, [_seed(each, seed) for each in live])
            actions = [protocol.parse(output.text) for output in outputs]
            infos = _observe(live, actions, environment, final)
            seconds = (time.perf_counter() - started) / len(live)
            staying = []
            for i, each in enumerate(live):
                turn = _turn(contexts[i], outputs[i], actions[i], infos[i], seconds)
                each.turns.append(turn)
                end = _end(each, policy, agent, final)
                if end is None:
                    staying.append(each)
                    continue
                trajectory = _trajectory(each, end, policy, system)
                done[each.number] = trajectory
                if on_done is not None:
                    on_done(trajectory)
                bar.update()
            live = staying
            played += len(contexts)
            bar.set_postfix(turns=played)
    return [trajectory for trajectory in done if trajectory is not None]


def task_prompt(task: Task, kind: protocol.PromptKind) -> str:
    """The prompt of ``task``, as text."""
    return protocol.prompt_text([question.text for question in task.questions], kind, task.first)


def scored(trajectory: Trajectory, task: Task) -> Trajectory:
    """``trajectory`` with the score of its answer; none was given unless it ended with one."""
    answers = trajectory.answers if trajectory.end == "answered" else None
    golds = [question.golds for question in task.questions]
    return trajectory.model_copy(update={"score": score(answers, golds)})


def _seed(each: _Live, seed: int) -> int:
    return derive(seed, "sampling", each.task.id, each.sample, len(each.turns))


def _observe(
    live: Sequence[_Live],
    actions: Sequence[protocol.Action],
    environment: Environment,
    final: Mapping[str, End],
) -> list[Observation | None]:
    """What follows each action: None for a ``final`` one, and on the last allowed turn."""
    requests = {
        i: Request(each.task, left, action)
        for i, (each, action) in enumerate(zip(live, actions, strict=True))
        if (left := each.task.max_turns - len(each.turns) - 1) > 0 and action.kind not in final
    }
    observed = environment.step(list(requests.values())) if requests else []
    infos = dict(zip(requests, observed, strict=True))
    return [infos.get(i) for i in range(len(live))]


def _turn(
    context: list[int],
    output: Output,
    action: protocol.Action,
    info: Observation | None,
    seconds: float,
) -> Turn:
    return Turn(
        context=context,
        output=output.ids,
        logprobs=output.logprobs,
        text=output.text,
        action=action.kind,
        argument=action.argument,
        info=info.ids if info else [],
        info_text=info.text if info else "",
        passages=info.passages if info else [],
        seconds=seconds,
    )


def _end(each: _Live, policy: ContextPolicy, agent: Agent, final: Mapping[str, End]) -> End | None:
    """Why the trajectory ends after its newest turn; None if it goes on."""
    if each.turns[-1].action in final:
        return final[each.turns[-1].action]
    if len(each.turns) == each.task.max_turns:
        return "turns"
    if policy.name == "full" and full_context(policy.context(each.prompt, each.turns), agent):
        return "context"
    return None


def _trajectory(each: _Live, end: End, policy: ContextPolicy, system: str) -> Trajectory:
    answered = end == "answered"
    return Trajectory(
        task_id=each.task.id,
        horizon=each.task.horizon,
        system=system,
        policy=policy.name,
        sample=each.sample,
        prompt=each.prompt,
        turns=each.turns,
        end=end,
        answers=protocol.split_answers(each.turns[-1].argument) if answered else [],
        seconds=sum(turn.seconds for turn in each.turns),
    )
