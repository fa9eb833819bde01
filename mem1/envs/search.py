"""Questions over a retriever: a search returns passages, a malformed output a correction.

An info reads

    <information> [HINT: YOU HAVE 5 TURNS LEFT] Doc 1: Title. text Doc 2: Title. text </information>

Passages are data and are neutralized first. Departures from the paper: one wording of the
hint throughout, an info that is too long is cut between passages (the official code cuts
tokens, the closing tag with them), and a malformed output is told so.
"""

from collections.abc import Sequence

from mem1.agent import protocol
from mem1.agent.text import Codec
from mem1.config import Agent
from mem1.envs.base import Observation, Request
from mem1.errors import InputError
from mem1.records import Passage
from mem1.retrieval.base import Retriever


class SearchEnvironment:
    """Answers searches with the ``k`` best passages of ``retriever``."""

    def __init__(self, retriever: Retriever, k: int, agent: Agent, codec: Codec) -> None:
        self._retriever = retriever
        self._k = k
        self._max_info = agent.max_info
        self._codec = codec

    def step(self, requests: Sequence[Request]) -> list[Observation]:
        """One observation for each request; all searches are one call of the retriever.

        Raises:
            InputError: ``agent.max_info`` does not even hold the hint between its tags.
        """
        searches = [i for i, request in enumerate(requests) if request.action.kind == "search"]
        queries = [requests[i].action.argument for i in searches]
        results = self._retriever.search(queries, self._k) if queries else []
        found = {
            i: [hit.passage for hit in hits] for i, hits in zip(searches, results, strict=True)
        }
        return [
            self._passages(request.turns_left, found[i])
            if i in found
            else self._sentence(request.turns_left, protocol.CORRECTION)
            for i, request in enumerate(requests)
        ]

    def _passages(self, turns_left: int, passages: list[Passage]) -> Observation:
        """As many of the best passages as fit, whole; the best alone may be shortened."""
        if not passages:
            return self._sentence(turns_left, protocol.NOTHING_FOUND)
        texts = [self._text(number, p) for number, p in enumerate(passages, start=1)]
        for count in range(len(texts), 0, -1):
            text = block(turns_left, texts[:count])
            ids = self._codec.encode(text)
            if len(ids) <= self._max_info:
                return Observation(ids, text, [p.id for p in passages[:count]])
        return self._shortened(turns_left, passages[0].id, texts[0].split())

    def _shortened(self, turns_left: int, name: str, words: list[str]) -> Observation:
        """The first words of a passage that does not fit alone: the longest beginning that does.

        An observation without any text would make the passage impossible to read.
        """
        shortest, longest = 0, len(words) - 1
        while shortest < longest:
            middle = (shortest + longest + 1) // 2
            text = block(turns_left, [" ".join(words[:middle])])
            if len(self._codec.encode(text)) <= self._max_info:
                shortest = middle
            else:
                longest = middle - 1
        observation = self._sentence(turns_left, " ".join(words[:shortest]))
        return Observation(observation.ids, observation.text, [name])

    def _text(self, number: int, passage: Passage) -> str:
        """One passage in one line that cannot act as a tag, a hint or a special token."""
        words = f"{passage.title.rstrip(' .')}. {passage.text}".split()
        return f"Doc {number}: {protocol.neutralize(self._codec.plain(' '.join(words)))}"

    def _sentence(self, turns_left: int, sentence: str) -> Observation:
        text = block(turns_left, [sentence])
        ids = self._codec.encode(text)
        if len(ids) > self._max_info:
            raise InputError(
                f"agent.max_info is {self._max_info}, but an info of one sentence has "
                f"{len(ids)} tokens: raise agent.max_info."
            )
        return Observation(ids, text)


def block(turns_left: int, texts: Sequence[str]) -> str:
    """An info: the hint, then ``texts``, between the tags."""
    parts = [protocol.INFO, protocol.hint(turns_left), *texts, protocol.END_INFO]
    return " ".join(part for part in parts if part)
