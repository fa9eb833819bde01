"""Demonstrations: a scripted solver's, or recorded of a teacher; all made by the agents' loop."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Protocol

from mem1.agent import context
from mem1.agent.engines.base import Sampling
from mem1.agent.engines.scripted import ScriptedEngine
from mem1.agent.formats.short import SHORT
from mem1.agent.protocol import PromptKind
from mem1.agent.rollout import rollout
from mem1.agent.text import Codec
from mem1.config import Agent
from mem1.config_learning import Imperfections
from mem1.envs.search import SearchEnvironment
from mem1.errors import InputError
from mem1.provenance import json_digest, read_json
from mem1.records import Question, Task, Trajectory, read_jsonl
from mem1.retrieval.base import Retriever
from mem1.seeding import derive


class Source(Protocol):
    """Where the demonstrations of a training come from."""

    def draw(self, step: int, count: int, random: Random) -> list[Trajectory]:
        """``count`` demonstrations for the step ``step``, as ``random`` decides."""
        ...


@dataclass(frozen=True)
class Teacher:
    """What demonstrations of one training have in common."""

    retriever: Retriever
    k: int
    codec: Codec
    agent: Agent
    policy: PromptKind  # mem1 or full: context policy and wording of the prompt
    imperfections: Imperfections

    def play(self, tasks: Sequence[Task], seed: int) -> list[Trajectory]:
        """One trajectory for each task; prompts must differ."""
        engine = ScriptedEngine(tasks, self.policy, self.codec, self.imperfections, seed)
        return rollout(
            tasks,
            engine,
            context.policy(self.policy, self.agent),
            SearchEnvironment(self.retriever, self.k, self.agent, self.codec),
            self.codec,
            self.agent,
            Sampling(temperature=1.0, max_new_tokens=self.agent.max_new_tokens),
            prompt=SHORT[self.policy],
            system="script",
            seed=seed,
            batch=max(1, len(tasks)),
            progress=False,
        )


@dataclass(frozen=True)
class Scripted:
    """Demonstrations that are played for each step."""

    teacher: Teacher
    questions: Sequence[Question]
    horizons: Sequence[int]
    turns: Mapping[int, int]  # turn budget by number of objectives
    seed: int

    def draw(self, step: int, count: int, random: Random) -> list[Trajectory]:
        """See :class:`Source`."""
        tasks = mixed_tasks(self.questions, self.horizons, self.turns, random, count=count)
        return self.teacher.play(tasks, derive(self.seed, "sft teacher", step))


@dataclass(frozen=True)
class Recorded:
    """Demonstrations that ``mem1.distill`` has kept, by number of objectives."""

    by_horizon: Mapping[int, Sequence[Trajectory]]

    @classmethod
    def load(cls, path: Path, codec: Codec, horizons: Sequence[int]) -> "Recorded":
        """Those in ``path`` of ``horizons``.

        Raises:
            InputError: they are in the tokens of another tokenizer than ``codec``, or there is
                none of one of ``horizons``.
        """
        if read_json(path.with_name("manifest.json")).get("vocabulary") != vocabulary(codec):
            raise InputError(
                f"{path} holds the tokens of another tokenizer: collect the demonstrations again "
                f"(mem1.distill --student)."
            )
        found: dict[int, list[Trajectory]] = defaultdict(list)
        for one in read_jsonl(path, Trajectory):
            found[one.horizon].append(one)
        missing = sorted(set(horizons) - set(found))
        if missing:
            raise InputError(
                f"{path} has no demonstration of {missing[0]} objectives: raise distill.tasks, ask "
                f"for less in distill.filter, or take {missing[0]} out of sft.horizons."
            )
        return cls({horizon: found[horizon] for horizon in sorted(set(horizons))})

    def draw(self, step: int, count: int, random: Random) -> list[Trajectory]:
        """See :class:`Source`. Numbers of objectives have equal shares; ones can repeat."""
        horizons = list(self.by_horizon)
        return [random.choice(self.by_horizon[random.choice(horizons)]) for _ in range(count)]


def vocabulary(codec: Codec) -> str:
    """Digest of which token has which id."""
    return json_digest(codec.backend.get_vocab(with_added_tokens=True))


def mixed_tasks(
    questions: Sequence[Question],
    horizons: Sequence[int],
    turns: Mapping[int, int],
    random: Random,
    count: int | None = None,
    weights: Sequence[float] | None = None,
) -> list[Task]:
    """Tasks whose number of objectives is drawn from ``horizons``, no question twice.

    ``weights`` defaults to equal shares; ``turns`` gives the budget of each number. As many
    tasks as ``count``, or as the questions allow.
    """
    pool = random.sample(list(questions), len(questions))
    tasks: list[Task] = []
    while count is None or len(tasks) < count:
        (horizon,) = random.choices(horizons, weights)
        if horizon > len(pool):
            break
        chosen, pool = pool[:horizon], pool[horizon:]
        tasks.append(
            Task(
                id=f"demo-{len(tasks)}",
                split="train",
                questions=chosen,
                max_turns=turns[horizon],
            )
        )
    return tasks
