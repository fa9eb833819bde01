"""Composite tasks: N questions (objectives) to one prompt, frozen as a panel with a digest.

Paper, section 3.3: questions of existing sets are joined to one prompt of N objectives, and
the answers are given in order, separated by semicolons.

Departures from the official code, which joins N consecutive rows of one set without a shuffle
and drops the remainder (``tasks.consecutive: true`` does the same): rows are shuffled by a named
seed; no question stands twice in a panel; a question with a semicolon in one of its golds
is refused, since it could not be answered; and two questions of one task have different
texts and different first golds where the set allows, so that an answer in the wrong
position cannot be right by chance.
"""

from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from mem1 import config, provenance, seeding
from mem1.errors import InputError
from mem1.records import Question, Task, read_jsonl, write_jsonl
from mem1.tasks import scoring


def compose(
    questions: Sequence[Question],
    horizon: int,
    count: int,
    split: str,
    settings: config.Tasks,
    seed: int,
) -> list[Task]:
    """``count`` tasks of ``horizon`` questions each, no question twice.

    With ``settings.consecutive`` the rows of each set are joined in their order, its remainder
    is dropped, and ``count`` of the joined tasks are drawn, keeping their order. Otherwise
    the questions are shuffled and each task takes the next one whose text and first gold
    (normalized) it does not have yet; only where none is left does it take one that shares them.

    The result depends on the questions, their order, the settings and
    (seed, split, horizon).

    Raises:
        InputError: more questions are needed than there are, an id occurs twice, a gold
            holds a semicolon, or the settings have no turn budget for ``horizon``.
    """
    _check_questions(questions)
    joined = consecutive_rows(questions, horizon) if settings.consecutive else []
    usable = horizon * len(joined) if settings.consecutive else len(questions)
    _check_numbers(len(questions), usable, horizon, count, split)
    max_turns = settings.turns_for(horizon)
    random = seeding.stream(seed, "compose", split, horizon)
    if settings.consecutive:
        rows = [joined[i] for i in sorted(random.sample(range(len(joined)), count))]
    else:
        pool = list(questions)
        random.shuffle(pool)
        rows = _distinct_rows(pool, horizon, count)
    return [
        Task(id=f"{split}-{horizon}-{i:04d}", split=split, questions=row, max_turns=max_turns)
        for i, row in enumerate(rows)
    ]


def count_field(split: str) -> Literal["train_count", "test_count"]:
    """The field of ``config.Tasks`` that says how many tasks a panel of ``split`` has."""
    return "train_count" if split == "train" else "test_count"


def _check_questions(questions: Sequence[Question]) -> None:
    seen: set[str] = set()
    for question in questions:
        if question.id in seen:
            raise InputError(f"Question {question.id!r} occurs twice: remove one.")
        seen.add(question.id)
        for gold in question.golds:
            if ";" in gold:
                raise InputError(
                    f"Question {question.id!r} has the gold {gold!r} with a semicolon, which "
                    f"separates answers: remove the question."
                )
        if not question.golds:
            raise InputError(f"Question {question.id!r} has no gold answer: add one.")


def consecutive_rows(questions: Sequence[Question], horizon: int) -> list[list[Question]]:
    """``horizon`` consecutive questions of one set each, set after set, without remainders.

    As in the official code: 51,713 test questions of seven sets give 25,854 pairs, not 25,856.
    """
    sets: dict[str, list[Question]] = {}
    for question in questions:
        sets.setdefault(question.source, []).append(question)
    return [
        own[start : start + horizon]
        for own in sets.values()
        for start in range(0, len(own) - horizon + 1, max(horizon, 1))
    ]


def _check_numbers(available: int, usable: int, horizon: int, count: int, split: str) -> None:
    if horizon < 1 or count < 1:
        raise InputError(
            f"{count} tasks of {horizon} objectives cannot be made: ask for at least one of each."
        )
    field = "tasks.train_horizon" if split == "train" else "tasks.test_horizons"
    if horizon > available:
        raise InputError(
            f"A task of {horizon} objectives needs {horizon} questions, and the set has "
            f"{available}: lower {field} to {available} or less, or add questions."
        )
    if horizon > usable:
        raise InputError(
            f"No set has the {horizon} questions of a task, which tasks.consecutive takes from one "
            f"set: lower {field}, or add questions."
        )
    if horizon * count > usable:
        raise InputError(
            f"{count} tasks of {horizon} objectives need {horizon * count} questions, and the "
            f"set has {usable}: lower tasks.{count_field(split)} to {usable // horizon} or "
            f"less, or add questions."
        )


def _keys(question: Question) -> set[tuple[str, str]]:
    """What no other question of the same task should share."""
    return {
        ("text", scoring.normalize(question.text)),
        ("gold", scoring.normalize(question.golds[0])),
    }


def _distinct_rows(pool: Sequence[Question], horizon: int, count: int) -> list[list[Question]]:
    waiting = deque(pool)
    rows: list[list[Question]] = []
    for _ in range(count):
        row: list[Question] = []
        taken: set[tuple[str, str]] = set()
        passed: deque[Question] = deque()  # too like one of this task; first in line for the next
        while waiting and len(row) < horizon:
            question = waiting.popleft()
            if taken.isdisjoint(_keys(question)):
                taken |= _keys(question)
                row.append(question)
            else:
                passed.append(question)
        while len(row) < horizon:
            row.append(passed.popleft())
        waiting.extendleft(reversed(passed))
        rows.append(row)
    return rows


def manifest_path(panel: Path) -> Path:
    """Where the manifest of ``panel`` lies: ``test-16.jsonl`` -> ``test-16.manifest.json``."""
    return panel.with_name(f"{panel.stem}.manifest.json")


def save_panel(path: Path, tasks: Sequence[Task], made_from: dict[str, Any]) -> None:
    """Write a panel and then its manifest, each whole or not at all.

    Args:
        path: the JSONL file.
        tasks: the panel.
        made_from: what it was made from (digests, settings, seed), as JSON values.
    """
    used = [question for task in tasks for question in task.questions]
    write_jsonl(path, tasks)
    manifest = {
        **made_from,
        "panel": provenance.file_digest(path),
        "tasks": len(tasks),
        "questions": len(used),
        "by_source": dict(Counter(question.source for question in used)),
        "by_hops": dict(Counter(str(question.hops or "unknown") for question in used)),
    }
    provenance.write_json(manifest_path(path), manifest)


def load_panel(path: Path) -> list[Task]:
    """The tasks in ``path``, after comparing the file with its manifest.

    Raises:
        InputError: the panel or its manifest is missing or malformed, or they differ.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist: compose it first, or correct the path.")
    manifest = provenance.read_json(manifest_path(path))
    recorded = manifest.get("panel") if isinstance(manifest, dict) else None
    if not isinstance(recorded, str):
        raise InputError(
            f"{manifest_path(path)} records no digest of the panel: compose {path.name} again."
        )
    provenance.check_digests(
        {path.name: recorded}, {path.name: provenance.file_digest(path)}, f"The panel {path}"
    )
    return read_jsonl(path, Task)
