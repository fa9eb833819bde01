"""Sources put together, and the questions that can be scored and answered from them.

Departure from the paper's code, which takes all rows as they are: ``select`` keeps only
questions that can be scored by position and answered from the passages at hand, ``select_all``
those that can be scored; both count what they drop and why.
"""

from collections.abc import Collection, Mapping, Sequence

from mem1.errors import InputError
from mem1.records import Question
from mem1.tasks import scoring
from mem1.tasks.sources import Source


def merge(sources: Sequence[Source]) -> tuple[Source, int]:
    """All ``sources`` as one, each (title, text) once, and the number of passages dropped.

    The first of equal passages stays, and evidence follows it.

    Raises:
        InputError: two questions, or two different passages, have the same id.
    """
    merged = Source()
    first: dict[tuple[str, str], str] = {}  # (title, text) -> id that stays
    stays: dict[str, str] = {}  # id -> id that stays
    read = 0
    for source in sources:
        for passage in source.passages:
            read += 1
            content = (passage.title, passage.text)
            if passage.id in stays and stays[passage.id] != first.get(content):
                raise InputError(
                    f"Two different passages have the id {passage.id!r}: make ids unique "
                    f"within a file, and name each file's set differently."
                )
            if content not in first:
                first[content] = passage.id
                merged.passages.append(passage)
            stays[passage.id] = first[content]
    texts: dict[str, str] = {}
    for source in sources:
        for question in source.questions:
            if texts.setdefault(question.id, question.text) != question.text:
                raise InputError(
                    f"Two different questions have the id {question.id!r}: make ids unique."
                )
            merged.questions.append(question)
            if question.id in source.evidence:
                named = (stays.get(i, i) for i in source.evidence[question.id])
                merged.evidence[question.id] = list(dict.fromkeys(named))
    return merged, read - len(merged.passages)


def select(source: Source) -> tuple[list[Question], dict[str, int]]:
    """The questions that can be scored and answered, and how many were dropped for what.

    Reasons, the first that applies:

    - ``semicolon_in_gold``: answers are separated by semicolons, so it could not be given.
    - ``yes_no``: no passage can be said to contain it.
    - ``repeated_text``: the same question was kept before.
    - ``answer_not_in_passages``: none of the golds stands in the question's own passages
      (in any passage where its set names none), as whole words after normalization.
    """
    texts = {p.id: scoring.normalize(f"{p.title} {p.text}") for p in source.passages}
    kept: list[Question] = []
    dropped = dict.fromkeys(
        ("semicolon_in_gold", "yes_no", "repeated_text", "answer_not_in_passages"), 0
    )
    seen: set[str] = set()
    for question in source.questions:
        reason = _reason(question, seen, texts, source.evidence)
        if reason is None:
            kept.append(question)
            seen.add(scoring.normalize(question.text))
        else:
            dropped[reason] += 1
    return kept, dropped


def select_all(questions: Sequence[Question]) -> tuple[list[Question], dict[str, int]]:
    """The questions that can be scored by position, and how many were dropped for what.

    For whole sets over a corpus of their own, as the paper uses them: nothing is asked of the
    passages. Reasons are ``semicolon_in_gold`` and ``repeated_text``, as in ``select``.
    """
    kept: list[Question] = []
    dropped = dict.fromkeys(("semicolon_in_gold", "repeated_text"), 0)
    seen: set[str] = set()
    for question in questions:
        text = scoring.normalize(question.text)
        if any(";" in gold for gold in question.golds):
            dropped["semicolon_in_gold"] += 1
        elif text in seen:
            dropped["repeated_text"] += 1
        else:
            kept.append(question)
            seen.add(text)
    return kept, dropped


def _reason(
    question: Question,
    seen: Collection[str],
    texts: Mapping[str, str],
    evidence: Mapping[str, Sequence[str]],
) -> str | None:
    if any(";" in gold for gold in question.golds):
        return "semicolon_in_gold"
    if {scoring.normalize(gold) for gold in question.golds} <= {"yes", "no"}:
        return "yes_no"
    if scoring.normalize(question.text) in seen:
        return "repeated_text"
    own = evidence.get(question.id, texts)
    if not any(scoring.stands_in(texts[i], question.golds) for i in own if i in texts):
        return "answer_not_in_passages"
    return None
