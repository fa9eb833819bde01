"""A run against a kept one: the same, doctored, and with files gone."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mem1 import compare_reference, keep_reference
from mem1.analysis import claim_registry, comparison, reference
from mem1.analysis.comparison import Allowed, Number, judge
from mem1.analysis.metrics import METRICS, TRAINED
from mem1.errors import InputError

ROOT = Path(__file__).parents[3]
OURS = ROOT / "config" / "tolerances.yaml"
TOLERANCES = """
sheets:
  - {file: table1.csv, key: [row, horizon], metric: metric, values: [value], only: {mark: measured}}
metrics:
  em: {of_objectives: 0.15}
  peak: {relative: 0.05}
  seconds: {ignored: a time}
"""
COMMITTED = sorted(path.parent for path in ROOT.glob("results/reference/*/reference.json"))
TABLE = """row,label,environment,horizon,metric,unit,mark,value,low,high,n
mem1-rl,MEM1 (RL),wiki,2,em,questions,measured,1.5,1.4,1.6,64
mem1-rl,MEM1 (RL),wiki,2,peak,tokens,measured,200,199,201,64
mem1-rl,MEM1 (RL),wiki,2,seconds,seconds,measured,1.25,1.2,1.3,64
MEM1-QA,MEM1-QA,wiki,2,em,questions,paper,0.709,,,
"""
CLAIM = {"verdict": "supported", "parts": [{"what": "16", "decides": True, "low": 4, "high": 5}]}


def claims(**changes):
    return json.dumps({"claims": [{"id": "peak-ratio", **CLAIM, **changes}]})


@pytest.fixture
def results(tmp_path):
    """A small run: a table, a figure, claims, one training, one frozen section."""
    folder = tmp_path / "results" / "mini"
    files = {
        "tables/table1.csv": TABLE,
        "tables/table1.md": "| | 2 |",
        "tables/manifest.json": json.dumps({"command": "render_tables", "outputs": {}}),
        "figures/figure4.png": "picture",
        "figures/figure4.pdf": "picture",
        "figures/figure4.csv": "line,objectives\nMEM1,2\n",
        "claims.md": "claims",
        "claims.json": claims(),
        "train/rl-mem1/metrics.jsonl": "{}",
        "train/rl-mem1/manifest.json": json.dumps({"command": "train_rl", "outputs": {}}),
        "config/analysis.json": "{}",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def kept(results, tmp_path):
    """What is kept of it."""
    folder = tmp_path / "reference" / "mini"
    keep_reference.main(["--results", str(results), "--output", str(folder)])
    return folder


def line(results, kept, *more, tolerances=None):
    if tolerances is None:
        tolerances = results / "tolerances.yaml"
        tolerances.write_text(TOLERANCES, encoding="utf-8")
    options = {"results": results, "reference": kept, "tolerances": tolerances}
    return [*(word for name, path in options.items() for word in (f"--{name}", str(path))), *more]


def compared(results, kept, tolerances=None):
    """Whether the run agrees, and the page."""
    page = results / "reference.md"
    try:
        compare_reference.main(line(results, kept, "--output", str(page), tolerances=tolerances))
    except SystemExit as end:
        return end.code == 0, page.read_text(encoding="utf-8")
    return True, page.read_text(encoding="utf-8")


def doctor(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_what_is_kept_is_flat_and_described(kept):
    names = {path.name for path in kept.iterdir()}
    assert names == {
        *("table1.csv", "table1.md", "figure4.png", "figure4.csv", "claims.md", "claims.json"),
        *("rl-mem1.jsonl", "reference.json"),
    }
    found = reference.load(kept)
    assert found.preset == "mini"
    assert found.files["figure4.png"].source == "figures/figure4.png"
    assert found.commands["tables/manifest.json"]["command"] == "render_tables"
    assert set(found.made.configuration) == {"analysis"}
    assert {"python", "torch", "numpy"} <= set(found.made.versions)


def test_a_run_agrees_with_itself_to_the_byte(results, kept):
    agree, page = compared(results, kept)
    assert agree
    assert "This run **agrees** with it. Files: 7 same bytes." in page


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("tables/table1.csv", "measured,1.5,1.4,1.6", "measured,1.65,1.58,1.8"),  # overlap
        ("tables/table1.csv", "measured,1.5,1.4,1.6", "measured,1.75,1.7,1.8"),  # 0.15 of 2
        ("tables/table1.csv", "measured,200,199,201", "measured,206,205,207"),  # 5 %
        ("tables/table1.csv", "measured,1.25,1.2,1.3", "measured,99,98,100"),  # a time
        ("tables/table1.csv", "paper,0.709", "paper,0.8"),  # not ours
        ("figures/figure4.png", "picture", "another"),
        ("claims.json", '"low": 4', '"low": 4.5'),
        ("claims.json", '"supported"', '"not supported"'),  # the same intervals
    ],
)
def test_what_is_within_tolerance_agrees(results, kept, name, old, new):
    doctor(results / name, old, new)
    agree, page = compared(results, kept)
    assert agree, page
    assert "1 other bytes" in page


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        (
            *("tables/table1.csv", "measured,1.5,1.4,1.6", "measured,1.85,1.8,1.9"),
            "| table1.csv | em | mem1-rl 2 | 1.5 | 1.85 |",
        ),
        (
            *("tables/table1.csv", "measured,200,199,201", "measured,220,219,221"),
            "| table1.csv | peak | mem1-rl 2 | 200 | 220 |",
        ),
        (
            *("tables/table1.csv", "measured,200,199,201", "not run,,,"),
            "| table1.csv | peak | mem1-rl 2 | 200 |  |",
        ),
        (
            *("claims.json", claims(), claims(verdict="not run", parts=[])),
            "| claims.json | verdict | peak-ratio | supported | not run |",
        ),
        (
            "claims.json",
            claims(),
            claims(
                verdict="not supported",
                parts=[{"what": "16", "decides": True, "low": 1, "high": 2}],
            ),
            "| claims.json | verdict | peak-ratio | supported | not supported |",
        ),
    ],
)
def test_what_is_not_within_tolerance_does_not_agree(results, kept, name, old, new, said):
    doctor(results / name, old, new)
    agree, page = compared(results, kept)
    assert not agree
    assert "This run **does not agree** with it." in page
    assert said in page


@pytest.mark.parametrize("name", ["tables/table1.csv", "figures/figure4.png", "claims.json"])
def test_a_missing_file_does_not_agree(results, kept, name):
    (results / name).unlink()
    agree, page = compared(results, kept)
    assert not agree
    assert f"Files that this run does not have: {Path(name).name}." in page


def test_another_configuration_is_said_and_decides_nothing(results, kept):
    (results / "config" / "analysis.json").write_text('{"bootstrap": 1}')
    agree, page = compared(results, kept)
    assert agree
    assert "- Configuration: other settings of analysis." in page


def test_a_page_that_is_only_a_report_fails_nothing(results, kept):
    doctor(results / "tables/table1.csv", "measured,1.5,1.4,1.6", "measured,0,0,0")
    compare_reference.main(line(results, kept, "--report-only"))


def test_the_command_ends_with_1_where_the_run_does_not_agree(results, kept):
    doctor(results / "tables/table1.csv", "measured,1.5,1.4,1.6", "measured,0,0,0")
    command = [sys.executable, "-m", "mem1.compare_reference", *line(results, kept)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "does not agree" in done.stdout
    assert done.stderr == ""


def test_a_metric_without_a_tolerance_is_named(results, kept):
    doctor(results / "tables/table1.csv", ",em,", ",another,")
    shutil.rmtree(kept)
    keep_reference.main(["--results", str(results), "--output", str(kept)])
    with pytest.raises(InputError, match=r"no entry for 'another' of table1\.csv"):
        compare_reference.main(line(results, kept))


def test_a_doctored_reference_is_refused(results, kept):
    doctor(kept / "table1.csv", "1.5,1.4,1.6", "1.6,1.5,1.7")
    with pytest.raises(InputError, match=r"table1.csv is not what reference.json records"):
        compare_reference.main(line(results, kept))


def test_a_new_run_replaces_an_older_reference(results, kept):
    (results / "figures/figure4.csv").unlink()
    keep_reference.main(["--results", str(results), "--output", str(kept)])
    assert not (kept / "figure4.csv").exists()


def test_another_folder_is_not_replaced(results, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="is no reference"):
        keep_reference.main(["--results", str(results), "--output", str(tmp_path / "notes")])


def test_a_run_without_claims_is_not_kept(results, tmp_path):
    (results / "claims.md").unlink()
    (results / "claims.json").unlink()
    with pytest.raises(InputError, match="holds nothing to keep"):
        keep_reference.main(["--results", str(results), "--output", str(tmp_path / "new")])


def test_files_of_one_name_must_be_one_file(results, tmp_path):
    (results / "tables/figure4.csv").write_text("another")
    with pytest.raises(InputError, match=r"figure4.csv differ"):
        keep_reference.main(["--results", str(results), "--output", str(tmp_path / "new")])


@pytest.mark.parametrize(
    ("allowed", "new", "verdict"),
    [
        (Allowed(absolute=0.1), 1.0, "same"),
        (Allowed(absolute=0.1), 1.1, "within"),
        (Allowed(absolute=0.1), 1.2, "differs"),
        (Allowed(relative=0.3), 1.25, "within"),
        (Allowed(of_objectives=0.05), 1.19, "within"),  # of 4
        (Allowed(of_objectives=0.05), 1.21, "differs"),
        (Allowed(ignored="a time"), 9.0, "not compared"),
        (Allowed(absolute=0.0), None, "missing"),
    ],
)
def test_numbers_without_intervals_are_judged_by_their_distance(allowed, new, verdict):
    got = None if new is None else Number(new, new, new, 4)
    assert judge(Number(1.0, 1.0, 1.0, 4), got, allowed) == verdict


@pytest.mark.parametrize("given", [{}, {"absolute": 1, "relative": 1}, {"absolute": -1}])
def test_a_tolerance_is_one_number_of_one_kind(given, tmp_path):
    path = tmp_path / "tolerances.yaml"
    path.write_text(json.dumps({"sheets": [], "metrics": {"em": given}}))
    with pytest.raises(InputError, match=r"tolerances.yaml: .*correct it"):
        comparison.load_tolerances(path)


def test_a_verdict_that_may_turn_is_said_and_decides_nothing(results, kept):
    part = {"what": "16", "decides": True, "low": 1, "high": 2}
    doctor(results / "claims.json", claims(), claims(verdict="not supported", parts=[part]))
    path = results / "turning.yaml"
    path.write_text(TOLERANCES + "may_turn: {peak-ratio: a reason}\n", encoding="utf-8")
    agree, page = compared(results, kept, path)
    assert agree
    assert "- peak-ratio: supported then, not supported now." in page


def test_every_claim_that_may_turn_is_one(root):
    known = {claim.id for claim in claim_registry.CLAIMS}
    assert comparison.load_tolerances(OURS).may_turn.keys() <= known


def test_every_metric_of_the_tables_has_a_tolerance():
    ours = comparison.load_tolerances(OURS).metrics
    assert {*METRICS, *TRAINED} <= ours.keys()


@pytest.mark.parametrize("folder", COMMITTED, ids=lambda path: path.name)
def test_a_committed_run_agrees_with_itself_and_not_with_a_doctored_copy(folder, tmp_path):
    found = reference.load(folder)
    for name, file in found.files.items():
        (tmp_path / file.source).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / name, tmp_path / file.source)
    assert compared(tmp_path, folder, OURS)[0]
    table = tmp_path / found.files["table1.csv"].source
    with open(table, encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file)]
    doctored = next(r for r in rows if (r["metric"], r["mark"]) == ("peak", "measured"))
    doctored |= {name: str(10 * float(doctored[name])) for name in ("value", "low", "high")}
    with open(table, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, doctored.keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    agree, page = compared(tmp_path, folder, OURS)
    assert not agree
    assert "| table1.csv | peak |" in page
