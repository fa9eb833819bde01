"""The base model: every skill of the loop at all horizons, from perfect demonstrations.

Stands in for the pretrained Qwen2.5-7B of the paper, which can already read, copy and notice
that a list has ended. A small model trained from nothing on few objectives learns how many
questions to answer, not when all are answered; so turns of all horizons are shown here, and
the supervised and the reinforcement stage can stay short, as in the paper.

Both context policies get their configured share of the tokens. A turn under ``mem1`` is a
row of its own (views are Markov: one turn of a long task costs no more than one of a short
task), a trajectory under ``full`` is one row. Position ids start at a random offset.
Small worlds are mixed and each is used for a few tasks only: a model that meets a fact again
and again learns it by heart instead of reading it.

The committed model also learned to predict earlier outputs, which under ``mem1`` stand right behind
the prompt, so that any turn's state looks to it like a first one. Warm starts in the shop leave
those out (``train.shop``), which helped there; this recipe is that of the committed weights.
"""

from collections.abc import Iterator, Sequence
from statistics import fmean

import torch
from transformers import PreTrainedModel

from mem1.agent.protocol import PromptKind
from mem1.agent.text import Codec
from mem1.config_learning import Optimizer
from mem1.records import StepMetrics, Task
from mem1.retrieval import bm25
from mem1.seeding import array_stream, derive, stream
from mem1.stages import BaseRun
from mem1.tasks import atlas
from mem1.train.batch import PAD, collate
from mem1.train.demonstrations import Teacher, mixed_tasks
from mem1.train.rows import batches, learned, with_context
from mem1.train.trainee import Trainee, rate
from mem1.train.tree import Tree, pack, views_of

LARGEST_LABEL = 16  # questions are numbered up to this one
WORLDS_A_STEP = 1000  # more than a step ever needs
LARGEST_BUDGET = 90  # turns: hints show any number up to this one
CHUNK: dict[PromptKind, int] = {"mem1": 512, "full": 128}  # rows sorted by length together


def horizons_at(step: int, run: BaseRun) -> list[int]:
    """The numbers of objectives a task can have at ``step``."""
    growth = run.base.growth
    largest = growth[max(first for first in growth if first <= step)]
    return list(range(1, largest + 1))


def beginning(step: int, run: BaseRun) -> int:
    """The newest restart at ``step``, or 0."""
    return max((start for start in run.base.restarts if start <= step), default=0)


def base_rate(step: int, run: BaseRun) -> float:
    """Factor on the peak learning rates: a cosine with restarts (Loshchilov & Hutter 2017)."""
    restarts, start = run.base.restarts, beginning(step, run)
    end = min((later for later in restarts if later > step), default=run.base.steps)
    return restarts.get(start, 1.0) * rate(step - start, end - start, run.base.optimizer)


def _varied(tasks: Sequence[Task], seed: int) -> list[Task]:
    """``tasks`` with turn budgets and question numbers over the whole range.

    Budgets are never below the configured one. Tasks of few questions show high numbers too,
    so that a number is known wherever it turns up.
    """
    random = stream(seed, "varied")
    return [
        task.model_copy(
            update={
                "max_turns": random.randint(task.max_turns, LARGEST_BUDGET),
                "first": random.randint(1, max(1, LARGEST_LABEL - task.horizon + 1)),
            }
        )
        for task in tasks
    ]


class Demonstrations:
    """An endless supply of rows for one context policy, decided by seed and step alone."""

    def __init__(self, run: BaseRun, policy: PromptKind, codec: Codec) -> None:
        self._run = run
        self._policy = policy
        self._codec = codec
        share = run.base.full_share
        self._start = 0
        self._batches = self._from(0)
        self._tokens = int(run.base.tokens * (share if policy == "full" else 1 - share))

    def _from(self, start: int) -> Iterator[tuple[int, list[Tree]]]:
        """Batches in order from step ``start``, a beginning; each belongs to a step."""
        step = start
        world = start * WORLDS_A_STEP  # no world is met twice
        while True:
            horizons = horizons_at(step, self._run)
            trees: list[Tree] = []
            for _ in range(self._run.base.worlds_at_once):
                trees += self._world(world, horizons)
                world += 1
            random = stream(self._run.base.seed, "order", self._policy, world)
            for batch in batches(trees, CHUNK[self._policy], self._tokens, random):
                yield step, batch
                step += 1

    def at(self, step: int) -> list[Tree]:
        """The rows of ``step``; steps are asked for in increasing order."""
        start = beginning(step, self._run)
        if start != self._start:
            self._start, self._batches = start, self._from(start)
        return next(batch for number, batch in self._batches if number == step)

    def _world(self, number: int, horizons: list[int]) -> list[Tree]:
        """The rows of a few tasks in world ``number``."""
        run = self._run
        seed = derive(run.base.seed, "base world", self._policy, number)
        random = stream(seed, "tasks")
        shape = run.world.model_copy(update={"entities_per_type": run.base.world_entities})
        world = atlas.generate(shape, seed, "train")
        teacher = Teacher(
            bm25.in_memory(world.passages, run.retrieval),
            run.retrieval.k,
            self._codec,
            run.agent,
            self._policy,
            run.base.imperfections,
        )
        # Long tasks have more turns each; this keeps turns of short ones from getting rare.
        weights = [horizon**-0.5 for horizon in horizons]
        questions = random.sample(world.questions, run.base.world_questions)
        tasks = mixed_tasks(questions, horizons, run.max_turns, random, weights=weights)
        trajectories = teacher.play(_varied(tasks, seed), seed)
        views = [views_of(trajectory, i) for i, trajectory in enumerate(trajectories)]
        if self._policy == "full":
            return [pack(one) for one in views]
        return [pack([view]) for one in views for view in one]


class BaseTraining:
    """One optimizer step: rows of both policies, each weighted by its share of the tokens."""

    def __init__(self, run: BaseRun, trainee: Trainee[PreTrainedModel], codec: Codec) -> None:
        self._run = run
        self._trainee = trainee
        shares: dict[PromptKind, float] = {
            "mem1": 1 - run.base.full_share,
            "full": run.base.full_share,
        }
        self._shares = {policy: share for policy, share in shares.items() if share > 0}
        self._data = {policy: Demonstrations(run, policy, codec) for policy in self._shares}

    def step(self, number: int) -> dict[str, float]:
        """Train on step ``number``; returns what is logged."""
        base = self._run.base
        values: dict[str, float] = {}
        for policy, share in self._shares.items():
            noise = array_stream(base.seed, "context", policy, number)
            rows = self._data[policy].at(number)
            trees = [with_context(tree, base.context_share, noise) for tree in rows]
            random = stream(base.seed, "offsets", policy, number)
            offsets = [random.randint(0, base.largest_offset) for _ in trees]
            batch = collate(trees, PAD, offsets)
            half = base.precision == "bf16"
            loss, logged = learned(self._trainee.module, batch, base.context_weight, half)
            self._trainee.backward(share * loss, last=policy == [*self._shares][-1])
            values |= {f"{policy}/{name}": value for name, value in logged.items()}
            values[f"{policy}/tokens"] = float(batch.ids.numel())
        factor = base_rate(number, self._run)
        values["gradient_norm"] = self._trainee.update(factor)
        values["rate"] = factor
        return values


def curve(metrics: Sequence[StepMetrics], width: int = 10) -> list[StepMetrics]:
    """Means of ``width`` steps each, named by the last one, to four digits: to be committed."""
    parts = [metrics[start : start + width] for start in range(0, len(metrics), width)]
    return [
        StepMetrics(
            step=part[-1].step,
            values={
                name: float(f"{fmean(row.values[name] for row in part):.4g}")
                for name in part[0].values
            },
        )
        for part in parts
    ]


def optimizers(
    model: torch.nn.Module, settings: Optimizer, muon_lr: float
) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the layers, AdamW for embeddings, norms and biases."""
    matrices: list[torch.nn.Parameter] = []
    others: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        (matrices if parameter.ndim == 2 and "embed" not in name else others).append(parameter)
    return [
        torch.optim.Muon(
            matrices,
            lr=muon_lr,
            weight_decay=settings.weight_decay,
            momentum=0.95,
            adjust_lr_fn="match_rms_adamw",
        ),
        torch.optim.AdamW(
            others, lr=settings.lr, betas=(0.9, 0.95), weight_decay=settings.weight_decay
        ),
    ]
