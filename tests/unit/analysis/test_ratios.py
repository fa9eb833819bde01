import csv
import io
import math

import numpy as np
import pytest

from mem1.analysis import claim_registry, ratios, table1
from mem1.analysis.evidence import Evidence
from mem1.analysis.metrics import of
from mem1.analysis.statistics import Interval


@pytest.fixture
def measured(synthetic_trajectory):
    return {
        (system, 2): [
            of(synthetic_trajectory(f"t{i}", system, right=right, sizes=((60 // right, 20),)))
            for i in range(6)
        ]
        for system, right in (("mem1-rl", 2), ("full-rl", 1))
    }


def test_ratios_of_means(measured, analysis, paper):
    found = ratios.ratios(Evidence(measured, analysis, paper))
    got = {(r.comparison.first, r.metric, r.horizon): r for r in found}
    assert got["mem1-rl", "em", 2].ratio.mean == 2
    assert got["mem1-rl", "peak", 2].ratio.mean == pytest.approx(80 / 50)
    assert got["mem1-rl", "seconds", 2].ratio.mean == 1
    assert got["mem1-rl", "em", 2].paper == pytest.approx(0.709 / 0.732)
    assert got["mem1-rl", "em", 16].ratio is None
    assert got["mem1-sft", "em", 2].ratio is None


def test_a_ratio_over_seeds_is_of_their_means(seeded, synthetic_trajectory, paper):
    rights = {"mem1-rl": 1, "mem1-rl@1": 2, "mem1-rl@2": 2, "full-rl": 1, "full-rl@1": 1}
    measured = {
        (name, 2): [of(synthetic_trajectory(f"t{i}", name, right=right)) for i in range(5)]
        for name, right in rights.items()
    }
    found = ratios.ratios(Evidence(measured, seeded, paper))
    got = next(r for r in found if (r.metric, r.horizon) == ("em", 2))
    assert (got.comparison.first, got.comparison.second) == ("mem1-rl", "full-rl")
    assert got.ratio.mean == pytest.approx(5 / 3)
    assert (got.ratio.low, got.ratio.high, got.ratio.seeds) == pytest.approx((1, 2, 2))


def test_an_infinite_ratio_is_explained(measured, analysis, paper):
    one = ratios.ratios(Evidence(measured, analysis, paper))[0]
    shown = ratios.Ratio(one.comparison, "em", 16, Interval(math.inf, 9, math.inf, 6), None)
    text = table1.ratio_section([shown], [], analysis)
    assert "∞ [9.00, ∞] (the denominator is 0)" in text


def test_gain_is_not_run_without_the_sft_system(measured, analysis, paper):
    evidence = Evidence(measured, analysis, paper)
    assert {g.difference for g in ratios.gains(evidence)} == {None}


@pytest.fixture
def spread(analysis, paper, synthetic_trajectory):
    """Evidence of systems whose tasks differ at random, so that no two streams agree by chance."""
    rng = np.random.default_rng(0)
    horizons = (1, 2, 16)
    measured = {
        (system, h): [
            of(synthetic_trajectory(f"{h}-{i}", system, h, right=int(rng.integers(h + 1))))
            for i in range(30)
        ]
        for system in ("mem1-rl", "mem1-sft", "full-rl")
        for h in horizons
    }
    return Evidence(measured, analysis.model_copy(update={"horizons": list(horizons)}), paper)


def test_a_ratio_has_the_interval_of_the_claim_on_it(spread):
    claim = next(c for c in claim_registry.results(spread) if c.id == "em-ratio-16")
    rows = ratios.ratios(spread)
    got = next(
        r.ratio for r in rows if (r.comparison.first, r.metric, r.horizon) == ("mem1-rl", "em", 16)
    )
    assert got.low < got.mean < got.high
    assert (got.mean, got.low, got.high) == (claim.value, claim.low, claim.high)


def test_a_gain_has_the_interval_of_the_claim_on_it(spread):
    claim = next(c for c in claim_registry.results(spread) if c.id == "rl-above-sft")
    rows = [g for g in ratios.gains(spread) if g.comparison.first == "mem1-rl"]
    got = [(g.difference.mean, g.difference.low, g.difference.high) for g in rows]
    assert got == [(part.value, part.low, part.high) for part in claim.parts]


def test_a_gain_is_of_one_seed_of_an_arm(ablation, paper, synthetic_trajectory):
    rights = {"ppo-0": 2, "ppo-1": 0, "ppo-2": 0, "mem1-sft": 0}
    measured = {
        (system, 2): [of(synthetic_trajectory(f"t{i}", system, right=right)) for i in range(4)]
        for system, right in rights.items()
    }
    rows = ratios.gains(Evidence(measured, ablation, paper))
    got = {g.comparison.first: g.difference.mean for g in rows if g.difference}
    assert got == {"ppo-0": 2, "ppo-1": 0, "ppo-2": 0}


def test_csv_has_a_line_for_each_ratio_and_gain(measured, analysis, paper):
    evidence = Evidence(measured, analysis, paper)
    found, gained = ratios.ratios(evidence), ratios.gains(evidence)
    rows = list(csv.DictReader(io.StringIO(ratios.to_csv(found, gained))))
    assert len(rows) == len(found) + len(gained)
    first = next(r for r in rows if (r["horizon"], r["first"]) == ("2", "mem1-rl"))
    assert (first["quantity"], first["value"], first["n"]) == ("EM, first over second", "2", "6")
