"""What claims and ratios are made of: records, curves, the paper's numbers, and who is who."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from mem1.analysis.curves import Curve
from mem1.analysis.expected import Expected
from mem1.analysis.grouping import arm_of, trainings
from mem1.analysis.settings import Analysis, Comparison, Stage
from mem1.analysis.statistics import Interval, Sample, compound
from mem1.analysis.summary import Measured, seed_values
from mem1.config_systems import EnvironmentName
from mem1.seeding import array_stream


@dataclass(frozen=True)
class Evidence:
    """All that a claim may look at."""

    measured: Measured
    analysis: Analysis
    expected: Expected
    curves: Mapping[str, Curve] = field(default_factory=dict)  # by run
    shopped: Measured = field(default_factory=dict)  # by the systems that shop

    @property
    def shop(self) -> "Evidence | None":
        """The evidence of the systems that shop, if any was evaluated."""
        if self.analysis.shop is None or not self.shopped:
            return None
        return Evidence(self.shopped, self.analysis.shop, self.expected)

    def memories(self, *stages: Stage, environment: EnvironmentName = "wiki") -> Comparison | None:
        """MEM1 and full history after the same training, the first of ``stages`` that has them."""
        found = self.analysis.compared("memory", environment)
        return next((pair for pair in found if pair.stage in stages), None)

    def trainings(self) -> Comparison | None:
        """MEM1 after RL and after SFT."""
        systems = self.analysis.systems
        found = self.analysis.compared("training")
        return next((pair for pair in found if systems[pair.first].policy == "mem1"), None)

    def mem1(self) -> str | None:
        """MEM1 as trained best: of a pair of memories, or of a pair of trainings."""
        pair = self.memories("rl", "given") or self.trainings()
        return None if pair is None else pair.first

    def of_row(self, row: str) -> str | None:
        """The system that is the paper's ``row``, over Wikipedia; released weights before ours."""
        found = {
            name: settings
            for name, settings in self.analysis.of_environment("wiki").items()
            if settings.paper == row and settings.engine != "oracle-reader"
        }
        return min(found, key=lambda name: found[name].run is not None, default=None)

    def label(self, system: str) -> str:
        """What a reader calls ``system``."""
        arm = arm_of(self.analysis, system)
        return self.analysis.systems[system].label if arm is None else arm.label

    def _records(self, system: str, alone: bool) -> list[str]:
        """What the records of all trainings of ``system`` are called: of its arm, if it has one."""
        arm = None if alone else arm_of(self.analysis, system)
        if arm is None:
            return self.analysis.replicas[system]
        return [name for name in arm.runs.values() if name is not None]

    def sample(self, system: str, horizon: int, metric: str, alone: bool = False) -> Sample | None:
        """The values of one metric; None where it was not evaluated.

        A system that is one seed of an arm stands for the whole arm, unless it is to be ``alone``.
        """
        names = [name for name in self._records(system, alone) if (name, horizon) in self.measured]
        tasks, values = seed_values(self.measured, names, horizon, [metric])
        if not values.size:
            return None
        return Sample(trainings(self.analysis, names), tasks, values[:, :, 0])

    def interval(
        self,
        combine: Callable[..., np.ndarray],
        *of: tuple[str, int, str],
        least: float = -np.inf,
        alone: bool = False,
    ) -> Interval | None:
        """A quantity made of the means of (system, horizon, metric); None if one was not run."""
        samples = [self.sample(*key, alone) for key in of]
        there = [one for one in samples if one is not None]
        if len(there) < len(samples):
            return None
        rng = array_stream(self.analysis.seed, "claim", *(part for key in of for part in key))
        return compound(there, combine, self.analysis.bootstrap, rng, least)

    def minus(self, *of: tuple[str, int, str], alone: bool = False) -> Interval | None:
        """The first of two means minus the second."""
        return self.interval(lambda a, b: a - b, *of, alone=alone)

    def over(self, *of: tuple[str, int, str], alone: bool = False) -> Interval | None:
        """The first of two means over the second, neither of them negative."""
        return self.interval(lambda a, b: a / b, *of, least=0.0, alone=alone)
