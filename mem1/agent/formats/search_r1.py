"""The form of Search-R1 (arXiv 2503.09516), for its released checkpoints.

Looked up in its code (``search_r1/llm_agent/generation.py``, ``infer.py``): one message of the
user, which asks to reason in ``<think>`` whenever something new came in, to search with
``<search>`` as often as needed, and to answer in ``<answer>`` without explanation, with one
example, and ends in ``Question:`` and the question; what is found stands in ``<information>``,
between empty lines, a line ``Doc N(Title: ...) text`` for each passage, titles in quotation marks
as in its corpus; an output without a whole ``<search>`` or ``<answer>`` is followed by a line in
the voice of the agent, without a block. There is no word of the turns that are left.

Ours: the sentences, which say the same in other words, so that a checkpoint may do somewhat worse
than with the wording it was trained on; and that a task has several questions, in one line, whose
answers are separated by semicolons, because Search-R1 knows one question at a time.
"""

from collections.abc import Sequence

from mem1.agent import protocol
from mem1.agent.formats.base import Format, Result, joined
from mem1.agent.protocol import ANSWER, END_ANSWER, END_INFO, END_SEARCH, INFO, SEARCH, Action

_TASK = (
    "Find the answer to the question below. Each time you learn something new, first reason about "
    "it inside <think> and </think>. If your reasoning shows that you need to know more, ask the "
    "search engine with <search> your query </search>; the best results come back between "
    "<information> and </information>. You may search as often as you like. As soon as you need no "
    "more knowledge from outside, write the answer inside <answer> and </answer>, without any "
    "explanation, for example <answer> Beijing </answer>."
)
_SEVERAL = (
    " There are {count} questions: give one answer to each of them, in their order, separated by "
    "semicolons, for example <answer> Beijing; 1969 </answer>."
)


class SearchR1(Format):
    """Form ``search-r1``."""

    name = "search-r1"
    correction = (
        f"That was no valid action of mine. To search, I write a query between {SEARCH} and "
        f"{END_SEARCH}; to answer, I write the answer between {ANSWER} and {END_ANSWER}. Again:"
    )
    nothing_found = "No results."

    def request(self, questions: Sequence[str], first: int) -> str:
        """The instruction, and the question or questions."""
        several = _SEVERAL.format(count=len(questions)) if len(questions) > 1 else ""
        return f"{_TASK}{several} Question: {joined(questions)}\n"

    def parse(self, text: str) -> Action:
        """The first whole search or answer, as in Search-R1's code."""
        return protocol.parse_loosely(text)

    def info(self, turns_left: int, results: Sequence[Result]) -> str:
        """A line for each passage."""
        return self.notice(turns_left, documents(results))

    def notice(self, turns_left: int, sentence: str) -> str:
        """``sentence`` in the place of passages."""
        return f"\n\n{INFO}{sentence}{END_INFO}\n\n"

    def corrected(self, turns_left: int) -> str:
        """The correction by itself, in the voice of the agent."""
        return f"\n{self.correction}\n"


def documents(results: Sequence[Result]) -> str:
    """The passages of ``results`` as lines of Search-R1's form."""
    passages = [passage for result in results for passage in result.passages]
    return "\n".join(
        protocol.neutralize(f'Doc {number}(Title: "{passage.title}") {passage.text}')
        for number, passage in enumerate(passages, start=1)
    )
