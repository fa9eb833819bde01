"""How a solver of Atlas tasks writes: the text of each turn of a demonstration.

The state first repeats the found fact in the words of the passage, then the question it
works on in the words of the prompt. When that question is done, it goes on copying the
prompt past it, to the next question or to the full stop at the end: both the next question
and the end are found by content, at any number of questions. ``mem1`` adds the answers so
far; ``full`` does not, because its earlier turns stay in sight.

Imperfections (configuration) make demonstrations worse on purpose, as the supervised arm of
the paper is (Table 4), so that reinforcement learning has something to learn.
"""

from dataclasses import dataclass, field
from random import Random

from mem1.agent.protocol import ANSWER, END_ANSWER, END_SEARCH, END_THINK, SEARCH, THINK, PromptKind
from mem1.config import Imperfections
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
    fact: str = "none"  # the last fact found
    answers: list[str] = field(default_factory=list)

    def turn(self, info: str | None) -> str:
        """The next output, given the newest info (None before the first)."""
        done = None
        if info is not None:
            done = self._read(info)
        if done is None:
            return self._write(f"open : {self._open().text}", self._query())
        self._remember(done)
        finished = self._open().text
        last = self.question == len(self.task.questions) - 1
        if last or self._slips(self.imperfections.early_stop):
            state = f"done : {finished} ." if last else f"done : {finished}"
            return self._write(state, None)
        self.question, self.hop = self.question + 1, 0
        return self._write(f"done : {finished} ; {self._open().text}", self._query())

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
        fact = self.fact if self.fact.endswith(".") else f"{self.fact}."
        memory = f" answers : {answers} ." if self.kind == "mem1" else ""
        action = (
            f"{ANSWER} {answers} {END_ANSWER}"
            if query is None
            else f"{SEARCH} {query} {END_SEARCH}"
        )
        return f"{THINK} {fact} {work}{memory} {END_THINK} {action}"
