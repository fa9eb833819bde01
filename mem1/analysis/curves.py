"""Training runs' ``metrics.jsonl`` as curves."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from mem1.analysis.figures import Curve
from mem1.config import Run
from mem1.errors import InputError
from mem1.records import StepMetrics, read_jsonl


def metric_files(folder: Path, runs: Iterable[str]) -> dict[str, Path]:
    """Run name to its ``metrics.jsonl``, for those of ``runs`` that were trained.

    Raises:
        InputError: none was.
    """
    paths = {run: folder / run / "metrics.jsonl" for run in runs}
    found = {run: path for run, path in paths.items() if path.exists()}
    if not found:
        raise InputError(f"{folder} holds no metrics.jsonl of {', '.join(paths)}: train first.")
    return found


def read_curve(path: Path, label: str, run: Run) -> Curve:
    """The curve of one run; a step that was logged twice counts as logged last."""
    values: dict[str, dict[int, float]] = defaultdict(dict)
    for row in read_jsonl(path, StepMetrics):
        for name, value in row.values.items():
            values[name][row.step] = value
    pairs = {name: sorted(steps.items()) for name, steps in values.items()}
    return Curve(label, run.policy, run.stage, pairs)
