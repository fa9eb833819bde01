"""Detectors of the eight emergent behaviours of the paper's Figure 5.

The paper shows annotated snippets and counts nothing. Here each behaviour has a stated rule, a
pure function of a trajectory and the questions of its task, and trajectories that show it at
least once are counted. A rule sees what is written, not why: what it misses and mistakes is
said beside it, and its numbers compare systems rather than measure an ability.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from mem1.analysis.episode import CACHED, Episode, Step, content, names, place, sentences

QUOTE = 240  # characters of a snippet, at most


@dataclass(frozen=True)
class Sighting:
    """A turn at which a behaviour shows, with the words that show it."""

    turn: int  # from 1
    quote: str


@dataclass(frozen=True)
class Behaviour:
    """One behaviour and the rule it is detected by."""

    key: str
    name: str
    rule: str
    limits: str  # what the rule does not see, and what it takes for the behaviour
    detect: Callable[[Episode], Iterator[Sighting]]
    objectives: int = 1  # of a task that can show it, at least


def _quote(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= QUOTE else f"{flat[: QUOTE - 2]} …"


def _sought(first: Step, second: Step) -> Sighting:
    return Sighting(second.number, _quote(f"{first.query} → {second.query}"))


def _same_question(episode: Episode) -> Iterator[tuple[Step, Step]]:
    """Searches that follow each other and are about the same question."""
    for first, second in pairwise(episode.searches):
        if first.focus is not None and first.focus == second.focus:
            yield first, second


# One memory slot per question

_ORDINALS = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth"]
_LABEL = re.compile(
    r"(?:\b(?:Q|Question|Objective|Task)\s*\#?(?P<number>\d{1,2})\b"
    rf"|\b(?P<ordinal>{'|'.join(_ORDINALS)})\s+question\b)"
    r"[\"'*\])]*(?:\s*\([^()\n]{0,200}\))?\s*(?:[:=\u2013\u2014,]|-(?=\s)|is\b|was\b|\u2192)[\"'*]*",
    re.IGNORECASE,
)
_ITEM = re.compile(r"^\s*\(?(?P<number>\d{1,2})[.)]\s+", re.MULTILINE)


def _pieces(text: str, pattern: re.Pattern[str]) -> dict[int, str]:
    """Number of a question to the text from its label to the next; the last of a number counts."""
    marks = list(pattern.finditer(text))
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    found = {}
    for mark, end in zip(marks, ends, strict=False):  # no mark: one end too many
        named = mark.groupdict()
        ordinal = (named.get("ordinal") or "").lower()
        number = _ORDINALS.index(ordinal) + 1 if ordinal else int(named["number"])
        found[number] = text[mark.end() : end].strip()
    return found


@lru_cache(CACHED)
def slots(text: str, questions: tuple[str, ...]) -> dict[int, str]:
    """What ``text`` keeps under the label of each question, for those with any text.

    Labels are Q1, Question 1, first question and the like, with a mark or a verb behind them;
    also the items of a numbered list, where each shares a word with the question of its number.
    """
    labelled = {number: kept for number, kept in _pieces(text, _LABEL).items() if content(kept)}
    if len(labelled) > 1:
        return labelled
    items = {
        number: kept
        for number, kept in _pieces(text, _ITEM).items()
        if number <= len(questions) and content(kept) & content(questions[number - 1])
    }
    return items if len(items) > 1 else labelled


def memory_slots(episode: Episode) -> Iterator[Sighting]:
    """States before the last turn that keep two questions apart."""
    answers = [
        answer
        for answer in dict.fromkeys(episode.answers)
        if len(answer) > 2 and content(answer) - episode.asked
    ]
    for before, step in pairwise(episode.steps[:-1]):
        kept = slots(step.written, episode.questions)
        known = frozenset[str]().union(*map(content, kept.values())) - episode.asked
        places = [(at, a) for a in answers if (at := place(a, step.written)) >= 0]
        ordered = any(
            later > earlier and any(place(answer, before.found) < 0 for answer in (one, other))
            for (earlier, one), (later, other) in pairwise(places)
        )
        if (len(kept) > 1 and known) or ordered:
            yield Sighting(step.number, _quote(step.written))


# Moving on from a stuck question

_FAILED = re.compile(
    r"\bno (?:\w+ ){0,3}(?:information|results?|answers?|evidence|mention|luck|progress)\b"
    r"|\bnot (?:\w+ ){0,2}(?:found|find|available|mentioned|provided|helpful|clear|enough)\b"
    r"|\b(?:could|can|did|do|does)(?: ?not|n?'t) (?:\w+ )?"
    r"(?:find|locate|determine|provide|mention|contain|answer|give|help)\b"
    r"|\bunable to\b|\b(?:move|moving) on\b|\bskip\w*\b|\bstuck\b|\bcome back to\b"
    r"|\b(?:still|remains) (?:unknown|unclear|open|unanswered)\b",
    re.IGNORECASE,
)


def moving_on(episode: Episode) -> Iterator[Sighting]:
    """Changes of the question after two searches or more that led to nothing."""
    spent: list[Step] = []
    known = episode.asked
    for step in episode.searches:
        if spent and step.focus != spent[-1].focus:
            failed = next((s for s in sentences(step.written) if _FAILED.search(s)), None)
            noted = (content(spent[-1].found) - known) & content(step.written)
            if len(spent) > 1 and (failed or not noted):
                said = failed or "nothing of what was found is noted"
                quote = f"{spent[-1].query} → {step.query} ({said})"
                yield Sighting(step.number, _quote(quote))
            spent = []
        spent.append(step)
        known |= content(step.query or "")


# Folding facts into the next query


def folding(episode: Episode) -> Iterator[Sighting]:
    """Queries with a name that an earlier search brought up."""
    brought: dict[str, Step] = {}  # name -> the search that brought it up
    known = episode.asked
    for step in episode.searches:
        told = content(step.written)
        used = sorted((content(step.query or "") & brought.keys()) - known)
        if used:
            source = brought[used[0]]
            yield Sighting(
                step.number, _quote(f"{source.query} → found {', '.join(used)} → {step.query}")
            )
        known |= content(step.query or "") | (told - brought.keys())
        for name in names(step.found) - known:
            brought.setdefault(name, step)


# Updating on new evidence

_REVISED = re.compile(
    r"\b(?:actually|turns out|contrary to|contradict\w*|mistaken\w*|was (?:wrong|incorrect)"
    r"|correction|correct(?:ed|ing)|revis(?:e|ed|ing)|updat(?:e|ed|ing) (?:the|my|our|this)"
    r"|previously (?:thought|assumed|believed|noted)|instead of|rather than"
    r"|not \w+(?: \w+)? but)\b",
    re.IGNORECASE,
)


def updating(episode: Episode) -> Iterator[Sighting]:
    """States that replace what was kept of a question by what the newest search found."""
    earlier = episode.asked
    for before, step in pairwise(episode.steps):
        earlier |= content(before.written)
        new = (content(before.found) - earlier) & content(step.written)
        if not new:
            continue
        revised = next((s for s in sentences(step.written) if _REVISED.search(s)), None)
        if revised and content(revised) & new:
            yield Sighting(step.number, _quote(revised))
            continue
        old, now = slots(before.written, episode.questions), slots(step.written, episode.questions)
        for number in sorted(old.keys() & now.keys()):
            lost = content(old[number]) - content(now[number]) - episode.asked
            if lost and content(now[number]) & new:
                quote = f"Q{number}: {old[number]} → {now[number]}"
                yield Sighting(step.number, _quote(quote))
                break


# Self-verification

_VERIFY = re.compile(
    r"\b(?:verif(?:y|ying|ication)|confirm(?:ing|ation)?|(?:double|cross)[- ]?check(?:ing)?"
    r"|make sure|to be sure|check(?:ing)? (?:if|whether|that|again))\b",
    re.IGNORECASE,
)


def verification(episode: Episode) -> Iterator[Sighting]:
    """Searches that check what was already found."""
    written = ""
    for before, step in pairwise(episode.steps):
        written = f"{written}\n{before.written}"
        if step.query is None:
            continue
        meant = next((s for s in sentences(step.written) if _VERIFY.search(s)), None)
        if meant:
            yield Sighting(step.number, _quote(f"{meant} → {step.query}"))
            continue
        for question, answer in zip(episode.questions, episode.answers, strict=False):
            own = content(answer) - content(question)
            rest = content(step.query) - own
            if own <= content(step.query) and own and rest & content(question):
                known = place(answer, f"{written}\n{step.written}") >= 0
                if known:
                    yield Sighting(step.number, _quote(f"{answer} is noted → {step.query}"))
                    break


# Planning

_PLAN = re.compile(
    r"\b(?:(?:my|the|a) plan\b|plan (?:is|to)\b|step \d|break (?:this|it|the question) down"
    r"|strategy)",
    re.IGNORECASE,
)
_INTENT = re.compile(
    r"\b(?:I|we)(?: (?:will|need to|should|must|have to|can|am going to|are going to)|'ll)\b"
    r"|\blet(?: me|'s| us)\b|\bneed to\b",
    re.IGNORECASE,
)
_ORDER = re.compile(
    r"\b(?:first|then|next|afterwards?|after that|before|finally|lastly|start (?:with|by)|once)\b",
    re.IGNORECASE,
)
_FIRST_QUESTION = re.compile(r"\bfirst (?=question\b)", re.IGNORECASE)  # a name, no order


def planning(episode: Episode) -> Iterator[Sighting]:
    """States that say what is to be done in which order."""
    for step in episode.steps:
        for sentence in sentences(step.written):
            rest = _FIRST_QUESTION.sub(" ", sentence)
            if _PLAN.search(rest) or (_INTENT.search(rest) and _ORDER.search(rest)):
                yield Sighting(step.number, _quote(sentence))
                break


# Iterative search, broadening a query


def iterative(episode: Episode) -> Iterator[Sighting]:
    """A search for the question of the one before, with other words."""
    for first, second in _same_question(episode):
        if content(first.query or "") != content(second.query or ""):
            yield _sought(first, second)


def broadening(episode: Episode) -> Iterator[Sighting]:
    """A search with fewer of the words of the one before, for the same question."""
    for first, second in _same_question(episode):
        if frozenset() < content(second.query or "") < content(first.query or ""):
            yield _sought(first, second)


BEHAVIOURS = (
    Behaviour(
        "slots",
        "One memory slot per question",
        "A state before the last turn keeps two questions apart: text under the labels of two "
        "questions (Q1, Question 1, first question, a numbered list in the order of the "
        "questions) with something in it that no question says, or the answers that two "
        "questions get in the end, in their order, not both from the newest result.",
        "Notes by position, without labels, are seen only where they are among the answers in the "
        "end; whether a note stands under the right question is not looked at.",
        memory_slots,
        2,
    ),
    Behaviour(
        "moving_on",
        "Moving on from a stuck question",
        "After two searches or more about one question the next is about another, and the state "
        "says that nothing was found (or to move on), or holds no word of the last result but "
        "those of questions and queries.",
        "The question of a query is told by shared words; a query without any belongs to the "
        "question before. An agent that lost track shows it too; one that notes something useless "
        "and gives up silently is not seen.",
        moving_on,
        2,
    ),
    Behaviour(
        "folding",
        "Folding facts into the next query",
        "A query holds a name or number (capitalized, or digits) that an earlier result brought "
        "up, and that no question, earlier query or state before that result has.",
        "A name that the model knew by itself counts if a result also has it; facts that are "
        "used in other words are not seen.",
        folding,
    ),
    Behaviour(
        "updating",
        "Updating on new evidence",
        "What a state keeps under a question's label loses a word and gains one of the newest "
        "result, or a sentence of correction (actually, turns out, instead of, was wrong, ...) "
        "holds a new word of that result.",
        "Adding a fact is no update. Revisions without labels and without such words are not "
        "seen; a slot that goes from a plan or a guess to an answer counts.",
        updating,
    ),
    Behaviour(
        "verification",
        "Self-verification",
        "A search after a state that speaks of verifying, confirming or checking, or a query that "
        "holds the final answer, noted before, with words of its question.",
        "An announced check counts whatever it finds; checks without a search are not seen.",
        verification,
    ),
    Behaviour(
        "planning",
        "Planning",
        "A sentence of a state that speaks of a plan or of steps, or of an intention (I will, "
        "need to, let me) with an order (first, then, next, before, once).",
        "Plans in other words are not seen, and the label of the question that is next is none.",
        planning,
    ),
    Behaviour(
        "iterative",
        "Iterative search",
        "Two searches in a row are about the same question, with different words.",
        "The question of a query is told by shared words, as above. Searching for what the last "
        "result named counts too.",
        iterative,
    ),
    Behaviour(
        "broadening",
        "Broadening a query",
        "Of two searches in a row about the same question, the second has some of the words of "
        "the first and no others.",
        "Broader words (country in place of city) are not seen.",
        broadening,
    ),
)
