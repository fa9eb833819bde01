import json

from mem1.analysis.settings import Analysis, analysis_section
from mem1.config_files import load, merge, parse


def pairs(section, kind):
    return [(c.first, c.second, c.stage) for c in section.comparisons if c.kind == kind]


def test_mini_compares_memories_and_trainings(analysis):
    assert pairs(analysis, "memory") == [
        ("mem1-rl", "full-rl", "rl"),
        ("mem1-web", "full-web", "rl"),
        ("mem1-sft", "full-sft", "sft"),
    ]
    assert pairs(analysis, "training") == [
        ("mem1-rl", "mem1-sft", "rl"),
        ("full-rl", "full-sft", "rl"),
        ("mem1-format", "mem1-sft", "rl"),
    ]


def changed(root, **overlay):
    values = load(root / "config/config.yaml").model_dump()
    return analysis_section(parse(merge(values, overlay)))


def test_memories_are_compared_where_both_search_the_same(root, analysis):
    section = changed(root, systems={"full-web": None})
    assert [pair.environment for pair in section.comparisons] == ["wiki"] * 5
    assert section.of_environment("web").keys() == {"mem1-web"}
    neither = changed(root, systems={"full-web": None, "mem1-web": None})
    assert (analysis.web_stand_in, neither.web_stand_in) == (True, False)
    found = analysis.compared("memory", "web")
    assert [(pair.first, pair.second) for pair in found] == [("mem1-web", "full-web")]
    assert analysis.compared("memory")[0].first == "mem1-rl"


def test_a_system_is_evaluated_on_the_panels_it_names(analysis):
    assert [h for h in analysis.horizons if analysis.evaluates("mem1-format", h)] == [2]
    assert [h for h in analysis.horizons if analysis.evaluates("mem1-rl", h)] == analysis.horizons
    assert not analysis.evaluates("mem1-rl", 5)


def test_memories_of_other_trainings_are_not_compared(root):
    section = changed(root, runs={"rl-full": {"changes": {"kl": 0.5}}})
    assert pairs(section, "memory") == [("mem1-sft", "full-sft", "sft")]
    warm = changed(root, runs={"sft-full": {"changes": {"steps": 3}}})
    assert pairs(warm, "memory") == []


def test_weights_from_elsewhere_are_compared_under_two_memories(root):
    given = {
        **load(root / "config/config.yaml").systems["truncate"].model_dump(),
        **{"run": None, "model": "some/folder", "paper": None},
    }
    systems = {
        "a": {**given, "policy": "mem1", "prompt": "mem1"},
        "b": {**given, "policy": "full"},
        "c": {**given, "policy": "full", "model": "another/folder"},
    }
    section = changed(root, systems=systems)
    assert ("a", "b", "given") in pairs(section, "memory")
    assert not any("c" in pair for pair in pairs(section, "memory"))


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


def test_systems_keep_their_order_in_a_frozen_file(analysis):
    text = json.dumps(analysis.model_dump(mode="json"), sort_keys=True)
    assert list(Analysis.model_validate_json(text).systems) == list(analysis.systems)
    assert next(iter(analysis.systems)) == "mem1-rl"


def test_figures_of_trainings_are_those_that_there_are_runs_for(
    analysis, uncompared, ablation, root
):
    sample = analysis_section(load(root / "config/config.yaml", root / "config/sample.yaml"))
    assert sample.curves == []
    assert uncompared.curves == ["training", "figure6"]
    assert analysis.curves == ["training", "figure6", "figure7"]
    assert ablation.curves == ["training", "figure6", "figure7", "estimators"]
