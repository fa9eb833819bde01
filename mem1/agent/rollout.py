"""The loop of turns, for training, evaluation, baselines and demonstrations alike.

    context = policy.recall(prompt, turns)      token ids; a memory takes calls of the engine
    output  = engine.generate(context)          sampled ids and their log-probs
    action  = form.parse(output)                search | answer | act | malformed
    info    = environment.step(action)          hint and passages, or a page

Up to ``batch`` trajectories run together; one that is done makes room for the next. Random
numbers belong to (task, sample, turn), so a trajectory does not depend on its neighbours.

Departures from the paper: a malformed output costs a turn and is told so, instead of ending
the trajectory (``end_on_malformed`` ends it, for the paper's ablation); a search on the last
allowed turn is not carried out, as nobody would see what it finds. An action that changes
something is: a purchase on the last turn counts.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from tqdm import tqdm

from mem1.agent import calls
from mem1.agent.calls import Live
from mem1.agent.context import ContextPolicy, full_context
from mem1.agent.engines.base import Engine, Sampling
from mem1.agent.formats.base import Format
from mem1.agent.protocol import Action
from mem1.agent.text import Codec
from mem1.config import Agent
from mem1.envs.base import Environment, Observation, Request
from mem1.records import End, Task, Trajectory, Turn
from mem1.tasks.scoring import score, score_purchase


def rollout(
    tasks: Sequence[Task],
    engine: Engine,
    policy: ContextPolicy,
    environment: Environment,
    codec: Codec,
    agent: Agent,
    sampling: Sampling,
    *,
    prompt: Format,
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
    They end with ``answered``, with ``bought`` when the environment rewards them (they come with
    their score then), with ``turns`` when the budget of the task is used up, with
    ``context`` when no room is left for another turn (policy ``full`` only), or, if
    ``end_on_malformed``, with ``format`` at the first malformed output.

    ``sampling`` is that of the turns but for its stop strings, which are those of ``prompt``.

    A turn's ``seconds`` are its share of the wall time of the step it was part of, so they add up
    to the wall time of the whole rollout: of a call what each of those gets that made it, of a
    search likewise, and of the rest what each trajectory of the step gets.
    ``on_done`` is called with each trajectory as soon as it is finished.

    Raises:
        InputError: a prompt leaves no room for a turn.
    """
    waiting = [
        Live(
            task_number * len(samples) + sample_number,
            task,
            sample,
            ids,
            episode=environment.begin(task),
        )
        for task_number, task in enumerate(tasks)
        for ids in [prompt.prompt(task, codec)]
        for sample_number, sample in enumerate(samples)
    ]
    for each in waiting:
        policy.check(len(each.prompt))  # refuses one that does not fit, before any work
    sampling = replace(sampling, stop=prompt.stop)
    final: dict[str, End] = {"answer": "answered"}
    if end_on_malformed:
        final["malformed"] = "format"
    done: list[Trajectory | None] = [None] * len(waiting)
    waiting.reverse()
    live: list[Live] = []
    played = 0
    with tqdm(total=len(waiting), desc=system, unit="task", disable=not progress) as bar:
        while waiting or live:
            while waiting and len(live) < batch:
                live.append(waiting.pop())
            played_now = _step(live, engine, policy, environment, prompt, sampling, seed, final)
            staying = []
            for each, turn in zip(live, played_now, strict=True):
                each.turns.append(turn)
                end = _end(each, policy, agent, final)
                if end is None:
                    staying.append(each)
                    continue
                trajectory = _trajectory(each, end, policy, prompt, system)
                done[each.number] = trajectory
                if on_done is not None:
                    on_done(trajectory)
                bar.update()
            live = staying
            played += len(played_now)
            bar.set_postfix(turns=played)
    return [trajectory for trajectory in done if trajectory is not None]


def scored(trajectory: Trajectory, task: Task) -> Trajectory:
    """``trajectory`` with its score: of its purchase, or of its answer.

    None was given unless it ended with one.
    """
    if task.goal is not None:
        return trajectory  # it was scored where it ended
    answers = trajectory.answers if trajectory.end == "answered" else None
    golds = [question.golds for question in task.questions]
    return trajectory.model_copy(update={"score": score(answers, golds)})


def _step(
    live: Sequence[Live],
    engine: Engine,
    policy: ContextPolicy,
    environment: Environment,
    form: Format,
    sampling: Sampling,
    seed: int,
    final: Mapping[str, End],
) -> list[Turn]:
    """The next turn of each of ``live``."""
    started = time.perf_counter()
    contexts = calls.contexts(live, policy, engine, sampling, seed)
    ids = [context.ids for context in contexts]
    outputs = engine.generate(ids, sampling, [each.seed(seed, "sampling") for each in live])
    actions = [form.parse(output.text) for output in outputs]
    generated = time.perf_counter()
    infos = _observe(live, actions, environment, form, final)
    searching = time.perf_counter() - generated
    observed = sum(info is not None for info in infos)
    own = [sum(call.seconds for call in context.calls) for context in contexts]
    rest = (generated - started - sum(own)) / len(live)
    turns = []
    for i, (context, output, action, info) in enumerate(
        zip(contexts, outputs, actions, infos, strict=True)
    ):
        retrieval = searching / observed if info is not None else 0.0
        turns.append(
            Turn(
                context=context.ids,
                output=output.ids,
                logprobs=output.logprobs,
                text=output.text,
                action=action.kind,
                argument=action.argument,
                info=info.ids if info else [],
                info_text=info.text if info else "",
                passages=info.passages if info else [],
                seconds=rest + own[i] + retrieval,
                retrieval_seconds=retrieval,
                calls=context.calls,
            )
        )
    return turns


def _observe(
    live: Sequence[Live],
    actions: Sequence[Action],
    environment: Environment,
    form: Format,
    final: Mapping[str, End],
) -> list[Observation | None]:
    """What follows each action, which moves the episodes of ``live``; None for a ``final`` one.

    On the last turn only what changes something is done, and nothing is seen of it.
    """
    requests: dict[int, Request] = {}
    for i, (each, action) in enumerate(zip(live, actions, strict=True)):
        left = each.task.max_turns - len(each.turns) - 1
        if action.kind not in final and (left > 0 or action.kind == "act"):
            requests[i] = Request(each.task, left, action, form, each.episode)
    observed = environment.step(list(requests.values())) if requests else []
    infos: list[Observation | None] = [None] * len(live)
    for i, observation in zip(requests, observed, strict=True):
        live[i].episode, live[i].reward = observation.episode, observation.reward
        ended = observation.reward is not None or requests[i].turns_left == 0
        infos[i] = Observation([], "") if ended else observation
    return infos


def _end(each: Live, policy: ContextPolicy, agent: Agent, final: Mapping[str, End]) -> End | None:
    """Why the trajectory ends after its newest turn; None if it goes on."""
    if each.reward is not None:
        return "bought"
    if each.turns[-1].action in final:
        return final[each.turns[-1].action]
    if len(each.turns) == each.task.max_turns:
        return "turns"
    if not policy.bounded and full_context(policy.context(each.prompt, each.turns), agent):
        return "context"
    return None


def _trajectory(
    each: Live, end: End, policy: ContextPolicy, form: Format, system: str
) -> Trajectory:
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
        answers=form.answers(each.turns[-1].argument) if answered else [],
        score=None if each.task.goal is None else score_purchase(each.reward),
        seconds=sum(turn.seconds for turn in each.turns),
    )
