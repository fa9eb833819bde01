"""The whole workflow, trainings included, with preset smoke."""

import csv
import json
import subprocess
import sys

import pytest

from mem1.provenance import file_digest, write_json
from tests.workflow.conftest import Copy, copy_to

SMOKE = ("--configfile", "config/smoke.yaml")
PANELS = {
    **dict.fromkeys(("mem1-rl", "mem1-sft", "full-rl", "full-sft", "truncate"), (1, 2, 4)),
    "amem": (1, 2),
    **dict.fromkeys(("summary", "overwrite", "mem1-format"), (2,)),
    **dict.fromkeys(("mem1-web", "full-web"), (1,)),
}
SHOPPERS = {f"shop-{name}" for name in ("mem1-rl", "mem1-sft", "full-rl", "truncate", "amem")}
STEPS = {"sft-mem1": 3, "rl-mem1": 2, "sft-full": 3, "rl-full": 2, "rl-format": 2}
STEPS |= {"shop-sft-mem1": 3, "shop-rl-mem1": 2, "shop-sft-full": 3}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def smoke(tmp_path_factory) -> Copy:
    """The workflow after a whole run, with the committed base model."""
    made = copy_to(tmp_path_factory.mktemp("smoke"), stand_ins=False, base_model=True)
    run = made.snakemake("--cores", "2", *SMOKE)
    (made.folder / "stdout.txt").write_text(run.stdout, encoding="utf-8")
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-8000:]
    return made


def test_it_ends_with_the_table_and_where_to_look(smoke):
    printed = (smoke.folder / "stdout.txt").read_text(encoding="utf-8")
    table = (smoke.folder / "results/smoke/tables/table1.md").read_text(encoding="utf-8")
    assert table in printed
    assert "Figures: results/smoke/figures" in printed


def test_every_system_is_measured_on_its_panels(smoke):
    for system, horizons in PANELS.items():
        for horizon in horizons:
            path = smoke.folder / f"results/smoke/eval/{system}/{horizon}.jsonl"
            rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
            assert len(rows) == 4
            assert {row["horizon"] for row in rows} == {horizon}
            assert all(row["score"]["expected"] == horizon for row in rows)


def test_every_shopper_is_measured_on_the_goals(smoke):
    path = smoke.folder / "results/smoke/tables/table2.csv"
    cells = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    measured = [cell for cell in cells if cell["mark"] == "measured"]
    assert {cell["row"] for cell in measured} == SHOPPERS
    assert {cell["n"] for cell in measured} == {"4"}


def test_every_run_has_all_its_steps(smoke):
    for run, steps in STEPS.items():
        path = smoke.folder / f"results/smoke/train/{run}/metrics.jsonl"
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        assert rows[-1]["step"] == steps


def test_the_table_has_measured_cells_and_cells_of_the_paper(smoke):
    path = smoke.folder / "results/smoke/tables/table1.csv"
    cells = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    measured = {(cell["row"], int(cell["horizon"])) for cell in cells if cell["mark"] == "measured"}
    web = {"mem1-web", "full-web"}  # in Table 3
    assert measured == {(name, h) for name in PANELS.keys() - web for h in PANELS[name]}
    assert "paper" in {cell["mark"] for cell in cells}


def test_figures_are_files_of_their_kind(smoke):
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF", "csv": b""}
    figures = ("figure2", "figure4", "figure5", "figure6", "figure7")
    for name in (*figures, "budget", "training", "mask_gap"):
        for kind, magic in start.items():
            path = smoke.folder / f"results/smoke/figures/{name}.{kind}"
            assert path.read_bytes().startswith(magic)


def test_every_job_left_a_log_and_a_benchmark(smoke):
    place = smoke.folder / "results/smoke"
    logs = {p.relative_to(place / "logs").with_suffix("") for p in place.glob("logs/**/*.log")}
    times = {
        p.relative_to(place / "benchmarks").with_suffix("")
        for p in place.glob("benchmarks/**/*.tsv")
    }
    assert logs == times
    assert len([log for log in logs if log.parent.name == "evaluate"]) == 27


def test_every_training_has_its_receipt(smoke):
    receipts = {p.stem for p in smoke.folder.glob("results/smoke/tracking/run-*.json")}
    assert receipts == {f"run-{run}" for run in STEPS}


def verified(smoke: Copy) -> tuple[int, str]:
    """Exit status of ``mem1.verify`` and what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "mem1.verify", "results/smoke"],
        cwd=smoke.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_chain_holds_from_raw_inputs_to_cells(smoke):
    status, printed = verified(smoke)
    assert (status, printed.splitlines()[-1]) == (0, "the chain holds"), printed


def test_a_damaged_record_is_the_first_broken_link(smoke):
    path = smoke.folder / "results/smoke/eval/mem1-rl/2.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"em":', b'"em" :', 1))
    status, printed = verified(smoke)
    path.write_bytes(whole)
    assert status == 1
    first = (
        "first broken link: eval/mem1-rl/2.manifest.json: results/smoke/eval/mem1-rl/2.jsonl has"
    )
    assert first in printed
    assert "also: tables/manifest.json: its input results/smoke/eval/mem1-rl/2.jsonl" in printed


def test_a_cell_that_no_record_supports_is_named(smoke):
    folder = smoke.folder / "results/smoke/tables"
    kept = {name: (folder / name).read_bytes() for name in ("table1.csv", "manifest.json")}
    rows = list(csv.reader(kept["table1.csv"].decode().splitlines()))
    column = rows[0].index("value")
    number = next(n for n, row in enumerate(rows) if "measured" in row)
    measured = rows[number][column]
    rows[number][column] = f"{measured}9"
    with open(folder / "table1.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    manifest = json.loads(kept["manifest.json"])
    manifest["outputs"]["table1.csv"] = file_digest(folder / "table1.csv")
    write_json(folder / "manifest.json", manifest)
    status, printed = verified(smoke)
    for name, text in kept.items():
        (folder / name).write_bytes(text)
    assert status == 1
    assert f"tables/table1.csv: row {number + 1}" in printed
    assert f"value: '{measured}9', records say '{measured}'" in printed


def test_a_second_run_does_nothing(smoke):
    assert smoke.plan(*SMOKE) == {}


def test_the_report_is_made_offline(smoke):
    done = smoke.snakemake("--report", "report.html", *SMOKE)
    assert done.returncode == 0, done.stderr
    text = (smoke.folder / "report.html").read_text(encoding="utf-8")
    shown = {"figure4.png": "figure4", "table2.csv": "paper_tables", "claims.md": "claims"}
    for file, caption in shown.items():
        assert file in text
        words = (smoke.folder / f"workflow/report/{caption}.rst").read_text(encoding="utf-8")
        assert words[:50] in text
