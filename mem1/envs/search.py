"""Questions over a retriever: a search returns passages, a malformed output a correction.

How these are written is up to the prompt format of the agent (``agent.formats``). Passages are
data and are neutralized first. Departures from the paper: one wording of the hint throughout, an
info that is too long is cut between passages (the official code cuts tokens, the closing tag with
them), and a malformed output is told so.
"""

from collections.abc import Sequence

from mem1.agent import protocol
from mem1.agent.formats.base import Format, Result
from mem1.agent.text import Codec
from mem1.config import Agent
from mem1.envs.base import Observation, Request
from mem1.errors import InputError
from mem1.records import Passage, Task
from mem1.retrieval.base import Retriever

LONGEST_QUERY = 2_000  # characters that are searched for: servers refuse much longer queries


class SearchEnvironment:
    """Answers searches with the ``k`` best passages of ``retriever``."""

    def __init__(self, retriever: Retriever, k: int, agent: Agent, codec: Codec) -> None:
        self._retriever = retriever
        self._k = k
        self._max_info = agent.max_info
        self._codec = codec

    def begin(self, task: Task) -> None:
        """Searches change nothing."""

    def step(self, requests: Sequence[Request]) -> list[Observation]:
        """One observation for each request; all searches are one call of the retriever.

        Raises:
            InputError: ``agent.max_info`` does not even hold an info of one sentence.
        """
        asked = [r.action.searches if r.action.kind == "search" else () for r in requests]
        queries = [query[:LONGEST_QUERY] for one in asked for query in one]
        found = iter(self._retriever.search(queries, self._k) if queries else [])
        observations = []
        for request, own in zip(requests, asked, strict=True):
            results = [
                Result(self._clean(query), [self._cleaned(hit.passage) for hit in next(found)])
                for query in own
            ]
            observations.append(self._observation(request, results))
        return observations

    def _observation(self, request: Request, results: list[Result]) -> Observation:
        """As many of the best passages as fit, whole; the best alone may be shortened.

        The best of each query come before the second of any.
        """
        form, left = request.form, request.turns_left
        if not results:
            return self._sentence(form, form.corrected(left))
        places = [(i, q) for q, one in enumerate(results) for i in range(len(one.passages))]
        places.sort()
        if not places:
            return self._sentence(form, form.notice(left, form.nothing_found))
        for count in range(len(places), 0, -1):
            shown = _first(results, places[:count])
            observation = self._written(form, form.info(left, shown), shown)
            if len(observation.ids) <= self._max_info:
                return observation
        return self._shortened(form, left, shown)

    def _shortened(self, form: Format, left: int, results: list[Result]) -> Observation:
        """The first words of a passage that does not fit alone: the longest beginning that does.

        An observation without any text would make the passage impossible to read.
        """
        [(number, passage)] = [(q, p) for q, one in enumerate(results) for p in one.passages]
        title, text = passage.title.split(), passage.text.split()

        def beginning(words: int) -> Observation:
            name, rest = title[:words], text[: max(0, words - len(title))]
            cut = passage.model_copy(update={"title": " ".join(name), "text": " ".join(rest)})
            shown = list(results)
            shown[number] = Result(results[number].query, [cut])
            return self._written(form, form.info(left, shown), shown)

        shortest, longest = 0, len(title) + len(text) - 1
        while shortest < longest:
            middle = (shortest + longest + 1) // 2
            if len(beginning(middle).ids) <= self._max_info:
                shortest = middle
            else:
                longest = middle - 1
        cut = beginning(shortest)
        if len(cut.ids) > self._max_info:  # not even its number fits
            cut = Observation(*self._said(form, form.notice(left, "")), cut.passages)
        return self._checked(cut)

    def _clean(self, text: str) -> str:
        """``text`` in one line that cannot act as a tag, a hint or a special token."""
        return protocol.neutralize(self._codec.plain(" ".join(text.split())))

    def _cleaned(self, passage: Passage) -> Passage:
        return Passage(
            id=passage.id, title=self._clean(passage.title), text=self._clean(passage.text)
        )

    def _sentence(self, form: Format, text: str) -> Observation:
        return self._checked(Observation(*self._said(form, text)))

    def _written(self, form: Format, text: str, results: Sequence[Result]) -> Observation:
        names = [passage.id for result in results for passage in result.passages]
        return Observation(*self._said(form, text), names)

    def _said(self, form: Format, text: str) -> tuple[list[int], str]:
        """Ids and text of an info, as the message that it is in some forms."""
        text = self._codec.reply(text) if form.messages else text
        return self._codec.encode(text), text

    def _checked(self, observation: Observation) -> Observation:
        if len(observation.ids) > self._max_info:
            raise InputError(
                f"agent.max_info is {self._max_info}, but an info of one sentence has "
                f"{len(observation.ids)} tokens: raise agent.max_info."
            )
        return observation


def _first(results: Sequence[Result], places: Sequence[tuple[int, int]]) -> list[Result]:
    """``results`` with the passages at ``places`` only: (rank, number of the result)."""
    return [
        Result(one.query, [p for i, p in enumerate(one.passages) if (i, q) in places])
        for q, one in enumerate(results)
    ]
