"""What a dry run plans, from nothing."""

import resource

import pytest

from tests.workflow.conftest import copy_to

TRAINING = {"train_sft": 2, "train_rl": 2, "verify": 1, "track_run": 4}
ALWAYS = {"make_tokenizer": 1, "render_tables": 1, "render_figures": 1, "track_init": 1}


def test_mini_plans_trainings_and_35_evaluations(copy):
    assert copy.plan() == {
        **ALWAYS,
        **TRAINING,
        "make_world": 2,
        "build_index": 2,
        "compose": 8,
        "evaluate": 35,
        "mask_gap": 1,
        "track_results": 1,
    }


def test_smoke_plans_every_rule_of_mini(copy):
    smoke = copy.plan("--configfile", "config/smoke.yaml")
    assert smoke.keys() == copy.plan().keys()
    assert smoke["evaluate"] == 15


def test_sample_plans_no_training_and_no_generated_world(copy, tmp_path):
    plan = copy.plan("--configfile", "config/sample.yaml", MEM1_SAMPLE_DATA=str(tmp_path))
    assert plan == {
        **ALWAYS,
        "import_sources": 1,
        "build_index": 1,
        "encode_passages": 2,
        "build_compared": 1,
        "retrieval_report": 1,
        "compose": 7,
        "evaluate": 14,
        "track_results": 1,
    }


def test_paper_plans_one_corpus_for_training_and_evaluation(tmp_path):
    paper = copy_to(tmp_path, stand_ins=False)
    model = paper.folder / "models" / "Qwen2.5-7B"
    model.mkdir(parents=True)
    for name in ("config.json", "model.safetensors.index.json", "tokenizer.json"):
        (model / name).write_text("stands in for the base model", encoding="utf-8")
    assert paper.plan("--configfile", "config/paper.yaml") == {
        "import_corpus": 1,
        "import_questions": 2,
        "encode_passages": 2,
        "build_index": 1,
        "compose": 8,
        "train_rl": 2,
        "verify": 1,
        "evaluate": 21,
        "render_tables": 1,
        "render_figures": 1,
        "track_init": 1,
        "track_run": 2,
        "track_results": 1,
    }


def test_ablations_plan_one_warm_start_and_what_compares_its_runs(copy):
    overlay = ("--configfile", "config/ablations.yaml")
    assert copy.plan(*overlay) == {
        **ALWAYS,
        "train_sft": 1,
        "train_rl": 14,
        "verify": 1,
        "track_run": 15,
        "make_world": 2,
        "build_index": 2,
        "compose": 4,
        "evaluate": 45,
        "track_results": 1,
    }
    planned = copy.snakemake("-n", *overlay).stdout
    for name in ("tables/ablations.md", "figures/figure7.png", "figures/estimators.svg"):
        assert f"results/ablations/{name}" in planned


@pytest.mark.parametrize(
    "elsewhere", ["url: 'http://127.0.0.1:8000'", "kind: web", "cache: replay"]
)
def test_no_index_is_built_where_none_is_searched(copy, elsewhere):
    planned = copy.plan(*copy.overlay(f"retrieval: {{{elsewhere}}}\n"))
    assert planned["evaluate"] > 0
    assert "build_index" not in planned


@pytest.mark.parametrize("target", [[], ["base"]])
def test_preset_base_plans_the_base_model_only(copy, target):
    assert copy.plan(*target, "--configfile", "config/base.yaml") == {"base": 1}


def test_no_other_preset_can_overwrite_the_base_model(copy):
    done = copy.snakemake("-n", "base")
    assert done.returncode != 0
    assert "No rule to produce base" in done.stdout


def test_a_dry_run_takes_under_five_seconds_of_processor_time(copy):
    def used() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before = used()
    copy.plan()
    assert used() - before < 5


@pytest.mark.parametrize(
    ("overlay", "sentence"),
    [
        ("rl: {optimiser: 1}\n", "unknown key 'rl.optimiser'; did you mean 'optimizer'?"),
        ("runs: {rl-full: null}\n", "systems.full-rl.run is 'rl-full'"),
        ("tasks: {test_horizons: [1, 32]}\n", "max_turns has no entry for 32 objectives"),
        ("sources: {kind: files}\n", "kind files needs files"),
        (
            "sources: {kind: files, files: [{layout: titles, path: x.json}]}\n",
            "MEM1_SAMPLE_DATA is not set",
        ),
    ],
)
def test_bad_configuration_is_one_sentence(copy, overlay, sentence):
    done = copy.snakemake("-n", *copy.overlay(overlay))
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode == 2
    assert len(errors) == 1
    assert sentence in errors[0]
    assert "Traceback" not in done.stderr


def test_the_cluster_profile_is_found_from_the_root(copy):
    done = copy.snakemake("-n", "--cores", "all", "--profile", "slurm")
    assert done.returncode == 0, done.stderr
