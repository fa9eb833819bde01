"""What an environment does: it answers actions with observations."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mem1.agent.formats.base import Format
from mem1.agent.formats.short import SHORT
from mem1.agent.protocol import Action
from mem1.records import Task


@dataclass(frozen=True)
class Request:
    """One action to answer, in the form that the agent knows.

    ``turns_left`` counts the turns that remain after this one.
    """

    task: Task
    turns_left: int
    action: Action
    form: Format = SHORT["mem1"]
    episode: Any = None  # where the environment is, if it is anywhere


@dataclass(frozen=True)
class Observation:
    """What the agent gets to see: the ids are the tokens of the text, made once."""

    ids: list[int]
    text: str
    passages: list[str] = field(default_factory=list)  # ids of what is shown, best first
    episode: Any = None  # where the environment is now
    reward: float | None = None  # what it gives for the whole trajectory, which ends here


class Environment(Protocol):
    """Answers the actions of many trajectories at once. Holds no state between calls.

    Where actions change something, that is in an episode: a value that goes into a request and
    comes out of its answer.
    """

    def begin(self, task: Task) -> Any:
        """The episode that ``task`` starts in; None where actions change nothing."""
        ...

    def step(self, requests: Sequence[Request]) -> list[Observation]:
        """One observation for each request, in order."""
        ...
