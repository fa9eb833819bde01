"""A trajectory as text for the detectors of ``behaviours``: what was written, sought and found.

Works on the text of any agent that searches and answers: words are runs of letters and digits,
content words are those that are no stop words of English. Nothing here knows a tag but
``<think>``; where there is none, all that stands around the action counts as written.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from mem1.analysis.seen import split_state
from mem1.records import Trajectory, Turn

CACHED = 4096  # texts of one trajectory are looked at by several detectors
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_SENTENCE = re.compile(r"[^.!?;\n]+(?:[.!?;](?!\s)[^.!?;\n]+)*[.!?]*")
_MARKUP = re.compile(
    r"<[^<>]{1,40}>|\[/?HINT[^\]]*\](?:[^\[]*\[/HINT\])?|\bDoc \d+\b", re.IGNORECASE
)
_STOP_WORDS = """
a about after all also am an and any are as at be been before being both but by can could did do
does doing each else for from had has have he her hers him his how i if in into is it its itself let
me more most my no nor not now of on one only or other our out own said same she so some such than
that the their them then there these they this those to too under until up us very was we were what
when where whether which while who whom whose why will with would you your
open done none end answer answers question questions unknown pending
"""
_STOP = frozenset(_STOP_WORDS.split())


@lru_cache(CACHED)
def words(text: str) -> tuple[str, ...]:
    """The words of ``text`` in lower case, in order."""
    return tuple(word.lower() for word in _WORD.findall(text))


@lru_cache(CACHED)
def content(text: str) -> frozenset[str]:
    """The content words of ``text``: no stop words, no words of the bookkeeping of questions."""
    return frozenset(word for word in words(text) if word not in _STOP)


@lru_cache(CACHED)
def names(text: str) -> frozenset[str]:
    """The content words of ``text`` that hold a capital or are digits alone, in lower case."""
    found = (word for word in _WORD.findall(text) if word != word.lower() or word.isdigit())
    return frozenset(word.lower() for word in found if word.lower() not in _STOP)


@lru_cache(CACHED)
def sentences(text: str) -> tuple[str, ...]:
    """``text`` cut at full stops, question marks, semicolons and ends of lines."""
    return tuple(part for match in _SENTENCE.findall(text) if (part := match.strip(" .;")))


def place(phrase: str, text: str) -> int:
    """Where the words of ``phrase`` stand in a row in ``text``, in words; -1 if they do not."""
    wanted, there = words(phrase), words(text)
    start = -1
    while wanted:
        try:
            start = there.index(wanted[0], start + 1)
        except ValueError:
            return -1
        if there[start : start + len(wanted)] == wanted:
            return start
    return -1


@dataclass(frozen=True)
class Step:
    """One turn."""

    number: int  # from 1
    written: str  # the internal state, after the notes that the policy had the model write
    query: str | None  # what is searched for; None at other turns
    found: str  # what came back, without tags, hints and numbers of documents
    focus: int | None  # index of the question that the query is about, where it can be told


@dataclass(frozen=True)
class Episode:
    """One trajectory with the questions of its task."""

    questions: tuple[str, ...]
    steps: tuple[Step, ...]
    answers: tuple[str, ...]  # as given at the end

    @property
    def searches(self) -> tuple[Step, ...]:
        """The turns that search."""
        return tuple(step for step in self.steps if step.query is not None)

    @property
    def asked(self) -> frozenset[str]:
        """The content words of all questions."""
        return content(" ".join(self.questions))


def _written(turn: Turn) -> str:
    before, state, _ = split_state(turn.text)
    if not before:  # no <think>: whatever stands around the action
        start = turn.text.rfind(turn.argument) if turn.action != "malformed" else -1
        state = turn.text
        if start >= 0:
            state = f"{state[:start]} {state[start + len(turn.argument) :]}"
    written = "\n".join([*(call.text for call in turn.calls), _MARKUP.sub(" ", state)])
    return written.replace("\u2019", "'").strip()


def focus(
    query: str, asked: Sequence[frozenset[str]], common: Mapping[str, int], before: int | None
) -> int | None:
    """Which question ``query`` is about: the one that shares most of its content words.

    A word that several questions share counts for a part each. A query that shares no word, as
    with what was found on the way, is about the question of the query ``before`` it; of equal
    ones that one is taken, or else the first.

    Args:
        query: what is searched for.
        asked: content words of each question.
        common: number of questions that have a word.
        before: what the query before was about.
    """
    if len(asked) == 1:
        return 0
    shares = [sum(1 / common[word] for word in sorted(content(query) & found)) for found in asked]
    best = max(shares, default=0.0)
    if best == 0 or (before is not None and shares[before] == best):
        return before
    return shares.index(best)


def episode(trajectory: Trajectory, questions: Sequence[str]) -> Episode:
    """``trajectory`` as text; ``questions`` are those of its task, in order."""
    steps: list[Step] = []
    asked = [content(question) for question in questions]
    common = Counter(word for found in asked for word in found)
    about: int | None = None
    for number, turn in enumerate(trajectory.turns, start=1):
        query = turn.argument if turn.action == "search" else None
        if query is not None:
            about = focus(query, asked, common, about)
        found = _MARKUP.sub(" ", turn.info_text) if query is not None else ""
        at = about if query is not None else None
        steps.append(Step(number, _written(turn), query, found, at))
    return Episode(tuple(questions), tuple(steps), tuple(trajectory.answers))
