"""Demonstrations: trajectories of the scripted solver, through the loop every agent uses."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from mem1.agent import context
from mem1.agent.engines.base import Sampling
from mem1.agent.engines.scripted import ScriptedEngine
from mem1.agent.protocol import PromptKind
from mem1.agent.rollout import rollout
from mem1.agent.text import Codec
from mem1.config import Agent
from mem1.config_learning import Imperfections
from mem1.envs.search import SearchEnvironment
from mem1.records import Question, Task, Trajectory
from mem1.retrieval.base import Retriever


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
            prompt=self.policy,
            system="script",
            seed=seed,
            batch=max(1, len(tasks)),
            progress=False,
        )


def mixed_tasks(
    questions: Sequence[Question],
    horizons: Sequence[int],
    turns: dict[int, int],
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
