"""The forms of the agents that are trained here: a prompt of two sentences, no chat template.

``mem1`` tells the agent that its state is its memory, ``full`` that its history stays in sight;
they agree in all else. An info reads

    <information> [HINT: YOU HAVE 5 TURNS LEFT] Doc 1: Title. text Doc 2: Title. text </information>

Departure from the paper: its prompt has some three hundred words (``formats.instruct``), which a
model of a million parameters could not make sense of.
"""

from collections.abc import Sequence

from mem1.agent import protocol
from mem1.agent.formats.base import Format, Result
from mem1.agent.protocol import Action, PromptKind
from mem1.agent.text import Codec
from mem1.config_systems import PromptFormat
from mem1.records import Task


class Short(Format):
    """Form ``mem1`` or ``full``."""

    correction = protocol.CORRECTION
    nothing_found = protocol.NOTHING_FOUND

    def __init__(self, kind: PromptKind) -> None:
        self.name = kind
        self._kind = kind

    def prompt(self, task: Task, codec: Codec) -> list[int]:
        """The ids of the prompt as it is, whatever template the tokenizer has."""
        return codec.encode(self.request([q.text for q in task.questions], task.first))

    def request(self, questions: Sequence[str], first: int) -> str:
        """See ``protocol.prompt_text``."""
        return protocol.prompt_text(list(questions), self._kind, first)

    def parse(self, text: str) -> Action:
        """``<think>`` and then one action, and nothing else."""
        return protocol.parse(text)

    def info(self, turns_left: int, results: Sequence[Result]) -> str:
        """The hint and the passages, numbered."""
        passages = [passage for result in results for passage in result.passages]
        texts = [f"{passage.title.rstrip(' .')}. {passage.text}" for passage in passages]
        lines = [f"Doc {n}: {' '.join(text.split())}" for n, text in enumerate(texts, start=1)]
        return self.notice(turns_left, " ".join(map(protocol.neutralize, lines)))

    def notice(self, turns_left: int, sentence: str) -> str:
        """The hint and ``sentence``."""
        parts = [protocol.INFO, protocol.hint(turns_left), sentence, protocol.END_INFO]
        return " ".join(part for part in parts if part)


SHORT: dict[PromptFormat, Format] = {"mem1": Short("mem1"), "full": Short("full")}
