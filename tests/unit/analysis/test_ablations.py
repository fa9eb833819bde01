import csv
import io
from dataclasses import replace

import pytest

from mem1.analysis import ablation_tables, ablations
from mem1.analysis.curves import Curve
from mem1.analysis.metrics import of
from mem1.errors import InputError

FORMAT, PPO = "PPO, format reward", "PPO"


@pytest.fixture
def measured(synthetic_trajectory):
    """Two objectives; with the format reward fewer right answers and fewer tokens."""
    right = {"format-0": 0, "ppo-0": 1, "ppo-1": 2, "ppo-2": 2}
    return {
        (system, 2): [
            of(
                synthetic_trajectory(
                    f"t{i}", system, right=many, sizes=((40 + i, 10 if many else 5),)
                )
            )
            for i in range(8)
        ]
        for system, many in right.items()
    }


def synthetic_curve(run, em, reward=None):
    values = {"em": em, "reward": em if reward is None else reward}
    return Curve(run, run, "rl", {n: list(enumerate(v, 1)) for n, v in values.items()})


@pytest.fixture
def curves():
    """The run with the format reward climbs at once, and its reward has a penalty in it."""
    ems = {
        "rl-ppo-0": [0, 0, 0, 0, 0, 1, 1, 1],
        "rl-ppo-1": [0, 0, 0, 0, 0, 0, 2, 2],
        "rl-ppo-2": [0, 0, 0, 0, 0, 1, 1, 1],
    }
    found = {run: synthetic_curve(run, em) for run, em in ems.items()}
    steep = [0, 1, 1, 1, 1, 1, 1, 1]
    return found | {
        "rl-format-0": synthetic_curve("rl-format-0", steep, [em - 0.5 for em in steep])
    }


def test_an_arm_is_the_mean_over_its_seeds(measured, ablation):
    got = ablations.summarize(measured, ablation)
    assert set(got) == {(PPO, 2), (FORMAT, 2)}
    em = got[PPO, 2]["em"]
    assert (em.mean, em.low, em.high, em.n) == pytest.approx((5 / 3, 1, 2, 8))


def test_seeds_on_other_tasks_are_refused(measured, ablation):
    measured["ppo-1", 2] = measured["ppo-1", 2][1:]
    with pytest.raises(InputError, match="'ppo-1' was evaluated on other tasks of 2 objectives"):
        ablations.summarize(measured, ablation)


def test_arms_on_other_tasks_are_refused(measured, ablation):
    rows = measured["format-0", 2]
    measured["format-0", 2] = [*rows[1:], replace(rows[0], task_id="other")]
    with pytest.raises(InputError, match=f"^{FORMAT} was evaluated on other tasks of 2 objectives"):
        ablations.differences(measured, ablation)


def test_training_is_summed_up_by_its_last_quarter(curves, ablation):
    got = ablations.trained(curves, ablation)
    assert set(got) == {PPO, FORMAT}
    assert got[PPO]["train_em"].mean == pytest.approx(4 / 3)
    assert got[FORMAT]["train_em"].mean == 1
    assert got[FORMAT]["train_reward"].mean == 0.5


def test_arms_are_compared_with_the_first_of_their_family(measured, ablation):
    got = {(d.arm.label, d.metric, d.horizon): d for d in ablations.differences(measured, ablation)}
    assert len(got) == 5 * 2 * 3
    assert {d.first.label for d in got.values()} == {PPO}
    assert got[FORMAT, "em", 2].difference.mean == pytest.approx(-5 / 3)
    assert got[FORMAT, "em", 8].difference is None
    assert got["GRPO", "em", 2].difference is None


@pytest.mark.parametrize(
    ("values", "rounds"),
    [
        ([0, 1, 2, 3, 4, 5, 6, 7], 7),  # ends at 6.5; nine tenths are 5.85
        ([0, 5, 1, 1, 1, 1, 1, 1], 2),
        ([1, 1, 1, 1], 5),  # does not climb
        ([3, 2, 1, 0], 5),
        ([2], 2),
    ],
)
def test_rounds_until_a_curve_has_climbed(values, rounds):
    assert ablations.rounds_to_converge(list(enumerate(values, 1))) == rounds


def test_what_the_paper_says_of_the_format_reward_in_numbers(measured, curves, ablation, paper):
    rounds, em, peak = ablations.statements(measured, curves, ablation, paper)
    assert [s.metric for s in (rounds, em, peak)] == ["rounds", "em", "peak"]
    assert rounds.values == (2, pytest.approx(19 / 3))
    assert em.values == (0, pytest.approx(5 / 3))
    assert [quote.value for quote in em.paper] == [0.466, 0.709]
    assert peak.values == (48.5, 53.5)
    assert max(s.difference.high for s in (rounds, em, peak)) < 0


def test_what_was_not_run_says_so(ablation, paper):
    got = ablations.statements({}, {}, ablation, paper)
    assert {statement.difference for statement in got} == {None}
    assert all(ablation_tables.sentence(s).endswith(": not run.") for s in got)


def test_a_statement_carries_its_numbers_and_the_papers(measured, curves, ablation, paper):
    _, em, _ = ablations.statements(measured, curves, ablation, paper)
    text = ablation_tables.sentence(em)
    assert text.startswith("- EM, 2 objectives: lower with the format reward: ")
    assert (
        "0.000 with it (PPO, format reward; 3 seeds) against 1.667 without (PPO; 3 seeds)" in text
    )
    assert text.endswith("the paper has 0.466 against 0.709 [S].")


@pytest.fixture
def texts(measured, curves, ablation, paper):
    return ablation_tables.texts(measured, curves, ablation, paper)


def test_one_run_for_each_policy_gives_no_tables(measured, curves, uncompared, paper):
    assert ablation_tables.texts(measured, curves, uncompared, paper) == {}


def test_mini_compares_the_format_reward_at_two_objectives(synthetic_trajectory, analysis, paper):
    measured = {
        (system, 2): [of(synthetic_trajectory(f"t{i}", system, right=right)) for i in range(4)]
        for system, right in (("mem1-rl", 2), ("mem1-format", 1))
    }
    em = {s.metric: s for s in ablations.statements(measured, {}, analysis, paper)}["em"]
    assert (em.values, em.difference.mean) == ((1, 2), -1)
    assert [arm.label for arm in em.arms] == [FORMAT, PPO]


def test_papers_rows_follow_the_arms_they_belong_to(texts):
    rows = [line for line in texts["ablations.md"].splitlines() if line.startswith("|")]
    place = next(i for i, row in enumerate(rows) if row.startswith("| PPO, format reward; 3 seeds"))
    assert (
        rows[place] == "| PPO, format reward; 3 seeds | 0.000 [0.000, 0.000] | not run | not run |"
    )
    assert rows[place + 1] == "| *paper: MEM1-QA with the format reward* | *0.466* [S] |  |  |"


def test_cells_are_measured_paper_or_not_run(texts):
    rows = list(csv.DictReader(io.StringIO(texts["ablations.csv"])))
    em = {(r["label"], r["horizon"]): r["mark"] for r in rows if r["metric"] == "em"}
    assert em[PPO, "2"] == "measured"
    assert em[PPO, "8"] == em["GRPO", "2"] == "not run"
    assert em["MEM1-QA without the format reward", "2"] == "paper"
    assert {r["source"] for r in rows if r["mark"] == "paper"} == {"S"}


def test_comparisons_hold_differences_and_what_is_claimed_of_them(texts):
    rows = list(csv.DictReader(io.StringIO(texts["ablations-comparisons.csv"])))
    claims = [(r["quantity"], r["horizon"], r["paper_first"]) for r in rows if r["claim"]]
    assert claims == [
        ("Rounds until training EM has nine tenths of its climb", "", ""),
        ("EM", "2", "0.466"),
        ("Peak (tokens)", "2", "514.9"),
    ]


def test_settings_of_arms_are_in_the_table(texts):
    row = next(
        row
        for row in texts["ablations.md"].splitlines()
        if row.startswith("| PPO, format reward | ppo | reward | tree | yes | 3 | 0.50 ")
    )
    assert row.endswith("| rl-format-0, rl-format-1, rl-format-2 |")


def test_latex_has_a_column_for_each_metric(texts):
    body = [x for x in texts["ablations.tex"].splitlines() if x.startswith("PPO")]
    assert len(body) == 4 * 3
    assert all(x.count("&") == 5 for x in body)
    assert "mean over tasks and seeds" in texts["ablations.tex"]
