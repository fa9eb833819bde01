"""What one trajectory cost and what it got right.

Paper, section 3 of its metrics: EM and F1 are summed over the questions of a task; peak is
the longest single sequence; dependency is the work of attending; time is that of a whole
trajectory. Metrics here loop over the recorded turns and cover every trajectory; nothing is
dropped for being long or wrong. Calls of the model beside the turns (a context policy's
summaries and notes) count like turns in peak, dependency and tokens; their time is in the turn's.

Departures: tokens are those of our own tokenizer (the paper counts with GPT-4o-mini's).
``peak`` includes the task prompt, which our contexts hold; ``peak_without_prompt`` leaves it
out, as the official code does. Dependency is the code's sum of (2 n_p + n_o) n_o / 2, not
the form with swapped roles printed in the notes on the appendix. The other metrics are ours.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Literal

from mem1.errors import InputError
from mem1.records import Trajectory

DEPENDENCY_FORMULA = "sum over turns and other calls of (2 n_p + n_o) n_o / 2"


@dataclass(frozen=True)
class Metric:
    """How a metric is shown."""

    label: str
    unit: str  # of the values, in words
    printed: str  # unit in headings, after division by ``scale``; empty where obvious
    scale: float  # size of one printed unit
    digits: int  # decimals
    group: Literal["score", "cost", "training"]  # which of the full tables it stands in

    @property
    def heading(self) -> str:
        """Label and printed unit, for the head of a column or an axis."""
        return f"{self.label} ({self.printed})" if self.printed else self.label


def _share(label: str, printed: str = "% of tasks") -> Metric:
    return Metric(label, "share", printed, 0.01, 1, "score")


def _tokens(label: str) -> Metric:
    return Metric(label, "tokens", "tokens", 1, 0, "cost")


METRICS: dict[str, Metric] = {
    "em": Metric("EM", "questions", "", 1, 3, "score"),
    "f1": Metric("F1", "questions", "", 1, 3, "score"),
    "question_em": _share("Per question", "% right"),
    "all_right": _share("All right"),
    "zero_wrong": _share("Zero: nothing right"),
    "zero_count": _share("Zero: number of answers"),
    "zero_format": _share("Zero: format"),
    "zero_turns": _share("Zero: turns used up"),
    "zero_context": _share("Zero: context full"),
    "peak": _tokens("Peak"),
    "peak_without_prompt": _tokens("Peak without prompt"),
    "dependency": Metric("Dependency", "tokens^2", "10³ tokens²", 1000, 1, "cost"),
    "total_tokens": _tokens("Processed"),
    "sampled_tokens": _tokens("Sampled"),
    "seconds": Metric("Time", "seconds", "s", 1, 2, "cost"),
    "retrieval_seconds": Metric("of it retrieval", "seconds", "s", 1, 2, "cost"),
    "turns": Metric("Turns", "count", "", 1, 1, "cost"),
    "searches": Metric("Searches", "count", "", 1, 1, "cost"),
    "calls": Metric("Other calls", "count", "", 1, 1, "cost"),
}

SHOPPING: dict[str, Metric] = {  # of WebShop, beside the others
    "reward": Metric("Reward", "share", "x 100", 0.01, 2, "score"),
    "success": _share("Success", "% of goals"),
}

TRAINED: dict[str, Metric] = {  # of trainings, in their last rounds
    "train_reward": Metric("Training reward", "per trajectory", "", 1, 2, "training"),
    "train_em": Metric("Training EM", "questions", "", 1, 2, "training"),
}

# Why a trajectory without an answer has none, by how it ended. One that ended with an answer
# and has none gave an empty one.
CAUSES = {
    "answered": "zero_format",
    "bought": "zero_format",
    "format": "zero_format",
    "turns": "zero_turns",
    "context": "zero_context",
}


@dataclass(frozen=True)
class TaskMetrics:
    """The metrics of one trajectory; fields named in ``METRICS`` are averaged over tasks.

    The five ``zero_...`` are 1 for the one cause of an EM of 0, and else 0.
    """

    task_id: str
    sample: int
    em: float  # exact matches, 0..horizon
    f1: float  # token F1 summed over the questions, 0..horizon
    question_em: float  # share of questions right by position, whatever the count
    all_right: float  # 1 if every question was answered right
    zero_wrong: float  # as many answers as questions, and none right
    zero_count: float  # another number of answers than of questions
    zero_format: float  # an empty answer, or an end at a malformed output
    zero_turns: float  # no answer within the turns allowed
    zero_context: float  # no answer when no room was left for another turn
    peak: float  # tokens of the longest sequence (context plus output), prompt included
    peak_without_prompt: float  # the same less the task prompt in sequences that start with it
    dependency: float  # tokens^2: sum of (2 n_p + n_o) n_o / 2
    total_tokens: float  # context and output of all sequences, what is seen again included
    sampled_tokens: float  # output of all sequences
    seconds: float  # wall time of the whole trajectory
    retrieval_seconds: float  # of it, spent in the environment
    turns: float
    searches: float
    calls: float  # of the model, beside the turns
    reward: float | None = None  # of shopping, 0..1; None for questions
    success: float | None = None  # 1 for a purchase with the whole reward


def dependency(sizes: list[tuple[int, int]]) -> float:
    """Attended pairs of tokens over sequences, in tokens^2.

    ``sizes`` holds (n_p, n_o) of each: tokens of the context, tokens of the output. Each
    output token attends to the context and to the output tokens up to itself, which sums to
    (2 n_p + n_o) n_o / 2 up to a term of n_o / 2 (the official code's form).
    """
    return sum((2 * prefix + output) * output / 2 for prefix, output in sizes)


def sequences(trajectory: Trajectory) -> Iterator[tuple[list[int], list[int]]]:
    """Context and output of every call of the model, in order: turns and what came before them."""
    for turn in trajectory.turns:
        for call in turn.calls:
            yield call.context, call.output
        yield turn.context, turn.output


def cause_of_zero(trajectory: Trajectory) -> str | None:
    """The ``zero_...`` metric that is 1 for this trajectory, or None where something is right.

    Raises:
        InputError: no score, or an end that a finished trajectory does not have.
    """
    score = trajectory.score
    if score is None:
        raise InputError(
            f"The trajectory of task {trajectory.task_id!r} has no score: evaluate it again."
        )
    if trajectory.end not in CAUSES:
        raise InputError(
            f"The trajectory of task {trajectory.task_id!r} ended with {trajectory.end!r}, which "
            f"is no end of an evaluation: evaluate it again."
        )
    if score.zero == "format":
        return CAUSES[trajectory.end]
    if score.zero == "count":
        return "zero_count"
    return None if score.em else "zero_wrong"


def of(trajectory: Trajectory) -> TaskMetrics:
    """The metrics of one trajectory.

    Raises:
        InputError: the trajectory has no score, did not end, its score is of another horizon,
            or a number in it is not finite.
    """
    cause = cause_of_zero(trajectory)
    score = trajectory.score
    assert score is not None  # ``cause_of_zero`` refuses it
    if len(score.question_em) != trajectory.horizon:
        raise InputError(
            f"The score of task {trajectory.task_id!r} covers {len(score.question_em)} questions, "
            f"not {trajectory.horizon}: evaluate it again."
        )
    prompt = trajectory.prompt
    views = list(sequences(trajectory))
    sizes = [(len(context), len(output)) for context, output in views]
    without = [
        len(context) + len(output) - (len(prompt) if context[: len(prompt)] == prompt else 0)
        for context, output in views
    ]
    metrics = TaskMetrics(
        task_id=trajectory.task_id,
        sample=trajectory.sample,
        em=score.em,
        f1=score.f1,
        question_em=sum(score.question_em) / max(1, len(score.question_em)),
        all_right=float(score.zero == "none" and score.em == trajectory.horizon),
        zero_wrong=float(cause == "zero_wrong"),
        zero_count=float(cause == "zero_count"),
        zero_format=float(cause == "zero_format"),
        zero_turns=float(cause == "zero_turns"),
        zero_context=float(cause == "zero_context"),
        peak=max(map(sum, sizes), default=len(prompt)),
        peak_without_prompt=max(without, default=0),
        dependency=dependency(sizes),
        total_tokens=sum(map(sum, sizes)),
        sampled_tokens=sum(output for _, output in sizes),
        seconds=trajectory.seconds,
        retrieval_seconds=sum(turn.retrieval_seconds for turn in trajectory.turns),
        turns=len(trajectory.turns),
        searches=sum(turn.action == "search" for turn in trajectory.turns),
        calls=len(sizes) - len(trajectory.turns),
        reward=score.reward,
        success=None if score.reward is None else float(score.reward == 1.0),
    )
    for field in fields(metrics):
        value = getattr(metrics, field.name)
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(
                f"{field.name} of task {trajectory.task_id!r} is {value}, which is no number to "
                f"average: evaluate it again."
            )
    return metrics
