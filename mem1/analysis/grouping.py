"""What figures and claims take as one, and in which order lines stand.

Arms of an ablation are lines where one of them has seeds that are systems of their own, as in the
preset ``ablations``. Elsewhere, as in ``mini``, every system is a line, with the seeds that
``seeds`` of the configuration gives it.
"""

from collections.abc import Sequence

from mem1.analysis.arms import Arm
from mem1.analysis.settings import Analysis
from mem1.config_seeds import plain

POLICIES = ("mem1", "full", "truncate", "summary", "amem", "overwrite")


def rank(policy: str) -> int:
    """Place of a context policy in legends; whatever else is compared comes behind."""
    return POLICIES.index(policy) if policy in POLICIES else len(POLICIES)


def lines_of_arms(analysis: Analysis) -> list[Arm]:
    """The arms that are lines; none where every system is one."""
    several = any(len(set(map(plain, arm.runs))) > 1 for arm in analysis.arms)
    return analysis.arms if several else []


def arm_of(analysis: Analysis, system: str) -> Arm | None:
    """The arm whose line ``system`` is part of; None where the system is a line itself."""
    arms = lines_of_arms(analysis)
    return next((arm for arm in arms if system in arm.runs.values()), None)


def _chain(analysis: Analysis, record: str) -> list[str]:
    """The runs behind what the records call ``record``, the first training in front."""
    system = plain(record)
    run = analysis.systems[system].run
    if run is None:
        return [record]
    run += record.removeprefix(system)  # the mark of the seed
    found = [run]
    while run in analysis.runs and (run := analysis.runs[run].start) in analysis.runs:
        found.append(run)
    return found[::-1]


def trainings(analysis: Analysis, records: Sequence[str]) -> tuple[str, ...]:
    """The run in which the seeds that ``records`` are of begin to differ, for each of them.

    Systems with the same runs here are paired, seed by seed: they play the same weights, or one
    was trained on from the other. What a teacher of one seed passes on is not followed.
    """
    chains = [_chain(analysis, record) for record in records]
    for runs in zip(*chains, strict=False):
        if len(set(runs)) == len(records):
            return runs
    return tuple(records)
