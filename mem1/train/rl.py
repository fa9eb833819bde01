"""Reinforcement learning: collect with the current weights, score, credit, update.

Rewards are those of the paper for questions (exact matches summed over the objectives, no
format reward), from the scorer that evaluation uses. Sampling is at the temperature of the
loss, without top-p or top-k, so the recorded log-probabilities are those of the policy that
is trained; their distance from the trainer's is logged at every step.

Departure from the paper: advantages of groups (``grpo``) or of the batch (``reinforce++``)
instead of a critic.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from mem1.agent import context
from mem1.agent.engines.base import Sampling
from mem1.agent.engines.hf import HFEngine
from mem1.agent.protocol import PromptKind
from mem1.agent.rollout import rollout, scored
from mem1.agent.text import Codec
from mem1.config import Agent, Rl
from mem1.envs.base import Environment
from mem1.records import Task, Trajectory
from mem1.seeding import derive, stream
from mem1.train.batch import PackedBatch, collate
from mem1.train.forward import sampled_logprobs
from mem1.train.objective import ESTIMATORS, LossTerms, rl_loss
from mem1.train.session import Trainee, rate, update
from mem1.train.tree import Tree, pack, split_rows, views_of

ROW_TOKENS = 16_384  # of one forward pass: bounds memory, does not change the loss
PAD = 0  # any id will do: padding is seen by nothing
BATCH = 128  # trajectories that are decoded together


def order(tasks: Sequence[Task], count: int, step: int, seed: int) -> list[Task]:
    """The ``count`` tasks of ``step``: the panel shuffled anew for each pass over it."""
    chosen = []
    for place in range(step * count, (step + 1) * count):
        epoch, index = divmod(place, len(tasks))
        shuffled = stream(seed, "epoch", epoch).sample(range(len(tasks)), len(tasks))
        chosen.append(tasks[shuffled[index]])
    return chosen


def rewards(trajectories: Sequence[Trajectory]) -> Tensor:
    """[T] exact matches of each scored trajectory."""
    values = [one.score.em for one in trajectories if one.score is not None]
    return torch.tensor(values, dtype=torch.float32)


def statistics(trajectories: Sequence[Trajectory]) -> dict[str, float]:
    """What the trajectories of a step look like, as means."""
    turns = [turn for one in trajectories for turn in one.turns]
    scores = [one.score for one in trajectories if one.score is not None]
    count = len(trajectories)
    return {
        "reward": sum(score.em for score in scores) / count,
        "em": sum(score.em for score in scores) / count,
        "answered": sum(one.end == "answered" for one in trajectories) / count,
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


@dataclass(frozen=True)
class Arena:
    """Where the agent acts during collection."""

    environment: Environment
    codec: Codec
    agent: Agent
    policy: PromptKind  # context policy and wording of the prompt


class RlTraining:
    """One collect-and-update round per step."""

    def __init__(
        self,
        settings: Rl,
        seed: int,
        trainee: Trainee,
        reference: PreTrainedModel | None,
        tasks: Sequence[Task],
        arena: Arena,
    ) -> None:
        """``reference`` is the starting policy, needed when ``settings.kl`` is not 0."""
        self._settings = settings
        self._seed = seed
        self._trainee = trainee
        self._reference = reference
        self._tasks = tasks
        self._arena = arena
        self._engine = HFEngine(trainee.model, arena.codec, max_rows=BATCH)

    def collect(self, number: int) -> list[Trajectory]:
        """The scored trajectories of step ``number``: ``group`` for each task, in order."""
        settings, arena = self._settings, self._arena
        tasks = order(self._tasks, settings.tasks, number, self._seed)
        trajectories = rollout(
            tasks,
            self._engine,
            context.policy(arena.policy, arena.agent),
            arena.environment,
            arena.codec,
            arena.agent,
            Sampling(settings.temperature, arena.agent.max_new_tokens),
            prompt=arena.policy,
            system="rl",
            seed=derive(self._seed, "collect", number),
            samples=range(settings.group),
            batch=BATCH,
            progress=False,
        )
        owners = [task for task in tasks for _ in range(settings.group)]
        return [scored(one, task) for one, task in zip(trajectories, owners, strict=True)]

    def step(self, number: int) -> dict[str, float]:
        """Collect and update once; returns what is logged."""
        settings = self._settings
        trajectories = self.collect(number)
        group = torch.arange(len(trajectories)) // settings.group
        advantages = ESTIMATORS[settings.estimator](rewards(trajectories), group)
        views = [list(views_of(one, index)) for index, one in enumerate(trajectories)]
        trees = [
            pack(view for one in views[start : start + settings.group] for view in one)
            for start in range(0, len(views), settings.group)
        ]
        recorded = [[turn.logprobs for turn in one.turns] for one in trajectories]
        values = statistics(trajectories)
        values["packed_tokens"] = float(sum(map(len, trees)))
        factor = rate(number, settings.steps, settings.optimizer)
        terms: list[dict[str, float]] = []
        size = settings.tasks // settings.minibatches
        for start in range(0, settings.tasks, size):
            part = trees[start : start + size]
            total, gap = self._accumulate(part, recorded, advantages)
            total["gradient_norm"] = update(self._trainee, settings.optimizer.clip, factor)
            terms.append(total)
            if start == 0:  # later parts are compared with weights that have moved
                values["logprob_gap_max"] = float(gap.max())
                values["logprob_gap_mean"] = float(gap.mean())
        for name in terms[0]:
            values[name] = float(np.mean([term[name] for term in terms]))
        values["rate"] = factor * settings.optimizer.lr
        return values

    def _accumulate(
        self, trees: list[Tree], recorded: list[list[list[float]]], advantages: Tensor
    ) -> tuple[dict[str, float], Tensor]:
        """Gradients of one minibatch; its loss terms, and |trainer - engine| log-probs [A]."""
        settings = self._settings
        count = sum(len(tree.sampled) for tree in trees)
        total: dict[str, float] = {}
        gaps = []
        for batch in self._rows(trees):
            result = sampled_logprobs(
                self._trainee.model,
                batch,
                settings.temperature,
                entropy_gradient=settings.entropy > 0,
            )
            old = batch.pick(recorded)
            terms: LossTerms = rl_loss(
                result.logprobs,
                result.entropy,
                old,
                advantages[batch.trajectory],
                clip_ratio=settings.clip_ratio,
                ref_logprobs=self._reference_logprobs(batch),
                kl_weight=settings.kl,
                entropy_weight=settings.entropy,
                count=count,
            )
            terms.loss.backward()
            gaps.append((result.logprobs.detach() - old).abs())
            for name, value in terms.values().items():
                total[name] = total.get(name, 0.0) + value
        return total, torch.cat(gaps)

    def _rows(self, trees: list[Tree]) -> Iterator[PackedBatch]:
        for row in split_rows(trees, ROW_TOKENS):
            yield collate([row], PAD)

    def _reference_logprobs(self, batch: PackedBatch) -> Tensor | None:
        if self._reference is None:
            return None
        with torch.no_grad():
            return sampled_logprobs(self._reference, batch, self._settings.temperature).logprobs
