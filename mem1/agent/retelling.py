"""A trajectory of one agent, told as another would have lived it: its tokens, its form, its view.

What the first agent wrote is kept word for word. It is played again through the loop that all
agents use, so that prompt, infos and contexts are those of the second.
"""

from collections.abc import Iterator, Sequence

from mem1.agent.context import ContextPolicy
from mem1.agent.engines.base import Output, Sampling, until_stop
from mem1.agent.formats.base import Format
from mem1.agent.rollout import rollout, scored
from mem1.agent.text import Codec
from mem1.config import Agent
from mem1.envs.base import Environment
from mem1.records import Task, Trajectory


class _Over(Exception):  # noqa: N818 - says that a text is missing, and goes no further than here
    pass


class _Texts:
    """An engine that says ``texts`` one after the other; log-probabilities it has none."""

    def __init__(self, texts: Sequence[str], codec: Codec) -> None:
        self._texts: Iterator[str] = iter(texts)
        self._codec = codec

    def generate(
        self, contexts: Sequence[Sequence[int]], sampling: Sampling, seeds: Sequence[int]
    ) -> list[Output]:
        outputs = []
        for _ in contexts:
            text = next(self._texts, None)
            ids = [] if text is None else self._codec.encode(self._codec.plain(text))
            if not 0 < len(ids) <= sampling.max_new_tokens:
                raise _Over
            outputs.append(Output(ids, [], until_stop(self._codec.decode(ids), sampling.stop)))
        return outputs


def retold(
    trajectory: Trajectory,
    task: Task,
    form: Format,
    policy: ContextPolicy,
    environment: Environment,
    codec: Codec,
    agent: Agent,
) -> Trajectory | None:
    """``trajectory`` of ``task`` as an agent of ``form``, ``policy`` and ``codec`` would have it.

    None where that agent could not have: an output is too long in its tokens, or what the first
    agent did is something else, or nothing, in its form.
    """
    try:
        [told] = rollout(
            [task],
            _Texts([turn.text for turn in trajectory.turns], codec),
            policy,
            environment,
            codec,
            agent,
            Sampling(0.0, agent.max_new_tokens),
            prompt=form,
            system=trajectory.system,
            seed=0,
            progress=False,
        )
    except _Over:
        return None
    same = [turn.action for turn in told.turns] == [turn.action for turn in trajectory.turns]
    return scored(told, task) if same else None
