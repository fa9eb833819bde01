"""Training runs' ``metrics.jsonl`` as curves."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mem1.analysis.grouping import lines_of_arms, rank
from mem1.analysis.settings import Analysis
from mem1.config_seeds import plain
from mem1.errors import InputError
from mem1.records import StepMetrics, read_jsonl


@dataclass(frozen=True)
class Curve:
    """The metrics of one training run: ``values[name]`` are (step, value) pairs in order."""

    label: str  # the run without its seed, or the arm of an ablation that it is a seed of
    group: str  # runs of one group (a context policy, an arm) share a colour
    stage: str  # sft or rl
    values: Mapping[str, Sequence[tuple[int, float]]]


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


def read_curve(path: Path, run: str, analysis: Analysis) -> Curve:
    """The curve of ``run``; a step that was logged twice counts as logged last."""
    values: dict[str, dict[int, float]] = defaultdict(dict)
    for row in read_jsonl(path, StepMetrics):
        for name, value in row.values.items():
            values[name][row.step] = value
    pairs = {name: sorted(steps.items()) for name, steps in values.items()}
    arm = next((arm for arm in lines_of_arms(analysis) if run in arm.runs), None)
    settings = analysis.runs[run]
    label, group = (plain(run), settings.policy) if arm is None else (arm.name, arm.label)
    return Curve(label, group, settings.stage, pairs)


def ordered(curves: Mapping[str, Curve], analysis: Analysis) -> dict[str, Curve]:
    """``curves`` by run, in the order of Figure 4: arms first, then the others by policy."""
    first = [run for arm in analysis.arms for run in arm.runs if run in curves]
    others = sorted(curves, key=lambda run: rank(analysis.runs[run].policy))
    return {run: curves[run] for run in dict.fromkeys([*first, *others])}
