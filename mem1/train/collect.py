"""Collection: which tasks a step plays, where, and what the trajectories looked like.

Rewards are those of the paper: for questions exact matches summed over the objectives, from the
scorer that evaluation uses, for shopping what the environment gives. With ``rl.format_reward``
(the paper's ablation) a malformed output ends its trajectory, which gets -1 instead; evaluation
knows nothing of it. Sampling is at the temperature of the loss, without top-p or top-k, so the
recorded log-probabilities are those of the policy that is trained.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from mem1.agent import context
from mem1.agent.continuous import rollout
from mem1.agent.engines.base import Engine, Sampling
from mem1.agent.formats.base import Format
from mem1.agent.formats.catalogue import FORMATS
from mem1.agent.formats.short import SHORT
from mem1.agent.protocol import PromptKind
from mem1.agent.rollout import scored
from mem1.agent.text import Codec
from mem1.config import Agent
from mem1.config_learning import Rl
from mem1.config_systems import PromptFormat
from mem1.envs.base import Environment
from mem1.records import Score, StepMetrics, Task, Trajectory
from mem1.seeding import stream

BATCH = 128  # trajectories that are decoded together
MALFORMED = -1.0  # reward of a trajectory that a malformed output ended


def order(tasks: Sequence[Task], count: int, step: int, seed: int) -> list[Task]:
    """The ``count`` tasks of ``step``: the panel shuffled anew for each pass over it.

    A task that is there again has another id: its random numbers are then others as well.
    """
    places = range(step * count, (step + 1) * count)
    epochs = range(places[0] // len(tasks), places[-1] // len(tasks) + 1)
    shuffled = {
        epoch: stream(seed, "epoch", epoch).sample(range(len(tasks)), len(tasks))
        for epoch in epochs  # one or two, unless a step is longer than a pass
    }
    chosen, seen = [], Counter[str]()
    for place in places:
        task = tasks[shuffled[place // len(tasks)][place % len(tasks)]]
        seen[task.id] += 1
        again = {"id": f"{task.id}-again-{seen[task.id] - 1}"}
        chosen.append(task if seen[task.id] == 1 else task.model_copy(update=again))
    return chosen


def rewards(trajectories: Sequence[Trajectory]) -> Tensor:
    """[T] what each scored trajectory earned; -1 where a malformed output ended it."""
    values = [
        MALFORMED if one.end == "format" else _earned(one.score)
        for one in trajectories
        if one.score is not None
    ]
    return torch.tensor(values, dtype=torch.float32)


def _earned(score: Score) -> float:
    return score.em if score.reward is None else score.reward


def statistics(trajectories: Sequence[Trajectory]) -> dict[str, float]:
    """What the trajectories of a step look like, as means."""
    turns = [turn for one in trajectories for turn in one.turns]
    scores = [one.score for one in trajectories if one.score is not None]
    count = len(trajectories)
    return {
        "reward": float(rewards(trajectories).double().sum()) / count,
        "em": sum(score.em for score in scores) / count,
        "answered": sum(one.end in ("answered", "bought") for one in trajectories) / count,
        "malformed_ends": sum(one.end == "format" for one in trajectories) / count,
        "wrong_count": sum(score.zero == "count" for score in scores) / count,
        "valid_actions": sum(turn.action != "malformed" for turn in turns) / len(turns),
        "valid_searches": sum(turn.action == "search" for turn in turns) / count,
        "turns": len(turns) / count,
        "output_tokens": sum(len(turn.output) for turn in turns) / count,
        "peak_tokens": sum(
            max(len(turn.context) + len(turn.output) for turn in one.turns) for one in trajectories
        )
        / count,
    }


def collapsed(metrics: Sequence[StepMetrics], settings: Rl) -> str | None:
    """What is wrong, if the newest ``patience`` rounds all had too few valid actions."""
    newest = [row.values["valid_actions"] for row in metrics[-settings.patience :]]
    if len(newest) < settings.patience or max(newest) >= settings.least_valid:
        return None
    return (
        f"fewer than {settings.least_valid:.0%} of the actions were valid in the newest "
        f"{settings.patience} rounds (rl.least_valid, rl.patience); the policy collapsed: lower "
        f"the learning rate, or raise the KL weight"
    )


def forms(policy: PromptKind, prompt: PromptFormat | None) -> dict[PromptKind, Format]:
    """How agents of each policy are spoken to; ``prompt``, if any, is that of ``policy``."""
    short: dict[PromptKind, Format] = {"mem1": SHORT["mem1"], "full": SHORT["full"]}
    return short if prompt is None else short | {policy: FORMATS[prompt]}


def _short() -> dict[PromptKind, Format]:
    return forms("mem1", None)


@dataclass(frozen=True)
class Arena:
    """Where the agent acts during collection."""

    environment: Environment
    codec: Codec
    agent: Agent
    policy: PromptKind  # context policy and wording of the prompt
    forms: Mapping[PromptKind, Format] = field(default_factory=_short)

    def sampling(self, settings: Rl) -> Sampling:
        """How outputs are sampled during collection."""
        stop = self.forms[self.policy].stop
        return Sampling(settings.temperature, self.agent.max_new_tokens, stop)

    def play(
        self, engine: Engine, tasks: Sequence[Task], settings: Rl, seed: int
    ) -> list[Trajectory]:
        """The scored trajectories of ``tasks``: ``settings.group`` for each, in order."""
        trajectories = rollout(
            tasks,
            engine,
            context.policy(self.policy, self.agent),
            self.environment,
            self.codec,
            self.agent,
            self.sampling(settings),
            prompt=self.forms[self.policy],
            system="rl",
            seed=seed,
            samples=range(settings.group),
            batch=BATCH,
            end_on_malformed=settings.format_reward,
            progress=False,
        )
        owners = [task for task in tasks for _ in range(settings.group)]
        return [scored(one, task) for one, task in zip(trajectories, owners, strict=True)]
