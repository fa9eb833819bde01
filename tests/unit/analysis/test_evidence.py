"""Which seeds an interval draws together: those of the same trainings, and of chained ones."""

import numpy as np
import pytest

from mem1.analysis import grouping
from mem1.analysis.evidence import Evidence
from mem1.analysis.metrics import of
from mem1.analysis.settings import analysis_section
from mem1.config_files import load

SEEDS = ("", "@1", "@2")


@pytest.fixture
def evidence(seeded, paper, synthetic_trajectory):
    """A function that makes evidence of systems whose seeds have 0, 2 and 5 of 8 right."""

    def make(*systems):
        measured = {
            (system + seed, 8): [
                of(synthetic_trajectory(f"t{i}", system + seed, 8, right=right)) for i in range(5)
            ]
            for system in systems
            for seed, right in zip(SEEDS, (0, 2, 5), strict=True)
        }
        return Evidence(measured, seeded, paper)

    return make


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("mem1-rl", "mem1-web"),  # the same weights
        ("truncate", "amem"),
        ("full-rl", "truncate"),  # each RL starts from the SFT of its own seed
        ("mem1-rl", "mem1-sft"),
        ("mem1-format", "mem1-rl"),  # two trainings from one start
    ],
)
def test_equal_seeds_of_the_same_or_chained_trainings_cancel(first, second, evidence):
    got = evidence(first, second).minus((first, 8, "em"), (second, 8, "em"))
    assert (got.mean, got.low, got.high, got.seeds) == (0, 0, 0, 3)


def test_equal_seeds_of_other_trainings_do_not_cancel(evidence):
    got = evidence("mem1-rl", "full-rl").minus(("mem1-rl", 8, "em"), ("full-rl", 8, "em"))
    assert got.low < 0 < got.high


def test_other_seeds_of_the_same_trainings_are_not_paired(evidence):
    both = evidence("mem1-rl", "mem1-web")
    measured = dict(both.measured)
    del measured["mem1-rl@2", 8], measured["mem1-web@1", 8]
    few = Evidence(measured, both.analysis, both.expected)
    first, second = (few.sample(name, 8, "em") for name in ("mem1-rl", "mem1-web"))
    assert first.trained == ("sft-mem1", "sft-mem1@1")
    assert second.trained == ("sft-mem1", "sft-mem1@2")


def test_seeds_of_rl_over_one_warm_start_are_told_by_their_own_runs(ablation):
    arm = ["ppo-0", "ppo-1", "ppo-2"]
    assert grouping.trainings(ablation, arm) == ("rl-ppo-0", "rl-ppo-1", "rl-ppo-2")


def test_weights_from_elsewhere_are_told_by_the_system(root):
    sample = analysis_section(load(root / "config/config.yaml", root / "config/sample.yaml"))
    assert grouping.trainings(sample, ["oracle-mem1"]) == ("oracle-mem1",)


def test_one_seed_draws_tasks_alone(analysis, paper, synthetic_trajectory):
    rights = np.random.default_rng(0).integers(9, size=(2, 20))
    measured = {
        (system, 8): [
            of(synthetic_trajectory(f"t{i}", system, 8, right=int(right)))
            for i, right in enumerate(row)
        ]
        for system, row in zip(("mem1-rl", "mem1-web"), rights, strict=True)
    }
    got = Evidence(measured, analysis, paper).minus(("mem1-rl", 8, "em"), ("mem1-web", 8, "em"))
    assert (got.mean, got.seeds) == (rights[0].mean() - rights[1].mean(), 1)
    assert got.low < got.high
