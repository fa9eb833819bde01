"""How a solver of Atlas tasks writes: the text of each turn of a demonstration.

    <think> FACT. done Q2. open Q3. answers A1 A2. </think> <search> ENTITY </search>

The state first repeats the found fact in the words of the passage, then says which question
is done and which is open, by the numbers of the prompt; so the next question and the end are
found by content, at any number of questions. ``mem1`` adds the answers so far; ``full`` does
not, because its earlier turns stay in sight. The list of answers has no separators: names have
two words, and what follows one is then found by its last word (docs/log.md).

Imperfections (configuration) make demonstrations worse on purpose, as the supervised arm of
the paper is (Table 4), so that reinforcement learning has something to learn.
"""

from dataclasses import dataclass, field
from random import Random

from mem1.agent.protocol import (
    ANSWER,
    END_ANSWER,
    END_SEARCH,
    END_THINK,
    SEARCH,
    THINK,
    PromptKind,
    label,
)
from mem1.config_learning import Imperfections
from mem1.records import Question, Task

PERFECT = Imperfections(wrong_query=0, early_answer=0, forgotten_fact=0, early_stop=0)


def squeeze(text: str) -> str:
    """``text`` without white space: the same before and after a tokenizer."""
    return "".join(text.split())


@dataclass
class Solver:
    """Solves one task turn by turn; ``turn(info)`` is called with each new info text."""

    task: Task
    kind: PromptKind
    imperfections: Imperfections
    random: Random
    names: list[str]  # what a wrong query may search for
    question: int = 0  # index of the open question
    hop: int = 0  # facts found of it
    fact: str = "none."  # the last fact found for the open question
    answers: list[str] = field(default_factory=list)

    def turn(self, info: str | None) -> str:
        """The next output, given the newest info (None before the first)."""
        answer = None if info is None else self._read(info)
        if answer is None:
            return self._write(f"open {self._label()}.", self._query())
        self._remember(answer)
        done = f"done {self._label()}."
        if self.question == len(self.task.questions) - 1:
            return self._write(f"{done} end.", None)
        if self._slips(self.imperfections.early_stop):
            return self._write(done, None)
        self.question, self.hop = self.question + 1, 0
        text = self._write(f"{done} open {self._label()}.", self._query())
        self.fact = "none."  # nothing is known of the new question yet
        return text

    def _label(self) -> str:
        return label(self.task.first + self.question)

    def _open(self) -> Question:
        return self.task.questions[self.question]

    def _slips(self, probability: float) -> bool:
        return probability > 0 and self.random.random() < probability

    def _read(self, info: str) -> str | None:
        """Take the fact that is looked for out of ``info``; the answer if that was the last."""
        chain = self._open().chain
        hop = chain[self.hop]
        if squeeze(hop.statement) not in squeeze(info):
            return None
        self.fact, self.hop = hop.statement, self.hop + 1
        if self.hop == len(chain) or self._slips(self.imperfections.early_answer):
            return hop.value
        return None

    def _query(self) -> str:
        if self._slips(self.imperfections.wrong_query):
            return self.random.choice(self.names)
        return self._open().chain[self.hop].entity

    def _remember(self, answer: str) -> None:
        forgets = self.imperfections.forgotten_fact
        self.answers = [kept for kept in self.answers if not self._slips(forgets)]
        self.answers.append(answer)

    def _write(self, work: str, query: str | None) -> str:
        answers = " ; ".join(self.answers) or "none"
        memory = f" answers {' '.join(self.answers) or 'none'}." if self.kind == "mem1" else ""
        action = (
            f"{ANSWER} {answers} {END_ANSWER}"
            if query is None
            else f"{SEARCH} {query} {END_SEARCH}"
        )
        return f"{THINK} {self.fact} {work}{memory} {END_THINK} {action}"
