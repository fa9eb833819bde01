"""What a prompt format decides: how a task is put, how the agent writes, what it gets to see.

Formats of chat models go through the chat template of the tokenizer, where it has one: the
prompt is one message of the user, after which the agent's own text and the infos continue the
message of the assistant, as in the paper's code. A tokenizer without a template gets plain text.

Questions and passages are cleaned before a format sees them (``protocol.neutralize``).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from mem1.agent import protocol
from mem1.agent.protocol import Action
from mem1.agent.text import Codec
from mem1.config_systems import PromptFormat
from mem1.records import Passage, Task


@dataclass(frozen=True)
class Result:
    """What was found for one query, best first; the texts are clean."""

    query: str
    passages: Sequence[Passage]


class Format(ABC):
    """How an agent is spoken to, and how it answers."""

    name: PromptFormat
    stop: tuple[str, ...] = protocol.STOP  # strings that end an output
    system = ""  # message before that of the user
    messages = False  # True: each info is a message of its own
    correction: str  # what follows a malformed output
    nothing_found: str  # what follows a search without a result

    def prompt(self, task: Task, codec: Codec) -> list[int]:
        """The ids of the prompt of ``task``."""
        questions = [protocol.neutralize(codec.plain(q.text)) for q in task.questions]
        return codec.chat(self.request(questions, task.first), self.system)

    @abstractmethod
    def request(self, questions: Sequence[str], first: int) -> str:
        """The user's message: what to do, and the questions, numbered from ``first`` if at all."""

    @abstractmethod
    def parse(self, text: str) -> Action:
        """The action in one output. Never raises."""

    @abstractmethod
    def info(self, turns_left: int, results: Sequence[Result]) -> str:
        """What the agent sees of ``results``, one for each of its queries."""

    @abstractmethod
    def notice(self, turns_left: int, sentence: str) -> str:
        """An info that holds ``sentence`` and no passages."""

    def corrected(self, turns_left: int) -> str:
        """What follows a malformed output."""
        return self.notice(turns_left, self.correction)

    def answers(self, text: str) -> list[str]:
        """The sub-answers in the answer ``text``."""
        return protocol.split_answers(text)


def joined(questions: Sequence[str]) -> str:
    """The questions of a composite task in one line, each ending in a question mark."""
    return "; ".join(f"{question.rstrip(' ?')}?" for question in questions)
