"""The calls that a context policy wants made before a turn, for many trajectories together.

They go to the engine of the turns, with limits and stop strings of their own. Random numbers
belong to (purpose, task, sample, turn), so a call does not depend on its neighbours.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mem1.agent.context import Ask, ContextPolicy, Recall
from mem1.agent.engines.base import Engine, Sampling
from mem1.records import Call, Task, Turn
from mem1.seeding import derive


@dataclass
class Live:
    """A trajectory under way."""

    number: int  # place in the result
    task: Task
    sample: int
    prompt: list[int]
    turns: list[Turn] = field(default_factory=list)
    episode: Any = None  # where its environment is
    reward: float | None = None  # what the environment gave, which ended it

    def seed(self, root: int, purpose: str) -> int:
        """The seed of what is sampled for ``purpose`` at the coming turn."""
        return derive(root, purpose, self.task.id, self.sample, len(self.turns))


@dataclass
class Context:
    """The context of a coming turn, and the calls that were made for it."""

    ids: list[int] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)


def contexts(
    live: Sequence[Live], policy: ContextPolicy, engine: Engine, sampling: Sampling, seed: int
) -> list[Context]:
    """What each of ``live`` is to continue, at the temperature of ``sampling``."""
    made = [Context() for _ in live]
    waiting: dict[int, tuple[Recall, Ask]] = {}
    for i, each in enumerate(live):
        _advance(i, policy.recall(each.prompt, each.turns), None, waiting, made)
    while waiting:
        _, first = next(iter(waiting.values()))
        alike = {
            i: recall
            for i, (recall, ask) in waiting.items()
            if (ask.purpose, ask.stop, ask.max_new_tokens)
            == (first.purpose, first.stop, first.max_new_tokens)
        }
        asks = {i: waiting.pop(i)[1] for i in alike}
        started = time.perf_counter()
        outputs = engine.generate(
            [ask.context for ask in asks.values()],
            replace(sampling, stop=first.stop, max_new_tokens=first.max_new_tokens),
            [live[i].seed(seed, first.purpose) for i in asks],
        )
        seconds = (time.perf_counter() - started) / len(asks)
        for (i, ask), output in zip(asks.items(), outputs, strict=True):
            value = ask.read(output.text)
            made[i].calls.append(
                Call(
                    purpose=ask.purpose,
                    context=ask.context,
                    output=output.ids,
                    text=output.text,
                    malformed=value is None,
                    seconds=seconds,
                )
            )
            _advance(i, alike[i], value, waiting, made)
    return made


def _advance(
    i: int,
    recall: Recall,
    value: object,
    waiting: dict[int, tuple[Recall, Ask]],
    made: list[Context],
) -> None:
    """Let ``recall`` go on with ``value``: to its next call, or to its end."""
    try:
        waiting[i] = (recall, recall.send(value))
    except StopIteration as end:
        made[i].ids = end.value
