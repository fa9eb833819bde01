"""The loop for one's own scripts, with what most of them want: greedy, scored, no bar."""

from collections.abc import Sequence

from mem1.agent import context
from mem1.agent.context import ContextPolicy
from mem1.agent.engines.base import Engine, Sampling
from mem1.agent.formats.catalogue import FORMATS
from mem1.agent.rollout import rollout, scored
from mem1.agent.text import Codec
from mem1.config import Agent
from mem1.config_systems import PromptFormat
from mem1.envs.base import Environment
from mem1.records import Task, Trajectory


def play(
    tasks: Sequence[Task],
    engine: Engine,
    environment: Environment,
    codec: Codec,
    agent: Agent,
    *,
    policy: ContextPolicy | None = None,
    prompt: PromptFormat = "mem1",
    temperature: float = 0.0,
    seed: int = 0,
) -> list[Trajectory]:
    """The scored trajectories of ``tasks``, in their order; one each.

    Args:
        tasks: what to do.
        engine: who does it.
        environment: who answers.
        codec: the tokenizer of both.
        agent: limits, in tokens.
        policy: what is shown of the past; None: ``mem1``.
        prompt: name of the prompt format.
        temperature: 0 is greedy.
        seed: root of what is sampled.

    Raises:
        InputError: a prompt leaves no room for a turn.
    """
    chosen = context.policy("mem1", agent) if policy is None else policy
    played = rollout(
        tasks,
        engine,
        chosen,
        environment,
        codec,
        agent,
        Sampling(temperature, agent.max_new_tokens),
        prompt=FORMATS[prompt],
        system=chosen.name,
        seed=seed,
        progress=False,
    )
    return [scored(one, task) for one, task in zip(played, tasks, strict=True)]
