"""The paper's prompt structure, for instruct models and for the released MEM1 checkpoint.

From the facts of the official prompts: a role; what the model sees at each step (the questions,
its cumulative summary, its query, the results); first reason and write a new cumulative summary in
``<think>``, which is its memory; then one query for one question, or, when all are answered, the
answers separated by semicolons, short and without explanation; rules with the two legal orders of
tags; the questions, joined by semicolons. A single question has a wording without semicolons. The
sentences are ours. An info begins with the hint, as everywhere in the paper.

An output without ``<think>`` counts, as in the official evaluation: an instruct model that forgets
its summary loses its memory and not its turn.
"""

from collections.abc import Sequence

from mem1.agent import protocol
from mem1.agent.formats.base import Format, Result, joined
from mem1.agent.formats.search_r1 import documents
from mem1.agent.protocol import END_INFO, INFO, Action

_TASK = """You are a research assistant who answers questions step by step with a search engine.

At each step you see:
- {what},
- your summary of what you know so far, between <think> and </think>,
- your last query, between <search> and </search>,
- what that query found, between <information> and </information>.

At each step, do this:
1. Reason about what you see, and write a new, complete and concise summary between <think> and \
</think>. It is your only lasting memory: keep all that is needed for {each}, add what you have \
just learned, and say what is still open.
2. Then do one of two things:
   - If something is still open, write one query of a few keywords{one} between <search> and \
</search>.
   - If {done}, write {answer}, as short as possible and without explanation.

Rules:
- Begin with <think>, and end with exactly one <search> or one <answer>.
- The only two orders of tags are <think> ... </think> <search> ... </search> and \
<think> ... </think> <answer> ... </answer>.
- Never write <information> yourself.
- Each result says how many turns you have left: answer before they are used up.

{heading}: {questions}
"""
_ONE = {
    "what": "the question",
    "each": "the answer",
    "one": "",
    "done": "you know the answer",
    "answer": "it between <answer> and </answer>",
    "heading": "Question",
}
_SEVERAL = {
    "what": "the questions, separated by semicolons",
    "each": "each of the questions",
    "one": " for one of the questions",
    "done": "you can answer all {count} questions",
    "answer": "<answer> answer 1; answer 2; ... </answer> with one answer to each of the {count} "
    "questions, in their order, separated by semicolons",
    "heading": "Questions",
}


class Instruct(Format):
    """Form ``instruct``."""

    name = "instruct"
    correction = (
        "That was no valid step. Write <think> and your summary, and then one <search> or one "
        "<answer>, each with its closing tag."
    )
    nothing_found = "No results were found."

    def request(self, questions: Sequence[str], first: int) -> str:
        """The instruction for one question or for several."""
        words = _ONE if len(questions) == 1 else _SEVERAL
        filled = {name: text.format(count=len(questions)) for name, text in words.items()}
        return _TASK.format(**filled, questions=joined(questions))

    def parse(self, text: str) -> Action:
        """The first whole search or answer."""
        return protocol.parse_loosely(text)

    def info(self, turns_left: int, results: Sequence[Result]) -> str:
        """The hint, and a line for each passage."""
        return self.notice(turns_left, documents(results))

    def notice(self, turns_left: int, sentence: str) -> str:
        """The hint, and ``sentence`` on a line of its own."""
        return f"\n{INFO}\n{protocol.hint(turns_left)}\n{sentence}\n{END_INFO}\n"
