"""What is planned again after a run, when something changes. Commands are stand-ins."""

import pytest

from tests.workflow.conftest import Copy, copy_to

DRAWN = {"render_tables": 1, "render_figures": 1, "render_claims": 1}
AGAIN = {**DRAWN, "track_results": 1}  # what is made of records, without trajectories to look at
RENDER = {**AGAIN, "view": 1}
GAP = {"mask_gap": 1}
SMOKE = ("--configfile", "config/smoke.yaml")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Copy:
    """The workflow after a whole run of preset smoke."""
    made = copy_to(tmp_path_factory.mktemp("done"), stand_ins=True)
    run = made.snakemake("--cores", "2", *SMOKE)
    assert run.returncode == 0, run.stderr
    return made


@pytest.fixture
def edited(done):
    """A function that appends a line to a module; the module is as before at the end."""
    before = {}

    def edit(name: str) -> None:
        path = done.folder / "mem1" / name
        before[path] = path.read_bytes()
        path.write_text(path.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")

    yield edit
    for path, content in before.items():
        path.write_bytes(content)


def test_a_second_run_does_nothing(done):
    assert done.plan(*SMOKE) == {}


@pytest.mark.parametrize(
    ("target", "gone", "rule"),
    [
        ("figures", "figures", "render_figures"),
        ("tables", "tables/table1.csv", "render_tables"),
        ("claims", "claims.json", "render_claims"),
        ("results/smoke/figures/figure2.png", "figures/figure2.png", "render_figures"),
        ("results/smoke/tables/table4.md", "tables/table4.md", "render_tables"),
    ],
)
def test_what_is_asked_for_is_made_from_the_records_there_are(done, target, gone, rule):
    path = done.folder / "results/smoke" / gone
    path.rename(aside := done.folder / "aside")
    try:
        assert done.plan(target, *SMOKE).items() - {(target, 1)} == {(rule, 1)}
    finally:
        aside.rename(path)


@pytest.mark.parametrize(
    ("gone", "rule"),
    [
        ("tokenizer.manifest.json", "make_tokenizer"),
        ("world/test", "make_world"),
        ("index/train", "build_index"),
        ("tasks/train-2.manifest.json", "compose"),
        ("train/rl-full", "train_rl"),
        ("eval/truncate/2.jsonl", "evaluate"),
        ("webshop/train", "make_shop"),
        ("train/shop-sft-mem1", "train_shop"),
        ("eval/shop-amem", "evaluate_shop"),
    ],
)
def test_what_others_were_made_of_is_made_again_when_it_is_gone(done, gone, rule):
    path = done.folder / "results/smoke" / gone
    path.rename(aside := done.folder / "aside")
    try:
        assert rule in done.plan(*SMOKE)
    finally:
        aside.rename(path)


@pytest.mark.parametrize("target", ["figures", "tables", "claims"])
def test_nothing_is_planned_for_what_is_there(done, target):
    assert done.plan(target, *SMOKE) == {}


def test_rl_learning_rate_replans_rl_and_what_follows(done):
    plan = done.plan(*done.overlay("rl: {optimizer: {lr: 0.03}}\n"))
    assert plan == {**RENDER, **GAP, "train_rl": 3, "verify": 1, "track_run": 3, "evaluate": 11}


def test_seed_of_one_run_replans_that_run_and_what_follows(done):
    plan = done.plan(*done.overlay("runs: {rl-mem1: {seed: 5}}\n"))
    assert plan == {**RENDER, **GAP, "train_rl": 1, "verify": 1, "track_run": 1, "evaluate": 6}


def test_warm_start_replans_rl_behind_it(done):
    plan = done.plan(*done.overlay("runs: {sft-mem1: {seed: 5}}\n"))
    assert (plan["train_sft"], plan["train_rl"]) == (1, 2)
    assert plan["evaluate"] == 10


def test_another_number_of_compared_trajectories_replans_no_rendering(done):
    plan = done.plan(*done.overlay("mask_gap: {tasks: 3}\n"))
    assert plan == {**GAP, "track_results": 1}


def test_number_of_resamples_replans_tables_and_figures(done):
    assert done.plan(*done.overlay("evaluation: {bootstrap: 200}\n")) == AGAIN


def test_another_horizon_replans_its_panel_only(done):
    plan = done.plan(*done.overlay("tasks: {test_horizons: [1, 2, 3, 4]}\n"))
    assert plan == {**AGAIN, "compose": 1, "evaluate": 5}


def test_a_removed_system_replans_no_evaluation(done):
    assert done.plan(*done.overlay("systems: {truncate: null}\n")) == RENDER


def test_an_edited_evaluation_is_repeated_and_no_training(done, edited):
    edited("evaluate.py")
    shops = {"evaluate_shop": 5, "view_shop": 1}
    assert done.plan(*SMOKE) == {**RENDER, **GAP, "evaluate": 22, **shops}


def test_an_edited_trainer_repeats_nothing_and_stops_at_verify(done, edited):
    edited("train_rl.py")
    plan = done.plan(*SMOKE)
    assert plan.pop("verify") == 1
    assert plan == {**AGAIN, **GAP}
    run = done.snakemake("--cores", "1", *SMOKE)
    assert run.returncode != 0
    assert "the code of mem1.train_rl has changed since" in run.stderr


def test_checkpoints_of_other_settings_lie_elsewhere(done):
    places = set()
    for rate in ("0.01", "0.02"):
        overlay = done.overlay(f"rl: {{optimizer: {{lr: {rate}}}}}\n")
        text = done.snakemake("-n", "-p", "--until", "train_rl", *overlay).stdout
        places |= {word for word in text.split() if "checkpoints/rl-mem1/" in word}
    assert len(places) == 2


def test_the_run_ends_with_the_table_and_where_to_look(done):
    again = done.snakemake("--cores", "1", "--force", "track_results", *SMOKE)
    assert again.returncode == 0, again.stderr
    table = (done.folder / "results/smoke/tables/table1.md").read_text(encoding="utf-8")
    assert table in again.stdout
    assert "mlflow ui --backend-store-uri sqlite:////" in again.stdout


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """What is planned after a whole run over a file of one's own, as a function, and that file."""
    made = copy_to(tmp_path_factory.mktemp("local"), stand_ins=True)
    (made.folder / "data").mkdir()
    (made.folder / "data/mine.jsonl").write_text("first")
    (made.folder / "mine.yaml").write_text(
        "sources: {kind: files, files: [{layout: flashrag, path: mine.jsonl}]}\n"
        "tasks: {test_horizons: [1]}\nretrieval_report: {k: null}\n"
    )
    overlays = ("--configfile", "config/sample.yaml", "mine.yaml")
    run = made.snakemake("--cores", "2", *overlays, MEM1_SAMPLE_DATA="data")
    assert run.returncode == 0, run.stderr
    return lambda: made.plan(*overlays, MEM1_SAMPLE_DATA="data"), made.folder / "data/mine.jsonl"


def test_local_data_that_were_edited_are_imported_again(local):
    plan, path = local
    assert plan() == {}
    path.write_text("second")
    try:
        assert {"import_sources", "evaluate"} <= plan().keys()
    finally:
        path.write_text("first")


def test_what_was_imported_stays_valid_without_the_data(local):
    plan, path = local
    path.rename(path.with_suffix(".aside"))
    try:
        assert plan() == {}
    finally:
        path.with_suffix(".aside").rename(path)
