"""What figures and claims take as one, and in which order lines stand.

Arms of an ablation are lines where one of them has seeds that are systems of their own, as in the
preset ``ablations``. Elsewhere, as in ``mini``, every system is a line, with the seeds that
``seeds`` of the configuration gives it.
"""

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
