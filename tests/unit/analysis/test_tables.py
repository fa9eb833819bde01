import csv
import io

import pytest

from mem1.analysis import latex, summary, table1, tables
from mem1.analysis.evidence import Evidence
from mem1.analysis.ratios import gains, ratios
from mem1.records import write_jsonl


@pytest.fixture
def small(analysis):
    return analysis.model_copy(update={"horizons": [2, 16]})


@pytest.fixture
def measured(small, synthetic_trajectory, tmp_path):
    """Two systems at 2 objectives; nothing at 16, and no other system."""
    for system, right in (("mem1-rl", 2), ("full-rl", 1)):
        rows = [
            synthetic_trajectory(f"t{i}", system, right=right, sizes=((60 // right, 20),))
            for i in range(6)
        ]
        write_jsonl(tmp_path / "eval" / system / "2.jsonl", rows)
    return summary.load(tmp_path / "eval", small)


@pytest.fixture
def rows(measured, small, paper):
    return tables.lines(summary.summarize(measured, small), small, paper)


def line(rows, label, paper=False):
    return next(r for r in rows if r.label == label and r.paper == paper)


def test_cells_are_marked(rows):
    assert line(rows, "MEM1 (RL)").cells[2, "em"].mark == "measured"
    assert line(rows, "MEM1 (RL)").cells[16, "em"].mark == "not run"
    assert line(rows, "MEM1-QA", paper=True).cells[16, "em"].mark == "paper"


def test_the_papers_row_follows_ours(rows):
    labels = [(r.label, r.paper) for r in rows]
    assert labels.index(("MEM1-QA", True)) == labels.index(("MEM1 (RL)", False)) + 1


def test_systems_that_search_the_web_are_in_no_row(small, paper):
    web = small.systems["mem1-rl"].model_copy(update={"environment": "web", "label": "On the web"})
    both = small.model_copy(update={"systems": {**small.systems, "web": web}})
    assert len(tables.lines({}, both, paper)) == len(tables.lines({}, small, paper))


def test_csv_has_one_line_per_cell(rows):
    got = list(csv.DictReader(io.StringIO(tables.to_csv(rows))))
    peak = [c for c in got if (c["row"], c["horizon"], c["metric"]) == ("mem1-rl", "2", "peak")]
    assert len(got) == sum(len(r.cells) for r in rows)
    assert [(c["mark"], c["value"], c["low"], c["n"], c["seeds"], c["unit"]) for c in peak] == [
        ("measured", "50", "50", "6", "1", "tokens")
    ]


def test_latex_escapes_every_special_character():
    assert latex.escape(r"50%_a&b#{c}$~^\ ") == (
        r"50\%\_a\&b\#\{c\}\$\textasciitilde{}\textasciicircum{}\textbackslash{} "
    )


def test_latex_table_has_as_many_columns_as_its_head(rows, small):
    systems = {k: v.model_copy(update={"label": "A & B_1"}) for k, v in small.systems.items()}
    changed = small.model_copy(update={"systems": systems})
    named = [tables.Line("A & B_1", r.paper, r.cells) for r in rows if not r.paper]
    text = latex.by_horizon(named, changed)
    body = [x for x in text.splitlines() if x.startswith("A ")]
    assert r"A \& B\_1" in text
    asked = [(name, h) for name in systems for h in (2, 16) if small.evaluates(name, h)]
    assert len(body) == len(asked) == 2 * len(named) - 1  # the format reward: at 2 alone
    assert all(x.replace(r"\&", "").count("&") == 4 for x in body)
    assert r"{\scriptsize not run}" in text


def test_latex_marks_second_hand_numbers(paper):
    cell = tables.paper_line(paper, [3], "MEM1-QA").cells[3, "em"]
    assert latex.cell_text(cell) == r"\textit{0.976}\textsuperscript{S}"


def test_short_table_shows_both_and_what_was_not_run(rows, small):
    text = table1.short(rows, [], small)
    assert "| MEM1 (RL) | 2.00 ±0.00 | not run |" in text
    assert "| *paper: MEM1-QA* | *0.709* | *1.970* |" in text


def test_the_dagger_marks_horizons_beyond_the_warm_start(rows, small):
    shorter = small.model_copy(update={"base_horizons": (1, 12)})
    assert "| system | 2 | 16 † |" in table1.short(rows, [], shorter)
    assert "| system | 2 | 16 |" in table1.short(rows, [], small)


def test_full_table_tells_formulas_coverage_and_inconsistencies(rows, measured, small, paper):
    others = tables.other_lines(small, paper)
    evidence = Evidence(measured, small, paper)
    numbers = ratios(evidence), gains(evidence)
    text = table1.full(rows, others, *numbers, small, paper)
    assert "(2 n_p + n_o) n_o / 2" in text
    assert "RL on 2" in text
    assert "*paper: DeepResearcher*" in text
    assert "*0.520* [I]" in text
    assert "1.97 in Table 1 and 1.900 in Table 4" in text
    assert "each training has one seed" in text


def test_a_horizon_has_no_row_of_who_is_not_evaluated_on_it(rows, small, paper):
    text = table1.full(rows, [], [], [], small, paper)
    two, sixteen = text.split("## 16 objectives")
    row = "| MEM1 (RL, format reward) | not run |"
    assert two.count(row) == 2
    assert row not in sixteen
    two, sixteen = latex.by_horizon(rows, small).split(r"\textbf{16 objectives}")
    assert "MEM1 (RL, format reward)" in two
    assert "MEM1 (RL, format reward)" not in sixteen
    assert "| MEM1 (RL, format reward) | not run | not run |" in table1.short(rows, [], small)


def test_labels_cannot_break_a_markdown_table(rows, small):
    odd = [tables.Line("a | b", False, rows[0].cells)]
    assert "| a \\| b |" in table1.short(odd, [], small)


def test_the_tokenizer_of_a_served_model_is_named(small):
    served = small.systems["mem1-rl"].model_copy(
        update={"label": "Served", "model": "org/weights", "run": None}
    )
    other = small.model_copy(update={"systems": {**small.systems, "served": served}})
    assert other.counted_in().startswith(f"{small.tokenizer}; Served: ")
    assert "org/weights" in other.counted_in()


def test_several_seeds_are_told(seeded, synthetic_trajectory, paper):
    from mem1.analysis.metrics import of

    measured = {
        (name, 2): [of(synthetic_trajectory(f"t{i}", name)) for i in range(4)]
        for name in seeded.replicas["mem1-rl"]
    }
    found = tables.lines(summary.summarize(measured, seeded), seeded, paper)
    text = table1.full(found, [], [], [], seeded, paper)
    assert "| 4 x 3 seeds |" in text
    assert "over the 3 seeds" in text
    assert text.count("| MEM1 (RL) |") == 2 * len(seeded.horizons)
