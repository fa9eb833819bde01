"""From evaluation files to one interval per system, horizon and metric.

What is averaged is stated here: every configured system and number of objectives that was
evaluated. A file of a system or number of objectives that the configuration does not have is
left out, and ``strangers`` names it. A file that cannot be read to its end, that has records of
another system, horizon or version, or a task twice, is refused.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from mem1.analysis.metrics import METRICS, TaskMetrics, of
from mem1.analysis.settings import Analysis
from mem1.analysis.statistics import Interval, seeded_intervals
from mem1.errors import InputError
from mem1.records import Trajectory, iter_jsonl
from mem1.seeding import array_stream

Measured = dict[tuple[str, int], list[TaskMetrics]]  # by what the records call it, and horizon
Summary = dict[tuple[str, int], dict[str, Interval]]  # by system and horizon


def record_file(folder: Path, system: str, horizon: int) -> Path:
    """Where the trajectories of a system at a horizon are."""
    return folder / system / f"{horizon}.jsonl"


def read_metrics(path: Path, system: str, horizon: int) -> list[TaskMetrics]:
    """The metrics of all trajectories in ``path``.

    Raises:
        InputError: missing, malformed, cut or empty; a record of another system, horizon or
            version; or a task that is there twice.
    """
    rows: list[TaskMetrics] = []
    seen: set[tuple[str, int]] = set()
    for number, trajectory in enumerate(iter_jsonl(path, Trajectory), start=1):
        if (trajectory.system, trajectory.horizon) != (system, horizon):
            raise InputError(
                f"{path}, line {number}: a trajectory of system {trajectory.system!r} with "
                f"{trajectory.horizon} objectives, expected {system!r} with {horizon}; "
                f"evaluate it again."
            )
        if (trajectory.task_id, trajectory.sample) in seen:
            raise InputError(
                f"{path}, line {number}: task {trajectory.task_id!r} is there a second time; "
                f"evaluate it again."
            )
        seen.add((trajectory.task_id, trajectory.sample))
        rows.append(of(trajectory))
    if not rows:
        raise InputError(f"{path} holds no trajectory: evaluate it again.")
    return rows


def load(folder: Path, analysis: Analysis) -> Measured:
    """The metrics of every configured system, seed and horizon that was evaluated.

    Raises:
        InputError: nothing was evaluated, or a file is unusable.
    """
    measured = _measured(folder, analysis)
    if not measured:
        raise InputError(
            f"{folder} holds no evaluation of {', '.join(analysis.systems)}: run mem1.evaluate."
        )
    return measured


def load_shop(folder: Path, analysis: Analysis) -> Measured:
    """``load`` for the systems that shop; empty where none was evaluated.

    Raises:
        InputError: a file is unusable.
    """
    return {} if analysis.shop is None else _measured(folder, analysis.shop)


def _measured(folder: Path, analysis: Analysis) -> Measured:
    return {
        key: read_metrics(path, *key)
        for key in _configured(analysis)
        if (path := record_file(folder, *key)).exists()
    }


def strangers(folder: Path, analysis: Analysis) -> list[Path]:
    """Record files below ``folder`` that ``load`` leaves out, for they are not configured."""
    both = [one for one in (analysis, analysis.shop) if one is not None]
    known = {record_file(folder, *key) for one in both for key in _configured(one)}
    return sorted(path for path in folder.glob("*/*.jsonl") if path not in known)


def _configured(analysis: Analysis) -> list[tuple[str, int]]:
    """Each system, with its seeds, and number of objectives that it is evaluated on."""
    return [
        (name, horizon)
        for system, names in analysis.replicas.items()
        for name in names
        for horizon in analysis.horizons
        if analysis.evaluates(system, horizon)
    ]


def by_task(rows: Iterable[TaskMetrics], metric: str) -> dict[str, float]:
    """Task id to value of ``metric``, averaged over the samples of a task."""
    values: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        values[row.task_id].append(getattr(row, metric))
    return {task: sum(many) / len(many) for task, many in values.items()}


def seed_values(
    measured: Measured, names: Iterable[str], horizon: int, metrics: Sequence[str]
) -> tuple[tuple[str, ...], np.ndarray]:
    """The tasks in the order of their ids, and values [seeds, tasks, metrics].

    ``names`` are the records of the seeds; those that were not evaluated are no seed here.

    Raises:
        InputError: the seeds were evaluated on different tasks.
    """
    seeds = []
    tasks: list[str] | None = None
    first = ""
    for name in names:
        rows = measured.get((name, horizon))
        if rows is None:
            continue
        columns = [by_task(rows, metric) for metric in metrics]
        if tasks is None:
            tasks, first = sorted(columns[0]), name
        if tasks != sorted(columns[0]):
            raise InputError(
                f"System {name!r} was evaluated on other tasks of {horizon} objectives than "
                f"{first!r}, another seed of it: evaluate it again."
            )
        seeds.append([[column[task] for column in columns] for task in tasks])
    shape = len(seeds), len(tasks or []), len(metrics)
    return tuple(tasks or []), np.array(seeds, dtype=float).reshape(shape)


def summarize(
    measured: Measured, analysis: Analysis, metrics: Sequence[str] = tuple(METRICS)
) -> Summary:
    """Means with their intervals. Systems of one horizon share the drawn tasks."""
    found: Summary = {}
    for system, names in analysis.replicas.items():
        for horizon in analysis.horizons:
            _, values = seed_values(measured, names, horizon, metrics)
            if values.size:
                rng = array_stream(analysis.seed, "bootstrap", horizon)
                intervals = seeded_intervals(values, analysis.bootstrap, rng)
                found[system, horizon] = dict(zip(metrics, intervals, strict=True))
    return found
