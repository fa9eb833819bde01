"""What one trajectory cost and what it got right.

Paper, section 3 of its metrics: EM and F1 are summed over the questions of a task; peak is
the longest single sequence; dependency is the work of attending. Metrics here loop over the
recorded turns and cover every trajectory; nothing is dropped for being long or wrong.

Departures: tokens are those of our own tokenizer (the paper counts with GPT-4o-mini's).
``peak`` includes the task prompt, which our contexts hold; ``peak_without_prompt`` leaves it
out, as the official code does. Dependency is the code's sum of (2 n_p + n_o) n_o / 2, not
the form with swapped roles printed in the notes on the appendix. The share of zeros due to
format or to the number of answers, and the score per question, are ours.
"""

from dataclasses import dataclass

from mem1.errors import InputError
from mem1.records import Trajectory

DEPENDENCY_FORMULA = "sum over turns of (2 n_p + n_o) n_o / 2"


@dataclass(frozen=True)
class Metric:
    """How a metric is shown."""

    label: str
    unit: str  # of the values, in words
    printed: str  # unit in headings, after division by ``scale``; empty where obvious
    scale: float  # size of one printed unit
    digits: int  # decimals

    @property
    def heading(self) -> str:
        """Label and printed unit, for the head of a column or an axis."""
        return f"{self.label} ({self.printed})" if self.printed else self.label


METRICS: dict[str, Metric] = {
    "em": Metric("EM", "questions", "", 1, 3),
    "f1": Metric("F1", "questions", "", 1, 3),
    "peak": Metric("Peak", "tokens", "tokens", 1, 0),
    "seconds": Metric("Time", "seconds", "s", 1, 2),
    "peak_without_prompt": Metric("Peak without prompt", "tokens", "tokens", 1, 0),
    "dependency": Metric("Dependency", "tokens^2", "10³ tokens²", 1000, 1),
    "turns": Metric("Turns", "count", "", 1, 1),
    "searches": Metric("Searches", "count", "", 1, 1),
    "zero_format": Metric("Zero by format", "share", "% of tasks", 0.01, 1),
    "zero_count": Metric("Zero by count", "share", "% of tasks", 0.01, 1),
    "question_em": Metric("Per question", "share", "% right", 0.01, 1),
}

TRAINED: dict[str, Metric] = {  # of trainings, in their last rounds
    "train_reward": Metric("Training reward", "per trajectory", "", 1, 2),
    "train_em": Metric("Training EM", "questions", "", 1, 2),
}


@dataclass(frozen=True)
class TaskMetrics:
    """The metrics of one trajectory; fields named in ``METRICS`` are averaged over tasks."""

    task_id: str
    sample: int
    em: float  # exact matches, 0..horizon
    f1: float  # token F1 summed over the questions, 0..horizon
    peak: float  # tokens of the longest sequence (context plus output), prompt included
    peak_without_prompt: float  # the same less the tokens of the task prompt
    dependency: float  # tokens^2: sum of (2 n_p + n_o) n_o / 2
    seconds: float  # wall time of the whole trajectory
    turns: float
    searches: float
    zero_format: float  # 1 if the task scored 0 because no well-formed answer came
    zero_count: float  # 1 if it scored 0 because the number of answers was wrong
    question_em: float  # share of questions right by position, whatever the count


def dependency(sizes: list[tuple[int, int]]) -> float:
    """Attended pairs of tokens over turns, in tokens^2.

    ``sizes`` holds (n_p, n_o) per turn: tokens of the context, tokens of the output. Each
    output token attends to the context and to the output tokens up to itself, which sums to
    (2 n_p + n_o) n_o / 2 up to a term of n_o / 2 (the official code's form).
    """
    return sum((2 * prefix + output) * output / 2 for prefix, output in sizes)


def of(trajectory: Trajectory) -> TaskMetrics:
    """The metrics of one trajectory.

    Raises:
        InputError: the trajectory has no score, or its score is of another horizon.
    """
    score = trajectory.score
    if score is None:
        raise InputError(
            f"The trajectory of task {trajectory.task_id!r} has no score: evaluate it again."
        )
    if len(score.question_em) != trajectory.horizon:
        raise InputError(
            f"The score of task {trajectory.task_id!r} covers {len(score.question_em)} questions, "
            f"not {trajectory.horizon}: evaluate it again."
        )
    sizes = [(len(turn.context), len(turn.output)) for turn in trajectory.turns]
    prompt = len(trajectory.prompt)
    peak = max((prefix + output for prefix, output in sizes), default=prompt)
    return TaskMetrics(
        task_id=trajectory.task_id,
        sample=trajectory.sample,
        em=score.em,
        f1=score.f1,
        peak=peak,
        peak_without_prompt=peak - prompt,
        dependency=dependency(sizes),
        seconds=trajectory.seconds,
        turns=len(sizes),
        searches=sum(turn.action == "search" for turn in trajectory.turns),
        zero_format=float(score.zero == "format"),
        zero_count=float(score.zero == "count"),
        question_em=sum(score.question_em) / max(1, len(score.question_em)),
    )
