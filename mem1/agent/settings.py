"""The frozen section of an evaluation: what decides a trajectory, and nothing else.

Labels, bootstrap resamples and the like are no part of it: changing them repeats no rollout.
"""

from typing import Literal

from pydantic import Field

from mem1.agent.protocol import PromptKind
from mem1.config import Agent, Config, Policy
from mem1.config_learning import Section
from mem1.config_retrieval import Retrieval


class EvaluationRun(Section):
    """One system, ready to run on any panel of tasks. The weights are a file of their own."""

    engine: Literal["hf", "oracle-reader"]
    policy: Policy
    prompt: PromptKind
    agent: Agent
    k: int = Field(ge=1, description="passages returned for a query")
    temperature: float = Field(ge=0, le=2, description="0: greedy")
    batch: int = Field(ge=1, description="trajectories decoded together")
    seed: int = Field(ge=0, description="root of all named random streams")
    retrieval: Retrieval | None = Field(
        default=None, description="null: BM25 in process, whose index knows its own settings"
    )


def evaluation_run(config: Config, system_name: str) -> EvaluationRun:
    """The frozen section of the system ``system_name``, a key of ``config.systems``."""
    system = config.systems[system_name]
    retrieval = config.retrieval.used()
    plain = retrieval.kind == "bm25" and retrieval == retrieval.built()
    return EvaluationRun(
        engine=system.engine,
        policy=system.policy,
        prompt=system.prompt,
        agent=config.agent,
        k=config.retrieval.k,
        temperature=config.evaluation.temperature,
        batch=config.evaluation.batch,
        seed=config.seed,
        retrieval=None if plain else retrieval,
    )
