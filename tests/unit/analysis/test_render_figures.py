"""The command that draws, as a whole."""

import subprocess
import sys

import pytest

from mem1 import render_figures
from mem1.analysis import ablations, drawing, summary
from mem1.analysis.curves import Curve
from mem1.analysis.grouping import rank
from mem1.analysis.series import of_systems
from mem1.errors import InputError
from mem1.provenance import read_json

EVALUATIONS = ("budget", "figure2", "figure4", "figure5")


def arguments(results, root):
    return [
        *("--config", str(results / "analysis.json")),
        *("--records-dir", str(results / "eval")),
        *("--tasks-dir", str(results / "tasks")),
        *("--train-dir", str(results / "train")),
        *("--expected", str(root / "config" / "expected.yaml")),
        *("--captions", str(root / "workflow" / "report")),
        *("--output-dir", str(results / "figures")),
    ]


def names_of(*stems):
    kinds = (*drawing.FORMATS, "csv")
    drawn = {f"{stem}.{kind}" for stem in stems for kind in kinds}
    return drawn | {"figure5.md", "captions.md", "manifest.json"}


def names_in(folder):
    return {path.name for path in folder.iterdir()}


def test_figures_are_drawn_without_torch(synthetic_results, analysis, root):
    """All of them, in all formats, each with its numbers, in a process that cannot import torch."""
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from mem1 import render_figures; render_figures.main(sys.argv[1:])"
    )
    line = [sys.executable, "-c", program, *arguments(synthetic_results, root)]
    done = subprocess.run(line, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    folder = synthetic_results / "figures"
    assert names_in(folder) == names_of(*EVALUATIONS, *analysis.curves)
    captions = (folder / "captions.md").read_text(encoding="utf-8")
    assert "![figure2](figure2.png)" in captions
    recorded = read_json(folder / "manifest.json")
    assert recorded["outputs"].keys() == names_in(folder) - {"manifest.json"}
    assert any(name.endswith("tasks/test-16.jsonl") for name in recorded["inputs"])


def test_ablations_have_figure_7_and_the_estimators(synthetic_ablation, ablation, root):
    render_figures.main(arguments(synthetic_ablation, root))
    assert {"figure7", "estimators"} <= set(ablation.curves)
    drawn = names_of(*EVALUATIONS, *ablation.curves)
    assert names_in(synthetic_ablation / "figures") == drawn


def test_a_figure_without_a_caption_is_named(tmp_path):
    (tmp_path / "figure4.rst").write_text("Four.")
    assert "Four. Numbers: `figure4.csv`." in render_figures.captions(["figure4"], tmp_path)
    with pytest.raises(InputError, match=r"figure2.rst does not exist"):
        render_figures.captions(["figure2"], tmp_path)


def test_arms_of_ablations_are_one_line_each(synthetic_ablation, ablation):
    measured = summary.load(synthetic_ablation / "eval", ablation)
    got = of_systems(
        ablation, summary.summarize(measured, ablation), ablations.summarize(measured, ablation)
    )
    assert [one.label for one in got] == [*(arm.name for arm in ablation.arms), "MEM1 (SFT)"]
    assert got[0].records == ("ppo-0", "ppo-1", "ppo-2")


def test_systems_stand_in_the_order_of_their_policies(synthetic_results, analysis):
    measured = summary.load(synthetic_results / "eval", analysis)
    got = of_systems(analysis, summary.summarize(measured, analysis), {})
    groups = [one.group for one in got]
    assert len(groups) >= 5
    assert groups == sorted(groups, key=rank)


def test_seeds_of_a_system_are_one_line(synthetic_results, seeded):
    measured = summary.load(synthetic_results / "eval", seeded)
    got = of_systems(seeded, summary.summarize(measured, seeded), {})
    assert next(one.records for one in got if one.label == "MEM1 (RL)") == (
        "mem1-rl",
        "mem1-rl@1",
        "mem1-rl@2",
    )


def test_runs_of_an_ablation_without_seeds_are_called_what_their_systems_are(
    synthetic_results, analysis
):
    measured = summary.load(synthetic_results / "eval", analysis)
    got = of_systems(analysis, summary.summarize(measured, analysis), {})
    assert analysis.arms
    assert {one.label for one in got} <= {system.label for system in analysis.systems.values()}


def test_figure_7_has_the_runs_with_and_without_the_format_reward(analysis):
    curves = {
        run: Curve(run, "mem1", settings.stage, {"reward": [(1, 1.0)]})
        for run, settings in analysis.runs.items()
    }
    rows = render_figures.of_curves(analysis, curves)["figure7"].texts["csv"].splitlines()
    assert {row.split(",")[1] for row in rows[1:]} == {"rl-mem1", "rl-format"}
