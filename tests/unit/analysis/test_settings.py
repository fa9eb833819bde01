from mem1.analysis.settings import Analysis, analysis_section
from mem1.config_files import load


def pairs(section, kind):
    return [(c.first, c.second, c.stage) for c in section.comparisons if c.kind == kind]


def test_mini_compares_memories_and_trainings(analysis):
    assert pairs(analysis, "memory") == [
        ("mem1-rl", "full-rl", "rl"),
        ("mem1-sft", "full-sft", "sft"),
    ]
    assert pairs(analysis, "training") == [
        ("mem1-rl", "mem1-sft", "rl"),
        ("full-rl", "full-sft", "rl"),
    ]


def test_coverage_counts_the_base_model(analysis):
    assert analysis.warm_start_to == max(*analysis.base_horizons, *analysis.sft_horizons)
    assert analysis.rl_horizon == 2


def test_oracles_have_no_training(root):
    section = analysis_section(load(root / "config/config.yaml", root / "config/sample.yaml"))
    assert pairs(section, "memory") == [("oracle-mem1", "oracle-full", "oracle")]
    assert (section.warm_start_to, section.rl_horizon) == (None, None)
    assert section.trained_on() == "No system here was trained."


def test_a_run_from_scratch_owes_nothing_to_the_base_model(root):
    config = load(root / "config/config.yaml")
    runs = {
        name: run.model_copy(update={"start": "scratch"}) if run.stage == "sft" else run
        for name, run in config.runs.items()
    }
    assert analysis_section(config.model_copy(update={"runs": runs})).base_horizons is None


def test_the_frozen_form_reads_back(analysis):
    assert Analysis.model_validate_json(analysis.model_dump_json()) == analysis


def test_figures_of_trainings_are_those_that_there_are_runs_for(analysis, ablation, root):
    sample = analysis_section(load(root / "config/config.yaml", root / "config/sample.yaml"))
    assert sample.curves == []
    assert analysis.curves == ["training", "figure6"]
    assert ablation.curves == ["training", "figure6", "figure7", "estimators"]
