"""What a dry run plans, from nothing."""

import json
import re

import pytest

from mem1.model_shape import KEYS, PUBLISHED
from tests.workflow.conftest import copy_to

TRAINING = {"train_sft": 2, "train_rl": 3, "verify": 1, "track_run": 5}
RENDER = {"render_tables": 1, "render_figures": 1, "render_claims": 1, "view": 1}
SHOP = {"make_shop": 2, "make_shop_tokenizer": 1, "view_shop": 1}
ALWAYS = {"make_tokenizer": 1, **RENDER, "track_init": 1}


def test_mini_plans_trainings_and_53_evaluations(copy):
    assert copy.plan() == {
        **ALWAYS,
        **TRAINING,
        **SHOP,
        "train_shop": 4,
        "track_run": 9,
        "make_world": 2,
        "build_index": 2,
        "compose": 8,
        "evaluate": 48,
        "evaluate_shop": 5,
        "mask_gap": 1,
        "track_results": 1,
    }


def test_smoke_plans_every_rule_of_mini(copy):
    smoke = copy.plan("--configfile", "config/smoke.yaml")
    assert smoke.keys() == copy.plan().keys()
    assert smoke["evaluate"] == 22


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


LOCAL = """sources: {kind: files, files: [{layout: flashrag, path: mine.jsonl}]}
retrieval_report: {k: 2}
"""


def reported(copy, data):
    """The command that compares retrievers over files of one's own in ``data``, and its rule."""
    (copy.folder / "mine.yaml").write_text(LOCAL, encoding="utf-8")
    overlays = ("--configfile", "config/sample.yaml", "mine.yaml")
    done = copy.snakemake("-n", "-p", *overlays, MEM1_SAMPLE_DATA=str(data))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.partition("rule retrieval_report:")[2].partition("\nrule ")[0]


def test_recorded_answers_are_compared_where_there_are_some(copy, tmp_path):
    assert "--calls" not in reported(copy, tmp_path)
    calls = tmp_path / "my data" / "wiki18" / "search_calls.jsonl"
    calls.parent.mkdir(parents=True)
    calls.write_text("{}")
    assert f"--calls '{calls}'" in reported(copy, tmp_path / "my data")


def test_local_files_are_inputs_of_their_import(copy, tmp_path):
    (copy.folder / "mine.yaml").write_text(LOCAL, encoding="utf-8")
    (tmp_path / "mine.jsonl").write_text("{}")
    overlays = ("--configfile", "config/sample.yaml", "mine.yaml")
    planned = copy.snakemake("-n", *overlays, MEM1_SAMPLE_DATA=str(tmp_path)).stdout
    assert str(tmp_path / "mine.jsonl") in planned


def test_files_of_a_published_catalogue_are_inputs_of_its_goals(tmp_path):
    made = copy_to(tmp_path, stand_ins=False)
    for name in ("items_shuffle_1000.json", "items_ins_v2_1000.json"):
        (made.folder / "shop").mkdir(exist_ok=True)
        (made.folder / "shop" / name).write_text("[]")
    runs = "{shop-sft-mem1: null, shop-rl-mem1: null, shop-sft-full: null}"
    systems = ", ".join(f"shop-{name}: null" for name in ("mem1-rl", "mem1-sft", "amem"))
    mine = "shop-full-rl: {run: null, model: models/my base}, shop-truncate: null"
    overlay = made.overlay(
        f"webshop: {{shop: {{protocol: official-1k-synthetic, catalogue: shop}}, runs: {runs}, "
        f"systems: {{{systems}, {mine}}}}}\n"
    )
    (made.folder / "models/my base").mkdir()
    for name in ("config.json", "model.safetensors"):
        (made.folder / "models/my base" / name).write_text("")
    done = made.snakemake("-n", "-p", *overlay)
    assert done.returncode == 0, done.stdout + done.stderr
    for rule in ("make_shop", "evaluate_shop"):
        part = done.stdout.partition(f"rule {rule}:")[2].partition("\nrule ")[0]
        assert "shop/items_shuffle_1000.json, shop/items_ins_v2_1000.json" in part
    assert "--model 'models/my base'" in done.stdout


def test_a_base_model_in_a_folder_with_a_space_is_one_argument(tmp_path):
    made = copy_to(tmp_path, stand_ins=False)
    (made.folder / "models/base").rename(made.folder / "models/my base")
    planned = made.snakemake("-n", "-p", *made.overlay("base_model: models/my base\n")).stdout
    assert "--start 'models/my base'" in planned
    assert "--start models/my" not in planned


def test_no_job_asks_for_more_than_the_longest(tmp_path):
    made = copy_to(tmp_path, stand_ins=False)
    passages = made.folder / "results/smoke/world/test/passages.jsonl"
    passages.parent.mkdir(parents=True)
    with open(passages, "wb") as file:
        file.truncate(10**9)  # without using the disk
    asked = "results/smoke/index/test/manifest.json"
    section = "results/smoke/config/retrieval.json"  # its size is not known before
    smoke = ("--configfile", "config/smoke.yaml", "--allowed-rules", "build_index", "freeze")
    assert made.snakemake("--cores", "1", section, *smoke).returncode == 0
    planned = made.snakemake("-n", asked, *smoke, MEM1_LONGEST_JOB="20")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert "runtime=20" in planned.stdout


def test_a_longest_job_that_is_no_number_is_one_sentence(copy):
    done = copy.snakemake("-n", MEM1_LONGEST_JOB="abc")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: MEM1_LONGEST_JOB is 'abc': set it")
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    """The workflow with something in the place of the base model of preset paper."""
    made = copy_to(tmp_path_factory.mktemp("paper"), stand_ins=False)
    stand_in(made.folder / "models" / "Qwen2.5-7B", "model.safetensors.index.json")
    return made


def stand_in(model, weights):
    """Something in the place of the model in a folder, with the shape of the one of its name."""
    shape = {
        KEYS[name]: value for name, value in vars(PUBLISHED[model.name]).items() if name in KEYS
    }
    tied = {"model_type": "qwen2", "tie_word_embeddings": PUBLISHED[model.name].tied}
    model.mkdir(parents=True)
    (model / "config.json").write_text(json.dumps(shape | tied), encoding="utf-8")
    for name in (weights, "tokenizer.json"):
        (model / name).write_text("stands in for the base model", encoding="utf-8")


def test_single_gpu_plans_two_trainings_and_their_evaluations(tmp_path):
    made = copy_to(tmp_path, stand_ins=False)
    stand_in(made.folder / "models" / "Qwen2.5-0.5B", "model.safetensors")
    assert made.plan("--configfile", "config/single-gpu.yaml") == {
        "import_corpus": 1,
        "import_questions": 2,
        "build_index": 1,
        "compose": 8,
        "train_rl": 2,
        "verify": 1,
        "evaluate": 28,
        **RENDER,
        "track_init": 1,
        "track_run": 2,
        "track_results": 1,
    }


def test_a_preset_that_cannot_fit_is_refused_before_anything_starts(paper):
    smaller = ("--set-resources", "train_rl:device_gib=40")
    done = paper.snakemake("-n", "--configfile", "config/paper.yaml", *smaller)
    assert done.returncode == 2
    assert "error: Run rl-mem1 needs" in done.stderr
    assert "a device has 40.0: the largest part is critic" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_base_model_that_is_not_there_is_one_sentence_behind_what_it_takes(copy):
    done = copy.snakemake("-n", "--configfile", "config/paper.yaml")
    assert done.returncode == 2
    *before, last = done.stderr.splitlines()
    assert last.startswith("error: base_model is models/Qwen2.5-7B, and models/Qwen2.5-7B holds no")
    assert any(line.startswith("Run rl-mem1: 64 tasks") for line in before)


def test_trainings_on_local_files_are_refused_in_one_sentence(copy, tmp_path):
    (copy.folder / "files.yaml").write_text(
        "runs: {rl-mem1: {stage: rl, start: base, policy: mem1}}\n"
    )
    overlays = ("--configfile", "config/sample.yaml", "files.yaml")
    done = copy.snakemake("-n", *overlays, MEM1_SAMPLE_DATA=str(tmp_path))
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith(
        "error: sources.kind is 'files', whose questions are for testing, and runs"
    )


def test_a_dry_run_of_full_scale_says_what_it_takes(paper):
    done = paper.snakemake("-n", "--configfile", "config/paper.yaml")
    assert "| build_index | 64.6 | 64.6 |" in done.stderr
    assert "| assumption | value |" in done.stderr
    assert "assumption" not in done.stdout


def test_paper_plans_one_corpus_for_training_and_evaluation(paper):
    assert paper.plan("--configfile", "config/paper.yaml") == {
        "import_corpus": 1,
        "import_questions": 2,
        "encode_passages": 2,
        "build_index": 1,
        "compose": 8,
        "distill": 1,
        "train_sft": 1,
        "train_rl": 3,
        "verify": 1,
        "evaluate": 81,
        **RENDER,
        "track_init": 1,
        "track_run": 4,
        "track_results": 1,
    }


def test_memory_follows_the_size_of_the_index(tmp_path):
    sample = copy_to(tmp_path, stand_ins=False)
    index = sample.folder / "results/sample/index/test"
    index.mkdir(parents=True)
    (index / "manifest.json").write_text("{}", encoding="utf-8")
    with open(index / "index.faiss", "wb") as file:
        file.truncate(5 * 10**9)  # without using the disk
    arguments = ("-n", "--configfile", "config/sample.yaml")
    planned = sample.snakemake(*arguments, MEM1_SAMPLE_DATA=str(tmp_path)).stdout
    assert "rule evaluate" in planned
    assert "mem_mb=7000" in planned


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


def test_training_seeds_repeat_trainings_and_their_evaluations(copy):
    one, three = (copy.plan(*copy.overlay(f"seeds: {seeds}\n")) for seeds in ([0], [0, 1, 2]))
    repeated = {"train_sft", "train_rl", "distill", "track_run", "evaluate"} & one.keys()
    repeated |= {"train_shop", "evaluate_shop"}
    assert {name: three[name] for name in repeated} == {name: 3 * one[name] for name in repeated}
    assert {k: n for k, n in three.items() if k not in repeated} == {
        k: n for k, n in one.items() if k not in repeated
    }


@pytest.mark.parametrize(
    "elsewhere",
    [
        "url: 'http://127.0.0.1:8000'",
        "url: {train: 'http://127.0.0.1:8000', test: 'http://127.0.0.1:8001'}",
        "kind: web",
        "cache: replay",
    ],
)
def test_no_index_is_built_where_none_is_searched(copy, elsewhere):
    rows = "systems: {mem1-web: null, full-web: null}"  # passages stand in for their web
    planned = copy.plan(*copy.overlay(f"{rows}\nretrieval: {{{elsewhere}}}\n"))
    assert planned["evaluate"] > 0
    assert "build_index" not in planned


def test_a_run_is_compared_with_the_committed_one_where_there_is_one(tmp_path):
    kept = copy_to(tmp_path, stand_ins=False)
    folder = kept.folder / "results/reference/smoke"
    folder.mkdir(parents=True)
    (folder / "reference.json").write_text("{}", encoding="utf-8")
    smoke = ("--configfile", "config/smoke.yaml")
    assert kept.plan(*smoke)["reference_report"] == 1
    assert "compare" not in kept.plan(*smoke)
    assert kept.plan("compare", *smoke)["compare"] == 1
    assert "reference_report" not in kept.plan()


def test_a_run_is_compared_once_all_that_is_kept_of_it_is_made(tmp_path):
    kept = copy_to(tmp_path, stand_ins=False)
    for preset in ("smoke", "sample"):
        folder = kept.folder / "results/reference" / preset
        folder.mkdir(parents=True)
        (folder / "reference.json").write_text("{}", encoding="utf-8")
    sample = ("results/sample/reference.md", "--configfile", "config/sample.yaml")
    assert kept.plan(*sample, MEM1_SAMPLE_DATA=str(tmp_path))["retrieval_report"] == 1
    smoke = kept.plan("results/smoke/reference.md", "--configfile", "config/smoke.yaml")
    assert (smoke["mask_gap"], smoke["train_shop"]) == (1, 3)


@pytest.mark.parametrize("target", [[], ["base"]])
def test_preset_base_plans_the_base_model_only(copy, target):
    assert copy.plan(*target, "--configfile", "config/base.yaml") == {"base": 1}


def test_no_other_preset_can_overwrite_the_base_model(copy):
    done = copy.snakemake("-n", "base")
    assert done.returncode != 0
    assert "No rule to produce base" in done.stdout


def test_a_dry_run_imports_nothing_that_takes_long(copy):
    done = copy.snakemake("-n", PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 0, done.stderr
    imported = set(re.findall(r"^import time:.*\| +([\w.]+)$", done.stderr, re.MULTILINE))
    assert {"snakemake", "mem1.stages"} <= imported
    heavy = {"torch", "transformers", "matplotlib", "mlflow", "faiss", "datasets"}
    assert imported & heavy == set()


@pytest.mark.parametrize(
    ("overlay", "sentence"),
    [
        ("rl: {optimiser: 1}\n", "unknown key 'rl.optimiser'; did you mean 'optimizer'?"),
        ("runs: {rl-full: null}\n", "systems.full-rl.run is 'rl-full'"),
        ("tasks: {test_horizons: [1, 32]}\n", "max_turns has no entry for 32 objectives"),
        ("sft: {horizons: [20]}\n", "sft.horizons of runs.sft-mem1 has 20 objectives"),
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


def test_an_evaluation_asks_for_the_gpus_that_vllm_shares_its_model_out_over(paper):
    done = paper.snakemake("-n", "--configfile", "config/paper.yaml")
    assert done.returncode == 0, done.stderr
    jobs = re.findall(r"^rule (\w+):\n((?:    .*\n)+)", done.stdout + done.stderr, re.MULTILINE)
    asked = {(name, re.search(r"\bgpu=(\d)", job)[1]) for name, job in jobs if " gpu=" in job}
    assert {("evaluate", "4"), ("train_sft", "1"), ("train_rl", "4")} <= asked
    assert ("evaluate", "1") not in asked
