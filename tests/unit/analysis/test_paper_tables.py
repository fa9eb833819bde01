import csv
import io

import pytest

from mem1.analysis import ablations, paper_tables
from mem1.analysis.metrics import of
from mem1.analysis.summary import summarize


@pytest.fixture
def measured(synthetic_trajectory):
    return {
        (system, horizon): [
            of(synthetic_trajectory(f"t{horizon}-{i}", system, horizon, right=1)) for i in range(5)
        ]
        for system in ("mem1-rl", "mem1-sft", "mem1-web")
        for horizon in (1, 2)
    }


def cells(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_table_3_has_a_block_for_each_environment(measured, analysis, paper):
    sheet = paper_tables.table3(summarize(measured, analysis), analysis, paper)
    labels = [[(line.label, line.paper) for line in lines] for _, lines in sheet.blocks]
    wiki, web = labels
    assert wiki[:2] == [("MEM1 (RL)", False), ("MEM1-QA", True)]
    assert web[:4] == [
        ("MEM1 (RL), web", False),
        ("MEM1-QA", True),
        ("Full history (RL), web", False),
        ("DeepResearcher", True),
    ]
    assert sorted(label for label, of_paper in wiki if of_paper) == sorted(
        row.name for row in paper.table3.rows
    )
    assert len(web) == 2 + len(paper.table3_web.rows)


def test_table_3_leaves_out_who_has_no_panel_of_one_objective(measured, analysis, paper):
    sheet = paper_tables.table3(summarize(measured, analysis), analysis, paper)
    own = {line.label for _, lines in sheet.blocks for line in lines if not line.paper}
    assert own == {
        system.label
        for system in analysis.systems.values()
        if system.horizons is None or 1 in system.horizons
    }
    assert "Running summary" not in own


def test_table_3_does_not_mix_what_the_paper_prints_for_wiki_and_web(measured, analysis, paper):
    files = paper_tables.files(
        paper_tables.table3(summarize(measured, analysis), analysis, paper), analysis
    )
    em = {
        (cell["environment"], cell["row"]): cell["value"]
        for cell in cells(files["table3.csv"])
        if cell["metric"] == "em" and cell["mark"] == "paper"
    }
    assert em["wiki", "MEM1-QA"] == "0.405"
    assert em["web", "MEM1-QA"] == "0.397"
    assert em["web", "DeepResearcher"] == "0.372"


def test_what_no_system_searches_is_marked_not_run(measured, analysis, paper):
    searching = analysis.of_environment("wiki")
    without = analysis.model_copy(
        update={
            "systems": searching,
            "replicas": {name: analysis.replicas[name] for name in searching},
        }
    )
    files = paper_tables.files(
        paper_tables.table3(summarize(measured, without), without, paper), without
    )
    web = [c for c in cells(files["table3.csv"]) if c["environment"] == "web"]
    assert {c["mark"] for c in web if not c["row"]} == {"not run"}
    assert "| Ours | not run | not run | not run | not run | not run |" in files["table3.md"]
    assert "called the highest" in files["table3.md"]


def test_table_4_has_rl_and_sft_over_all_horizons(measured, analysis, paper):
    sheet = paper_tables.table4(summarize(measured, analysis), analysis, paper)
    files = paper_tables.files(sheet, analysis)
    assert list(sheet.heads) == ["1", "2", "3", "4", "6", "8", "16"]
    body = [row for row in files["table4.md"].splitlines() if row.startswith("|")]
    place = next(i for i, row in enumerate(body) if row.startswith("| MEM1 (RL) | 1.000 [1.000"))
    assert body[place].endswith("| not run | not run | not run | not run | not run |")
    assert body[place + 1].startswith("| *paper: MEM1-QA* | *0.410* [S] | *0.709* [S] |")
    assert "*1.900* [S]" in body[place + 1]
    assert any(row.startswith("| *paper: MEM1-QA (SFT)* | *0.300* [S]") for row in body)


def test_table_4_of_a_preset_without_training_is_the_papers(root, paper):
    from mem1.analysis.settings import analysis_section
    from mem1.config_files import load as configured

    sample = analysis_section(configured(root / "config/config.yaml", root / "config/sample.yaml"))
    sheet = paper_tables.table4({}, sample, paper)
    assert [(line.label, line.paper) for line in sheet.blocks[0][1]] == [
        ("Ours", False),
        ("MEM1-QA", True),
        ("MEM1-QA (SFT)", True),
    ]


def test_the_format_reward_is_not_run_where_nothing_has_it(uncompared, paper):
    sheet = paper_tables.format_reward({}, {}, uncompared, paper)
    text = paper_tables.files(sheet, uncompared)["format-reward.md"]
    assert "| Ours, with the format reward | not run |" in text
    assert "*0.466* [S]" in text


def test_the_format_reward_has_the_arms_that_compare_it(ablation, paper, synthetic_trajectory):
    measured = {
        (system, 2): [of(synthetic_trajectory(f"t{i}", system, right=right)) for i in range(4)]
        for system, right in (("ppo-0", 2), ("ppo-1", 1), ("format-0", 1), ("grpo-0", 2))
    }
    arms = ablations.summarize(measured, ablation)
    sheet = paper_tables.format_reward(arms, {}, ablation, paper)
    own = {line.label: line for line in sheet.blocks[0][1] if not line.paper}
    assert set(own) == {"PPO; 3 seeds", "PPO, format reward; 3 seeds"}
    assert own["PPO; 3 seeds"].cells[2, "em"].value == 1.5
    text = paper_tables.files(sheet, ablation)["format-reward.md"]
    assert text.count("*paper: MEM1-QA without the format reward*") == 1


def test_every_table_has_its_three_files_with_as_many_columns(measured, analysis, paper):
    for make, third in (
        (paper_tables.table3, "MEM1 (RL), web"),
        (paper_tables.table4, "MEM1 (RL, format reward)"),
    ):
        sheet = make(summarize(measured, analysis), analysis, paper)
        files = paper_tables.files(sheet, analysis)
        assert set(files) == {f"{sheet.name}.{kind}" for kind in ("csv", "md", "tex")}
        body = [x for x in files[f"{sheet.name}.tex"].splitlines() if x.startswith("MEM1 (")]
        labels = [x.split(" & ")[0] for x in body]
        assert sorted(labels) == sorted(["MEM1 (RL)", "MEM1 (SFT)", third])
        assert all(x.count("&") == len(sheet.heads) for x in body)
        marks = {cell["mark"] for cell in cells(files[f"{sheet.name}.csv"])}
        assert marks == {"measured", "paper", "not run"}
