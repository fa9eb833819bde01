"""Settings that are fine alone and contradict others: refused before anything starts.

Each function is given parts of the configuration and raises ValueError, with one sentence that
names the settings and the fix. ``config.Config`` calls them.
"""

from collections.abc import Iterable, Mapping

from mem1.config_learning import Rl, Section
from mem1.config_sources import Sources
from mem1.config_systems import Run


def packing(where: str, run: Run, settings: Section) -> None:
    """Refuse the paper's row for the run at ``where``, if its contexts have none."""
    if isinstance(settings, Rl) and settings.packing != "tree" and run.policy != "mem1":
        raise ValueError(
            f"{where} has policy {run.policy} and packing {settings.packing}, which is the "
            f"paper's row for mem1: use packing: tree"
        )


def turns(where: str, horizons: Iterable[int], max_turns: Mapping[int, int]) -> None:
    """Refuse numbers of objectives, set at ``where``, that have no turn budget."""
    largest = max(max_turns, default=0)
    for horizon in horizons:
        if horizon > largest:
            raise ValueError(
                f"{where} has {horizon} objectives, and tasks.max_turns has no entry for {horizon} "
                f"or more: add one, or ask for {largest} at most"
            )


def training_data(runs: Mapping[str, Run], sources: Sources, train_count: int) -> None:
    """Refuse trainings that would have no questions, or no tasks.

    Those on local files are no part of the workflow, which says so.
    """
    if runs and sources.kind == "hub" and not sources.train:
        raise ValueError(
            f"sources.train is empty, and runs has {', '.join(runs)}: name rows of "
            f"config/datasets.tsv there, or set the runs to null"
        )
    collecting = [name for name, run in runs.items() if run.stage == "rl"]
    if collecting and not train_count and sources.kind != "files":
        raise ValueError(
            f"tasks.train_count is 0, and runs has {', '.join(collecting)} of stage rl: ask for "
            f"tasks to train on, or set the runs to null"
        )


def measured(tasks: int, test_count: int) -> None:
    """Refuse to compare more trajectories of a panel than it has."""
    if tasks > test_count:
        raise ValueError(
            f"mask_gap.tasks is {tasks}, and tasks.test_count {test_count}: ask for {test_count} "
            f"at most, or for larger panels"
        )
