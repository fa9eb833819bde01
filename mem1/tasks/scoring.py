"""The one scorer: reward, SFT filter, evaluation and the oracle reader all call it.

An answer block holds one sub-answer per question, by position. Exact matches (and token F1)
are summed over the questions; a wrong number of answers, or no answer, gives zero for the
whole task (paper, section 4.1 and appendix). ``question_em`` beside it ignores the count,
so that a table can say how much of a zero is due to counting.

Departures from the paper's code: training, evaluation and rollout share this normalization
(the code has three); any number of answers and a missing answer are values, never a crash;
tasks of one objective score like all others; F1 is over multisets of tokens, as in SQuAD,
not over sets; and a gold that consists of nothing but articles or punctuation ("A", "!!!")
keeps what the next milder step leaves, so that an empty guess never matches it.
"""

import re
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mem1.records import Score

_REMOVE = str.maketrans("", "", string.punctuation)
_SPACE = str.maketrans(string.punctuation, " " * len(string.punctuation))
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


@dataclass(frozen=True)
class Normalization:
    """How two texts are made comparable, applied in the order of the fields.

    The defaults are SQuAD's. ``punctuation="space", articles="keep"`` is what the official
    evaluation does. Punctuation is the ASCII set, as there. White space is always joined.
    """

    case: Literal["lower", "keep"] = "lower"
    punctuation: Literal["remove", "space", "keep"] = "remove"
    articles: Literal["remove", "keep"] = "remove"


SQUAD = Normalization()


def normalize(text: str, how: Normalization = SQUAD) -> str:
    """``text`` under ``how``; empty only if ``text`` is blank. Applying it twice changes nothing.

    A step that would leave nothing is skipped: "The" becomes "the", "!!!" stays.
    """
    text = " ".join((text.lower() if how.case == "lower" else text).split())
    if how.punctuation != "keep":
        table = _REMOVE if how.punctuation == "remove" else _SPACE
        text = " ".join(text.translate(table).split()) or text
    if how.articles == "remove":
        text = " ".join(_ARTICLES.sub(" ", text).split()) or text
    return text


def exact_match(prediction: str, golds: Sequence[str], how: Normalization = SQUAD) -> float:
    """1.0 if ``prediction`` equals one of ``golds`` after normalization, else 0.0.

    A blank prediction matches nothing.
    """
    given = normalize(prediction, how)
    return float(bool(given) and any(given == normalize(gold, how) for gold in golds))


def f1(prediction: str, golds: Sequence[str], how: Normalization = SQUAD) -> float:
    """Best token F1 of ``prediction`` over ``golds``, in [0, 1].

    Tokens count as often as they occur: "new new york" is not a perfect "new york".
    """
    given = normalize(prediction, how).split()
    return max((_f1(given, normalize(gold, how).split()) for gold in golds), default=0.0)


def _f1(given: list[str], gold: list[str]) -> float:
    common = (Counter(given) & Counter(gold)).total()
    return 2 * common / (len(given) + len(gold)) if common else 0.0


def contains_answer(text: str, golds: Sequence[str], how: Normalization = SQUAD) -> bool:
    """Whether one of ``golds`` stands in ``text`` as whole words, both normalized.

    Whole words, because "no" stands in "known" and "19" in "1912" otherwise.
    """
    return stands_in(normalize(text, how), golds, how)


def stands_in(normalized: str, golds: Sequence[str], how: Normalization = SQUAD) -> bool:
    """``contains_answer`` for a text that is normalized already (to test many golds on it)."""
    padded = f" {normalized} "
    wanted = (normalize(gold, how) for gold in golds)
    return any(gold and f" {gold} " in padded for gold in wanted)


def score_purchase(reward: float | None) -> Score:
    """Score what a shopper bought; None: nothing.

    ``em`` is what papers on WebShop call success: the whole reward.
    """
    whole = float(reward == 1.0)
    return Score(
        em=whole,
        f1=whole,
        given=int(reward is not None),
        expected=1,
        zero="format" if reward is None else "none",
        question_em=[whole],
        reward=reward or 0.0,
    )


def score(
    answers: Sequence[str] | None, golds: Sequence[Sequence[str]], how: Normalization = SQUAD
) -> Score:
    """Score one task.

    Args:
        answers: sub-answers in order (``protocol.split_answers``); None or none at all when
            the trajectory ended without an answer.
        golds: accepted answers of each question, in the order of the prompt.
        how: the normalization.

    Returns:
        ``em`` and ``f1`` are sums over the N questions (at most N), both 0 when the number
        of answers is not N (``zero="count"``) or there is none (``zero="format"``).
        ``question_em`` has N entries; positions without an answer are 0.
    """
    expected = len(golds)
    given = list(answers or [])
    question_em = [exact_match(*pair, how) for pair in zip(given, golds, strict=False)]
    question_em += [0.0] * (expected - len(question_em))
    zero: Literal["none", "format", "count"] = "none"
    if not given:
        zero = "format"
    elif len(given) != expected:
        zero = "count"
    counted = zero == "none"
    return Score(
        em=sum(question_em) if counted else 0.0,
        f1=sum(f1(*pair, how) for pair in zip(given, golds, strict=True)) if counted else 0.0,
        given=len(given),
        expected=expected,
        zero=zero,
        question_em=question_em,
    )
