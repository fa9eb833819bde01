"""What figures of evaluations draw as one: a system, or an arm of an ablation with its seeds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mem1.analysis.drawing import styles
from mem1.analysis.grouping import lines_of_arms, rank
from mem1.analysis.settings import Analysis
from mem1.analysis.statistics import Interval
from mem1.analysis.summary import Summary

TABLE1 = (2, 8, 16)  # objectives of the paper's Table 1


@dataclass(frozen=True)
class Series:
    """One line of a figure; ``values[metric]`` by number of objectives, where evaluated."""

    label: str
    group: str  # a context policy, or an arm: what shares a colour
    records: tuple[str, ...]  # what the records of its seeds are called
    values: Mapping[str, Mapping[int, Interval]]


def _parts(
    analysis: Analysis, cells: Summary, arms: Summary
) -> Iterator[tuple[str, str, tuple[str, ...], Summary, str]]:
    """Label, group, records, and where the numbers stand: arms, then systems by policy."""
    inside: set[str | None] = set()
    for arm in lines_of_arms(analysis):
        records = tuple(name for name in arm.runs.values() if name is not None)
        inside.update(records)
        yield arm.name, arm.label, records, arms, arm.label
    for name, system in sorted(analysis.systems.items(), key=lambda item: rank(item[1].policy)):
        if name not in inside:
            yield system.label, system.policy, tuple(analysis.replicas[name]), cells, name


def of_systems(analysis: Analysis, cells: Summary, arms: Summary) -> list[Series]:
    """The series of all that was evaluated.

    Args:
        analysis: which systems and arms there are.
        cells: numbers by system (``summary.summarize``).
        arms: numbers by label of an arm (``ablations.summarize``).
    """
    found = []
    for label, group, records, numbers, key in _parts(analysis, cells, arms):
        at = {h: numbers[key, h] for h in analysis.horizons if (key, h) in numbers}
        metrics = list(next(iter(at.values()), {}))
        values = {metric: {h: got[metric] for h, got in at.items()} for metric in metrics}
        if values:
            found.append(Series(label, group, records, values))
    return found


def looks(series: Sequence[Series]) -> dict[str, dict[str, Any]]:
    """Label to colour, dash and marker."""
    chosen = styles([one.group for one in series])
    return {one.label: look for one, look in zip(series, chosen, strict=True)}


def main_horizons(series: Sequence[Series]) -> list[int]:
    """Numbers of objectives for figures that do not show all: Table 1's, or the three largest."""
    evaluated = sorted({horizon for one in series for horizon in one.values["em"]})
    return [h for h in evaluated if h in TABLE1] or evaluated[-len(TABLE1) :]
