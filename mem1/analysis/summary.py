"""From evaluation files to one interval per system, horizon and metric."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from mem1.analysis.metrics import METRICS, TaskMetrics, of
from mem1.analysis.settings import Analysis
from mem1.analysis.statistics import Interval, mean_intervals
from mem1.errors import InputError
from mem1.records import Trajectory, iter_jsonl
from mem1.seeding import array_stream

Measured = dict[tuple[str, int], list[TaskMetrics]]  # by system key and horizon
Summary = dict[tuple[str, int], dict[str, Interval]]


def record_file(folder: Path, system: str, horizon: int) -> Path:
    """Where the trajectories of a system at a horizon are."""
    return folder / system / f"{horizon}.jsonl"


def read_metrics(path: Path, system: str, horizon: int) -> list[TaskMetrics]:
    """The metrics of all trajectories in ``path``.

    Raises:
        InputError: missing, malformed or empty, or a record of another system or horizon.
    """
    rows = []
    for number, trajectory in enumerate(iter_jsonl(path, Trajectory), start=1):
        if (trajectory.system, trajectory.horizon) != (system, horizon):
            raise InputError(
                f"{path}, line {number}: a trajectory of system {trajectory.system!r} with "
                f"{trajectory.horizon} objectives, expected {system!r} with {horizon}; "
                f"evaluate it again."
            )
        rows.append(of(trajectory))
    if not rows:
        raise InputError(f"{path} holds no trajectory: evaluate it again.")
    return rows


def load(folder: Path, analysis: Analysis) -> Measured:
    """The metrics of every configured system and horizon that was evaluated.

    Raises:
        InputError: nothing was evaluated, or a file is unusable.
    """
    measured = {
        (system, horizon): read_metrics(path, system, horizon)
        for system in analysis.systems
        for horizon in analysis.horizons
        if (path := record_file(folder, system, horizon)).exists()
    }
    if not measured:
        raise InputError(
            f"{folder} holds no evaluation of {', '.join(analysis.systems)}: run mem1.evaluate."
        )
    return measured


def by_task(rows: Iterable[TaskMetrics], metric: str) -> dict[str, float]:
    """Task id to value of ``metric``, averaged over the samples of a task."""
    values: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        values[row.task_id].append(getattr(row, metric))
    return {task: sum(many) / len(many) for task, many in values.items()}


def task_matrix(rows: Iterable[TaskMetrics]) -> np.ndarray:
    """Values [tasks, metrics] in the order of ``METRICS``, tasks in the order of their ids."""
    rows = list(rows)
    columns = [by_task(rows, metric) for metric in METRICS]
    return np.array([[column[task] for column in columns] for task in sorted(columns[0])])


def summarize(measured: Mapping[tuple[str, int], list[TaskMetrics]], analysis: Analysis) -> Summary:
    """All means with their intervals. Systems of one horizon share the drawn tasks."""
    return {
        (system, horizon): dict(
            zip(
                METRICS,
                mean_intervals(
                    task_matrix(rows),
                    analysis.bootstrap,
                    array_stream(analysis.seed, "bootstrap", horizon),
                ),
                strict=True,
            )
        )
        for (system, horizon), rows in measured.items()
    }
