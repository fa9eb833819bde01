"""A memory that is one text, rewritten by a call of its own as turns go by.

    summary    q, the summary of all older turns, the newest turn. A turn that is the newest no
               longer is folded into the summary.
    overwrite  q and the memory, which each newest turn has been worked into, after MemAgent
               (arXiv 2507.02259): it has a fixed size, the call that overwrites it sees q, the
               old memory and the newest turn, and the agent acts on q and the memory alone.

Departures from MemAgent: the model is not trained to do it; what is read is a turn of the agent
and not a piece of a long document; the line that says how many turns are left stays in sight, in
the forms that have one; and the requests are in our words.

The agents that are trained here (forms ``mem1`` and ``full``) know no requests. They are made to
write an internal state instead: the call ends in an open ``<think>``, and what the model writes up
to ``</think>`` is the memory, which is shown as a state.

A call that says nothing is malformed: the memory stays as it was.
"""

from abc import abstractmethod
from collections.abc import Sequence

from mem1.agent import protocol
from mem1.agent.context import Ask, Recall
from mem1.agent.formats.base import Format
from mem1.agent.formats.short import SHORT
from mem1.agent.memory.base import Block, MemoryPolicy, ids_of, newest
from mem1.agent.text import Codec
from mem1.config import Agent
from mem1.records import Turn

_SUMMARY = """Do not go on with the task yet: bring your summary up to date. Your summary of the \
steps so far stands above between <summary> and </summary>, if there is one already. The step \
behind it will be out of your sight from now on. Write one new summary, which takes the place of \
the old one. Keep all that is needed for the answers: answers that are certain, names, numbers, \
what was searched for in vain, and what is still open. At most {words} words, between <summary> \
and </summary>, and nothing else."""
_OVERWRITE = """Do not go on with the task yet: rewrite your memory. It stands above between \
<memory> and </memory>, if there is one already, and your newest step behind it. What you write \
now takes the place of the old memory, and it is all that you will see besides the task. Keep what \
is useful of the old memory, and add what the step tells you about the task: answers that are \
certain, names, numbers, what was searched for in vain, and what is still open. At most {words} \
words, between <memory> and </memory>, and nothing else."""
_WORDS = 0.7  # in a token: what is asked for shall fit its budget


class Running(MemoryPolicy):
    """What both policies share."""

    def __init__(self, agent: Agent, codec: Codec, form: Format) -> None:
        super().__init__(agent, codec, form)
        tag, heading, text, budget = self._settings()
        if form.name in SHORT:
            self._tags = (protocol.THINK, protocol.END_THINK)
            self._request = codec.encode(protocol.THINK)
            around = (f"{protocol.THINK} ", f" {protocol.END_THINK} ")
        else:
            self._tags = (f"<{tag}>", f"</{tag}>")
            self._request = self._message(text.format(words=int(budget * _WORDS)))
            around = (f"<{tag}>\n{heading}\n", f"\n</{tag}>\n")
        self._block = Block(codec, *around, budget)

    @abstractmethod
    def _settings(self) -> tuple[str, str, str, int]:
        """Name of the tag, heading, request, tokens of the memory."""

    def _call(self, prompt: int) -> int:
        """Tokens of a call and its output, at most."""
        context = prompt + self._block.longest + self._longest_turn + len(self._request)
        return context + self._block.limit

    def _read(self, text: str) -> str | None:
        return self._between(text, *self._tags)

    def _kept(self, turns: Sequence[Turn]) -> str | None:
        """The memory as the records have it."""
        text = newest(turns, self.name)
        return None if text is None else self._read(text)

    def _shown(self, memory: str | None) -> list[int]:
        return [] if memory is None else self._block.ids(memory)

    def _ask(self, prompt: Sequence[int], memory: str | None, turn: Turn) -> Ask:
        """The call that works ``turn`` into ``memory``."""
        context = [*prompt, *self._shown(memory), *ids_of(turn), *self._request]
        return Ask(self.name, context, self._tags[1:], self._block.limit, self._read)


class Summary(Running):
    """The prompt, a summary of the older turns, the newest turn."""

    name = "summary"

    def _settings(self) -> tuple[str, str, str, int]:
        heading = "My summary of the steps so far:"
        return "summary", heading, _SUMMARY, self._limits.summary_tokens

    def longest(self, prompt: int, turns: int) -> int:
        """A summary, a turn and an output behind the prompt, or a call."""
        acting = prompt + self._block.longest + self._longest_turn + self._agent.max_new_tokens
        return max(acting, self._call(prompt))

    def recall(self, prompt: Sequence[int], turns: Sequence[Turn]) -> Recall:
        """Fold the newest turn but one into the summary."""
        memory = self._kept(turns)
        if len(turns) > 1:
            written = yield self._ask(prompt, memory, turns[-2])
            memory = written or memory
        return [*prompt, *self._shown(memory), *(ids_of(turns[-1]) if turns else [])]


class Overwrite(Running):
    """The prompt and a memory of fixed size."""

    name = "overwrite"

    def _settings(self) -> tuple[str, str, str, int]:
        return "memory", "What I remember:", _OVERWRITE, self._limits.overwrite_tokens

    def _hint(self, left: int | None) -> list[int]:
        return [] if left is None else self._codec.encode(self._form.notice(left, ""))

    def longest(self, prompt: int, turns: int) -> int:
        """A memory, a hint and an output behind the prompt, or a call."""
        behind = self._block.longest + len(self._hint(9999)) + self._agent.max_new_tokens
        return max(prompt + behind, self._call(prompt))

    def recall(self, prompt: Sequence[int], turns: Sequence[Turn]) -> Recall:
        """Work the newest turn into the memory."""
        if not turns:
            return [*prompt]
        memory = self._kept(turns)
        written = yield self._ask(prompt, memory, turns[-1])
        hint = self._hint(protocol.turns_left(turns[-1].info_text))
        return [*prompt, *self._shown(written or memory), *hint]
