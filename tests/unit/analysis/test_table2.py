"""Table 2 and the claims on WebShop, from records of shopping."""

import csv
import io

import pytest

from mem1.analysis import claim_registry, paper_tables, table2
from mem1.analysis.evidence import Evidence
from mem1.analysis.metrics import of
from mem1.records import Trajectory
from mem1.tasks.scoring import score_purchase

REWARDS = (1.0, 1.0, 0.5, None)  # of four goals; None: nothing was bought


@pytest.fixture
def shopped(synthetic_trajectory):
    """A function: records of every shopper, of whom full history needs ``factor`` of the tokens."""

    def make(factor: float = 3.0, rewards=REWARDS):
        found = {}
        for system in (
            "shop-mem1-rl",
            "shop-mem1-sft",
            "shop-full-rl",
            "shop-truncate",
            "shop-amem",
        ):
            size = (100 if "mem1" in system else round(100 * factor)) - 5
            rows = []
            for number, reward in enumerate(rewards):
                one: Trajectory = synthetic_trajectory(f"g{number}", system, 1, sizes=((size, 5),))
                end = "turns" if reward is None else "bought"
                rows.append(
                    of(one.model_copy(update={"score": score_purchase(reward), "end": end}))
                )
            found[(system, 1)] = rows
        return found

    return make


def rows(sheet, analysis):
    text = paper_tables.files(sheet, analysis)["table2.csv"]
    return list(csv.DictReader(io.StringIO(text)))


def test_reward_and_success_are_means_over_goals(shopped, analysis, paper):
    found = rows(table2.table2(shopped(), analysis, paper), analysis)
    own = {r["metric"]: r for r in found if r["row"] == "shop-mem1-rl"}
    assert float(own["reward"]["value"]) == pytest.approx(0.625)
    assert float(own["success"]["value"]) == pytest.approx(0.5)
    assert float(own["peak"]["value"]) == 100


def test_every_row_of_the_paper_is_there_once(shopped, analysis, paper):
    sheet = table2.table2(shopped(), analysis, paper)
    quoted = [line.label for _, lines in sheet.blocks for line in lines if line.paper]
    assert sorted(quoted) == sorted(row.name for row in paper.table2.rows)
    own = [line.label for _, lines in sheet.blocks for line in lines if not line.paper]
    assert own == [system.label for system in analysis.shop.systems.values()]


def test_without_shoppers_our_cells_are_not_run(analysis, paper):
    bare = analysis.model_copy(update={"shop": None})
    found = rows(table2.table2({}, bare, paper), bare)
    assert {r["mark"] for r in found if r["label"] == "Ours"} == {"not run"}


def claims(shopped, analysis, paper):
    found = claim_registry.results(Evidence({}, analysis, paper, shopped=shopped))
    return {result.id: result for result in found if result.id.startswith("webshop")}


def test_costs_are_compared_with_the_ratio_of_the_papers_leanest_baseline(shopped, analysis, paper):
    least, own = (
        paper.need("table2", name, None, "peak").value for name in ("AgentLM-7B", "MEM1-WebShop")
    )
    ratio = least / own
    assert claims(shopped(ratio + 0.1), analysis, paper)["webshop-peak"].verdict == "supported"
    assert claims(shopped(ratio - 0.1), analysis, paper)["webshop-peak"].verdict == "not supported"


def test_an_equal_reward_is_not_the_highest(shopped, analysis, paper):
    assert claims(shopped(), analysis, paper)["webshop-reward"].verdict == "not supported"


def test_nothing_is_decided_where_nobody_shopped(analysis, paper):
    assert {r.verdict for r in claims({}, analysis, paper).values()} == {"not run"}
