import json
import math

import pytest
import yaml

from mem1.analysis import claim_registry, claim_report, claims
from mem1.analysis.claims import Claim, Finding, Part, Result, decide, judge
from mem1.analysis.curves import Curve
from mem1.analysis.evidence import Evidence
from mem1.analysis.expected import load
from mem1.analysis.metrics import of
from mem1.analysis.settings import analysis_section
from mem1.analysis.statistics import Interval
from mem1.config_files import load as configured
from mem1.errors import InputError

FULL = {1: 200, 2: 300, 8: 900, 16: 1600}  # tokens of a context with everything in it
CONSTANT = {1: 90, 2: 100, 8: 120, 16: 150}


@pytest.fixture
def play(synthetic_trajectory):
    """A function that makes the metrics of ten tasks of each of some systems."""

    def make(right, sizes, tasks=10, seconds=1.0, horizons=(1, 2, 8, 16)):
        return {
            (system, horizon): [
                of(
                    synthetic_trajectory(
                        f"{horizon}-{number}",
                        system,
                        horizon,
                        right=min(horizon, number_right(number, horizon)),
                        sizes=((sizes[system][horizon], 10),),
                        prompt=0,
                        seconds=seconds,
                    )
                )
                for number in range(tasks)
            ]
            for system, number_right in right.items()
            for horizon in horizons
        }

    return make


@pytest.fixture
def as_the_paper_says(play):
    """Records of all of mini that agree with what it can test, with room to spare."""
    sizes = {
        "mem1-rl": CONSTANT,
        "mem1-sft": CONSTANT,
        "full-rl": FULL,
        "full-sft": FULL,
        "truncate": CONSTANT,
        "amem": CONSTANT,
        "summary": CONSTANT,
        "overwrite": CONSTANT,
    }
    right = dict.fromkeys(sizes, lambda i, h: 0) | {
        "mem1-rl": lambda i, h: h,
        "mem1-sft": lambda i, h: {1: 0, 2: 1, 8: 1, 16: 0}[h],
        "full-rl": lambda i, h: {1: 1, 2: 1, 8: 3, 16: 1}[h],
    }
    found = play(right, sizes)
    slow = play(right, sizes, seconds=5.0)
    web = {"mem1-web": lambda i, h: 1, "full-web": lambda i, h: 0}
    worse = {"mem1-format": lambda i, h: 1}
    return {
        **{k: slow[k] if k[0].startswith("full") else rows for k, rows in found.items()},
        **play(web, {"mem1-web": CONSTANT, "full-web": FULL}, horizons=(1,)),
        **play(worse, {"mem1-format": {2: 80}}, horizons=(2,)),
    }


@pytest.fixture
def four(analysis):
    """Preset mini over four numbers of objectives."""
    return analysis.model_copy(update={"horizons": [1, 2, 8, 16]})


def verdicts(measured, analysis, paper, curves=None):
    found = claim_registry.results(Evidence(measured, analysis, paper, curves or {}))
    return {result.id: result for result in found}


@pytest.mark.parametrize(
    ("side", "low", "high", "verdict"),
    [
        ("at least", 3.5, 9, "supported"),
        ("at least", 3.4, 9, "not supported"),  # the mean reaches it
        ("at least", 1, 2, "not supported"),
        ("at least", math.inf, math.inf, "supported"),
        ("at most", 1, 3.5, "supported"),
        ("at most", 1, 3.6, "not supported"),
        ("above", 3.5, 9, "not supported"),
        ("above", 3.51, 9, "supported"),
        ("above", 3.5 + 1e-12, 9, "not supported"),  # no more than rounding
        ("below", 1, 3.5, "not supported"),
        ("below", 1, 3.4, "supported"),
    ],
)
def test_the_whole_interval_must_be_on_the_claims_side(side, low, high, verdict):
    mean = (low + high) / 2
    assert judge([Part("x", side, 3.5, Interval(mean, low, high, 9))]) == verdict


def test_every_part_must_hold_and_shown_ones_do_not_count():
    good, bad = (
        Part(name, "above", 0.0, Interval(mean, mean - 1, mean + 1, 9))
        for name, mean in (("good", 3.0), ("bad", 0.5))
    )
    shown = Part("shown", "above", 9.0, Interval(0, 0, 0, 9), decides=False)
    missing = Part("missing", "above", 0.0, None)
    assert judge([good, shown]) == "supported"
    assert judge([good, bad]) == "not supported"
    assert judge([bad, missing]) == "not supported"
    assert judge([good, missing]) == judge([missing, shown]) == judge([]) == "not run"
    assert claims.weakest([good, bad, missing, shown]) is bad


def test_a_result_says_which_parts_hold_and_shows_the_weakest(analysis, paper):
    parts = [
        Part("2", "above", 0.0, Interval(3, 2, 4, 9)),
        Part("8", "above", 0.0, Interval(1, -0.5, 2, 9)),
        Part("16", "above", 0.0, None),
    ]
    claim = Claim("x", "It rises.", "P", "Table 1", lambda _: Finding("It is above 0", parts))
    got = decide(claim, Evidence({}, analysis, paper))
    assert (got.value, got.low, got.high, got.n, got.of) == (1, -0.5, 2, 9, "8")
    assert got.note == (
        "holds: 2; does not hold: 8; not run: 16; the mean reaches it, the interval does not"
    )
    assert claims.sentence(got).startswith("It is above 0: 1.00 [-0.50, 2.00]: **not supported**")


def test_what_mini_can_test_is_supported_by_records_as_in_the_paper(as_the_paper_says, four, paper):
    assert {system for system, _ in as_the_paper_says} == set(four.systems)
    got = verdicts(as_the_paper_says, four, paper)
    untested = {k for k in got if k.startswith("webshop")} | {"format-reward-faster"}
    assert {k for k, r in got.items() if r.verdict == "not run"} == untested
    assert {r.verdict for k, r in got.items() if k not in untested} == {"supported"}
    assert got["em-ratio-16"].value == 16
    assert got["peak-ratio-16"].value == pytest.approx(1610 / 160)
    assert got["peak-share-16"].value == pytest.approx(160 / 1610)
    assert got["time-share-16"].value == pytest.approx(0.2)
    assert got["peak-near-constant"].value == pytest.approx(160 / 110)
    assert got["peak-grows-slower"].value == pytest.approx(160 / 110 / (1610 / 310))
    assert got["rl-above-sft"].value == 1
    assert got["sft-collapses"].value == -1
    assert (got["generalizes"].value, got["generalizes"].of) == (6, "8")
    assert got["full-history-degrades"].value == -2
    assert got["single-objective-peak"].value == pytest.approx(100 / 210)
    assert got["web-transfer"].value == got["web-em"].value == 1
    assert (got["format-reward-worse"].value, got["format-reward-peak"].value) == (-1, -20)
    assert {r.n for r in got.values() if r.verdict == "supported"} == {10}


def test_a_system_of_mini_is_called_by_its_label_and_not_by_its_arm(as_the_paper_says, four, paper):
    got = verdicts(as_the_paper_says, four, paper)
    assert got["em-ratio-16"].of == "16 objectives, MEM1 (RL) over Full history (RL)"
    assert got["format-reward-worse"].of == "PPO, format reward; 1 seed against PPO; 1 seed"


def test_one_training_of_each_says_why_it_decides_nothing(analysis, paper):
    values = {"em": [(1, 0.0), (2, 1.0)], "reward": [(1, 0.0), (2, 1.0)]}
    curves = {run: Curve(run, run, "rl", values) for run in ("rl-mem1", "rl-format")}
    found = claim_registry.results(Evidence({}, analysis, paper, curves))
    faster = next(result for result in found if result.id == "format-reward-faster")
    assert (faster.verdict, faster.parts[0].value) == ("not run", 0)
    assert faster.note.startswith("one training of each")
    row = next(
        row
        for row in claim_report.summary_table(found).splitlines()
        if row.startswith("| [format-reward-faster]")
    )
    assert row.endswith("| not run |  | **not run** |")


def test_the_opposite_is_not_supported(as_the_paper_says, four, paper):
    swap = {"mem1-rl": "full-rl", "full-rl": "mem1-rl"}
    swapped = {(swap.get(s, s), h): rows for (s, h), rows in as_the_paper_says.items()}
    got = verdicts(swapped, four, paper)
    wrong = {
        *("em-ratio-16", "peak-ratio-16", "peak-share-16", "time-share-16"),
        *("peak-near-constant", "peak-grows-slower", "best-at-long-horizons"),
        *("full-history-degrades", "single-objective-peak", "single-objective-dependency"),
    }
    assert {k for k in wrong if got[k].verdict == "not supported"} == wrong


def test_constant_enough_is_the_papers_own_growth(play, four, paper):
    bound = 10.4 / 6.40
    for many, verdict in ((int(100 * bound), "supported"), (int(100 * bound) + 1, "not supported")):
        sizes = {"mem1-rl": {1: 90, 2: 90, 8: 90, 16: many - 10}, "full-rl": FULL}
        right = dict.fromkeys(sizes, lambda i, h: h)
        got = verdicts(play(right, sizes), four, paper)["peak-near-constant"]
        assert got.verdict == verdict
        assert f"{bound:.3f}" in got.test


def test_one_failing_number_of_objectives_is_enough(as_the_paper_says, four, paper, play):
    # At 16 objectives every other task is a failure: the mean is above SFT's 7, not the interval.
    sizes = {"mem1-rl": CONSTANT, "mem1-sft": CONSTANT}
    right = {"mem1-rl": lambda i, h: h * (i % 2), "mem1-sft": lambda i, h: 7}
    worse = play(right, sizes, horizons=(16,))
    got = verdicts(as_the_paper_says | worse, four, paper)["rl-above-sft"]
    assert (got.verdict, got.of) == ("not supported", "16")
    assert got.note.endswith("the mean reaches it, the interval does not")
    assert "no panel of 3, 4, 6 objectives" in got.note


def test_seeds_widen_the_interval_that_decides(play, seeded, paper):
    three = seeded.model_copy(update={"horizons": [1, 2, 8, 16]})
    names = [f"{s}{seed}" for s in ("mem1-rl", "full-rl") for seed in ("", "@1", "@2")]
    sizes = {name: CONSTANT if name.startswith("mem1") else FULL for name in names}
    right = {name: lambda i, h: h // 4 if h == 16 else 1 for name in names}
    right |= {f"full-rl{seed}": lambda i, h: 1 for seed in ("", "@1", "@2")}
    same = verdicts(play(right, sizes), three, paper)["em-ratio-16"]
    assert (same.value, same.low, same.verdict) == (4, 4, "supported")
    uneven = right | {"mem1-rl@1": lambda i, h: 12, "mem1-rl@2": lambda i, h: 1}
    spread = verdicts(play(uneven, sizes), three, paper)["em-ratio-16"]
    assert spread.value == pytest.approx((4 + 12 + 1) / 3)
    assert (spread.low, spread.high) == (1, 12)
    assert spread.verdict == "not supported"
    assert "the mean reaches it" in spread.note


def test_the_web_is_tested_where_a_system_searches_it(as_the_paper_says, four, paper, play):
    right = {"mem1-web": lambda i, h: i != 0, "full-web": lambda i, h: 0}
    sizes = {"mem1-web": CONSTANT, "full-web": FULL}
    measured = as_the_paper_says | play(right, sizes, horizons=(1,))
    real = four.model_copy(update={"web_stand_in": False})
    got = verdicts(measured, real, paper)
    assert (got["web-transfer"].value, got["web-transfer"].verdict) == (0.9, "not supported")
    assert (got["web-em"].value, got["web-em"].verdict) == (0.9, "supported")
    assert (got["web-peak"].value, got["web-peak"].verdict) == (
        pytest.approx(100 / 210),
        "supported",
    )
    assert got["em-ratio-16"].value == 16
    assert "stand in for the web" not in got["web-em"].note
    assert "stand in for the web" in verdicts(measured, four, paper)["web-em"].note


def test_the_papers_own_pair_decides_where_both_are_run(as_the_paper_says, four, paper, play):
    served = {
        **four.systems["full-rl"].model_dump(),
        **{"run": None, "model": "folder", "label": "14B", "paper": "Qwen2.5-14B-Inst"},
    }
    system = type(four.systems["full-rl"]).model_validate(served)
    both = four.model_copy(
        update={
            "systems": {**four.systems, "14b": system},
            "replicas": {**four.replicas, "14b": ["14b"]},
        }
    )
    right = {"14b": lambda i, h: h // 2}
    measured = as_the_paper_says | play(right, {"14b": FULL}, horizons=(16,))
    got = verdicts(measured, both, paper)["em-ratio-16"]
    assert (got.value, got.verdict) == (2, "not supported")
    assert [(part.value, part.decides) for part in got.parts] == [(2, True), (16, False)]


def test_an_oracle_is_tested_for_its_contexts_alone(root, paper, play):
    sample = analysis_section(configured(root / "config/config.yaml", root / "config/sample.yaml"))
    sample = sample.model_copy(update={"bootstrap": 100})
    sizes = {"oracle-mem1": CONSTANT, "oracle-full": FULL}
    measured = play(dict.fromkeys(sizes, lambda i, h: h), sizes)
    got = verdicts(measured, sample, paper)
    assert {k for k, r in got.items() if r.verdict == "supported"} == {
        *("peak-ratio-16", "peak-share-16", "peak-near-constant", "peak-grows-slower"),
        *("single-objective-peak", "single-objective-dependency"),
    }
    assert {r.verdict for r in got.values()} == {"supported", "not run"}


def test_the_format_reward_is_tested_on_arms(ablation, paper, play):
    arms = ("ppo-0", "ppo-1", "ppo-2", "format-0", "format-1", "format-2")
    sizes = {name: CONSTANT if name.startswith("format") else FULL for name in arms}
    right = {name: lambda i, h: 1 for name in arms}
    right |= {f"ppo-{seed}": lambda i, h: 2 for seed in range(3)}
    steps = range(1, 9)

    def curve(run, climb):
        values = [(step, float(step >= climb)) for step in steps]
        return Curve(run, run, "rl", {"em": values, "reward": values})

    curves = {
        f"rl-{arm}-{n}": curve(f"rl-{arm}-{n}", climb)
        for arm, climb in (("ppo", 6), ("format", 2))
        for n in range(3)
    }
    got = verdicts(play(right, sizes, horizons=(2, 8, 16)), ablation, paper, curves)
    assert [got[f"format-reward-{k}"].value for k in ("faster", "worse", "peak")] == [-4, -1, -200]
    assert {got[f"format-reward-{k}"].verdict for k in ("faster", "worse", "peak")} == {"supported"}
    assert (got["format-reward-faster"].n, got["format-reward-worse"].n) == (None, 10)
    assert [p.source for p in got["format-reward-worse"].paper] == ["S"]
    one = {run: curves[run] for run in ("rl-ppo-0", "rl-format-0")}
    few = ablation.model_copy(
        update={
            "arms": [
                arm.model_copy(update={"runs": dict(list(arm.runs.items())[:1])})
                for arm in ablation.arms
            ]
        }
    )
    alone = verdicts({}, few, paper, one)["format-reward-faster"]
    assert (alone.verdict, alone.parts[0].value, alone.parts[0].decides) == ("not run", -4, False)


def test_ids_are_unique_and_the_listed_statements_are_there():
    ids = [claim.id for claim in claim_registry.CLAIMS]
    assert len(set(ids)) == len(ids)
    assert set(ids) >= {
        *("em-ratio-16", "peak-ratio-16", "peak-share-16", "time-share-16"),
        *("peak-near-constant", "peak-grows-slower", "rl-above-sft", "sft-collapses"),
        *("generalizes", "web-transfer", "web-em", "single-objective-peak"),
        *("format-reward-faster", "format-reward-worse", "format-reward-peak"),
        *("webshop-reward", "webshop-peak", "webshop-dependency", "webshop-time"),
    }


@pytest.mark.parametrize("overlay", ["config", "smoke", "sample", "ablations", "paper"])
def test_without_records_everything_is_not_run_and_has_the_papers_numbers(root, overlay, paper):
    files = [root / "config" / f"{name}.yaml" for name in dict.fromkeys(("config", overlay))]
    got = verdicts({}, analysis_section(configured(*files)), paper)
    assert {r.verdict for r in got.values()} == {"not run"}
    assert {k for k, r in got.items() if not r.paper} == {"format-reward-faster"}
    for result in got.values():
        assert result.note or all(part.value is None for part in result.parts)


def test_a_paper_number_that_decides_and_is_missing_is_refused(root, tmp_path, analysis):
    values = yaml.safe_load((root / "config" / "expected.yaml").read_text(encoding="utf-8"))
    rows = values["table1"]["rows"]
    rows[:] = [r for r in rows if (r["name"], r["horizon"]) != ("MEM1-QA", 2)]
    path = tmp_path / "expected.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    with pytest.raises(InputError, match="no peak of 'MEM1-QA' at 2 objectives in table1"):
        verdicts({}, analysis, load(path))


@pytest.fixture
def report(as_the_paper_says, four, paper):
    found = claim_registry.results(Evidence(as_the_paper_says, four, paper))
    return claim_report.report(found, four, paper)


def test_json_has_the_stable_fields_of_every_claim(report):
    values = json.loads(claim_report.to_json(report))
    assert values["version"] == 1
    assert len(values["claims"]) == len(claim_registry.CLAIMS)
    for entry in values["claims"]:
        assert {
            *("id", "statement", "source", "test", "verdict", "value", "low", "high", "n"),
            *("paper", "note", "of", "parts"),
        } <= set(entry)
        assert entry["verdict"] in ("supported", "not supported", "not run")
        assert all({"what", "value", "source", "where"} == set(n) for n in entry["paper"])
    assert [Result.model_validate(entry) for entry in values["claims"]] == report.claims


def test_json_is_strict_where_a_ratio_is_infinite(play, four, paper):
    sizes = {"mem1-rl": CONSTANT, "full-rl": FULL}
    right = {"mem1-rl": lambda i, h: h, "full-rl": lambda i, h: 0}
    found = claim_registry.results(Evidence(play(right, sizes), four, paper))
    text = claim_report.to_json(claim_report.report(found, four, paper))

    def no_constant(name):
        raise AssertionError(name)

    first = json.loads(text, parse_constant=no_constant)["claims"][0]
    assert (first["id"], first["value"], first["verdict"]) == (
        "em-ratio-16",
        "Infinity",
        "supported",
    )
    assert first["note"] == "the denominator is 0"


def test_the_page_has_limits_a_row_and_a_section_for_each_claim_and_inconsistencies(report, paper):
    text = claim_report.to_markdown(report)
    rows = [row for row in text.splitlines() if row.startswith("| [")]
    assert len(rows) == len(claim_registry.CLAIMS)
    assert sum("**supported**" in row for row in rows) == 18
    assert "Its baselines are the same model" in text
    assert "RL on 2" in text
    for claim in claim_registry.CLAIMS:
        assert f"### {claim.id}\n" in text
    for note in paper.notes:
        assert note.text in text


def test_second_hand_numbers_are_labelled_in_the_page(report):
    text = claim_report.to_markdown(report)
    row = next(row for row in text.splitlines() if row.startswith("| [rl-above-sft]"))
    assert "*0.11* [S]" in row
    assert "(Table 4, second-hand [S])" in text
