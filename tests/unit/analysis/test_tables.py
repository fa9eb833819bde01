import csv
import io
import json
import math

import pytest

from mem1 import render_tables
from mem1.analysis import claims, expected, markdown, summary, tables
from mem1.analysis.statistics import Interval
from mem1.errors import InputError
from mem1.records import write_jsonl


@pytest.fixture
def paper(root):
    return expected.load(root / "config" / "expected.yaml")


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


def test_csv_has_one_line_per_cell(rows):
    got = list(csv.DictReader(io.StringIO(tables.to_csv(rows))))
    peak = [c for c in got if (c["row"], c["horizon"], c["metric"]) == ("mem1-rl", "2", "peak")]
    assert len(got) == sum(len(r.cells) for r in rows)
    assert [(c["mark"], c["value"], c["low"], c["n"], c["unit"]) for c in peak] == [
        ("measured", "50", "50", "6", "tokens")
    ]


def test_latex_escapes_every_special_character():
    assert tables.latex_escape(r"50%_a&b#{c}$~^\ ") == (
        r"50\%\_a\&b\#\{c\}\$\textasciitilde{}\textasciicircum{}\textbackslash{} "
    )


def test_latex_table_has_as_many_columns_as_its_head(rows, small):
    systems = {k: v.model_copy(update={"label": "A & B_1"}) for k, v in small.systems.items()}
    changed = small.model_copy(update={"systems": systems})
    named = [tables.Line("A & B_1", r.paper, r.cells) for r in rows]
    text = tables.to_latex(named, changed)
    body = [x for x in text.splitlines() if x.startswith("A ")]
    assert r"A \& B\_1" in text
    assert len(body) == 2 * len(small.systems)
    assert all(x.replace(r"\&", "").count("&") == 4 for x in body)
    assert r"{\scriptsize not run}" in text


def test_latex_marks_second_hand_numbers(analysis, paper):
    cell = tables.paper_line(paper, [3], "MEM1-QA").cells[3, "em"]
    assert tables.latex_cell(cell, "em") == r"\textit{0.976}\textsuperscript{S}"


def test_short_table_shows_both_and_what_was_not_run(rows, measured, small, paper):
    text = markdown.short(rows, claims.ratios(measured, small, paper), small)
    assert "| MEM1 (RL) | 2.00 ±0.00 | not run |" in text
    assert "| *paper: MEM1-QA* | *0.709* | *1.970* |" in text
    assert "16 objectives: not run; the paper's headline is 3.5: **not run**" in text


def test_the_dagger_marks_horizons_beyond_the_warm_start(rows, measured, small, paper):
    ratios = claims.ratios(measured, small, paper)
    shorter = small.model_copy(update={"base_horizons": (1, 12)})
    assert "| system | 2 | 16 † |" in markdown.short(rows, ratios, shorter)
    assert "| system | 2 | 16 |" in markdown.short(rows, ratios, small)


def test_full_table_tells_dependency_and_coverage(rows, measured, small, paper):
    others = tables.other_lines(small, paper)
    ratios, gains = claims.ratios(measured, small, paper), claims.gains(measured, small)
    text = markdown.full(rows, others, ratios, gains, small, paper)
    assert "(2 n_p + n_o) n_o / 2" in text
    assert "RL on 2" in text
    assert "*paper: DeepResearcher*" in text
    assert "*0.520* [I]" in text


def test_labels_cannot_break_a_markdown_table(rows, small):
    odd = [tables.Line("a | b", False, rows[0].cells)]
    assert "| a \\| b |" in markdown.short(odd, [], small)


def test_ratios_of_means(measured, small, paper):
    got = {(r.metric, r.horizon): r for r in claims.ratios(measured, small, paper)[:4]}
    assert got["em", 2].ratio.mean == 2
    assert got["peak", 2].ratio.mean == pytest.approx(80 / 50)
    assert got["em", 2].verdict == "no claim"
    assert got["em", 2].paper == pytest.approx(0.709 / 0.732)
    assert got["em", 16].verdict == "not run"


@pytest.mark.parametrize(
    ("low", "verdict"), [(3.4, "not supported"), (3.5, "supported"), (math.inf, "supported")]
)
def test_a_claim_needs_the_whole_interval(low, verdict):
    assert claims.judge(Interval(4.0, low, 5.0, 9), 3.5) == verdict


def test_an_infinite_ratio_is_explained(measured, small, paper):
    one = claims.ratios(measured, small, paper)[0]
    shown = claims.Ratio(
        one.comparison, "em", 16, Interval(math.inf, 9, math.inf, 6), None, 3.5, "supported"
    )
    assert "∞ [9.00, ∞]" in markdown.verdicts([shown], small)[0]
    assert "the denominator is 0" in markdown.verdicts([shown], small)[0]


def test_gain_is_not_run_without_the_sft_system(measured, small):
    assert {g.difference for g in claims.gains(measured, small)} == {None}


def test_samples_of_a_task_count_once(synthetic_trajectory):
    from mem1.analysis.metrics import of

    rows = [of(synthetic_trajectory("a", right=r)) for r in (0, 2)]
    rows.append(of(synthetic_trajectory("b", right=2)))
    assert summary.by_task(rows, "em") == {"a": 1.0, "b": 2.0}


def test_records_of_another_system_are_refused(small, synthetic_trajectory, tmp_path):
    write_jsonl(tmp_path / "mem1-rl" / "2.jsonl", [synthetic_trajectory(system="full-rl")])
    with pytest.raises(InputError, match="line 1: a trajectory of system 'full-rl'"):
        summary.load(tmp_path, small)


def test_no_evaluation_is_refused(small, tmp_path):
    with pytest.raises(InputError, match="holds no evaluation"):
        summary.load(tmp_path, small)


def test_an_empty_file_is_refused(small, tmp_path):
    write_jsonl(tmp_path / "mem1-rl" / "2.jsonl", [])
    with pytest.raises(InputError, match="holds no trajectory"):
        summary.load(tmp_path, small)


def test_the_command_writes_the_same_bytes_twice(synthetic_results, root):
    arguments = [
        *("--config", str(synthetic_results / "analysis.json")),
        *("--records-dir", str(synthetic_results / "eval")),
        *("--expected", str(root / "config" / "expected.yaml")),
    ]
    written = []
    for name in ("one", "two"):
        out = synthetic_results / name
        render_tables.main([*arguments, "--output-dir", str(out)])
        written.append({p.name: p.read_bytes() for p in out.iterdir()})
    assert written[0] == written[1]
    manifest = json.loads(written[0]["manifest.json"])
    assert set(manifest["outputs"]) == set(written[0]) - {"manifest.json"}
