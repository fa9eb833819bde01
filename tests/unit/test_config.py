import json
from pathlib import Path

import pytest

from mem1 import config, config_files, make_schema
from mem1.errors import InputError

FOLDER = Path(__file__).parents[2] / "config"
MINI = FOLDER / "config.yaml"
NO_SETTINGS = {FOLDER / f"{name}.yaml" for name in ("expected", "tolerances", "machines")}
OVERLAYS = sorted(set(FOLDER.glob("*.yaml")) - {MINI} - NO_SETTINGS)


def load_with(tmp_path: Path, text: str) -> config.Config:
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(text, encoding="utf-8")
    return config_files.load(MINI, overlay)


def test_mini_is_the_preset_of_the_default_configuration():
    assert config_files.load(MINI).preset == "mini"


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.stem)
def test_each_overlay_loads_and_is_the_preset_of_its_name(overlay):
    assert config_files.load(MINI, overlay).preset == overlay.stem


def test_committed_schema_is_in_step(tmp_path):
    make_schema.main(["--output", str(tmp_path / "schema.json")])
    made = (tmp_path / "schema.json").read_text(encoding="utf-8")
    assert (FOLDER / "schema.json").read_text(encoding="utf-8") == made, (
        "run: python -m mem1.make_schema --output config/schema.json --readme config/README.md"
    )


def test_the_table_of_settings_is_in_step(tmp_path):
    for name in ("README.md", "config.yaml"):
        (tmp_path / name).write_bytes((FOLDER / name).read_bytes())
    schema, readme = tmp_path / "schema.json", tmp_path / "README.md"
    make_schema.main(["--output", str(schema), "--readme", str(readme)])
    assert readme.read_text(encoding="utf-8") == (FOLDER / "README.md").read_text(encoding="utf-8")


def test_every_setting_has_a_meaning_and_a_row():
    text = (FOLDER / "README.md").read_text(encoding="utf-8").partition("## Every setting")[2]
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| `")]
    named = {row[0].strip("| `") for row in rows}
    assert {"rl.optimizer.lr", "systems.NAME.server.key", "tasks.max_turns", "seed"} <= named
    assert [row for row in rows if not row[3].strip("| ")] == []


def test_schema_describes_the_learning_rate():
    schema = json.loads((FOLDER / "schema.json").read_text(encoding="utf-8"))
    rate = schema["$defs"]["Optimizer"]["properties"]["lr"]
    assert (rate["exclusiveMinimum"], rate["exclusiveMaximum"]) == (0, 1)


def test_every_field_is_named_in_the_default_configuration():
    values = config_files.load(MINI).model_dump(mode="json")
    text = MINI.read_text(encoding="utf-8")
    names = {name for section in values.values() if isinstance(section, dict) for name in section}
    assert [name for name in sorted(names) if f"{name}:" not in text] == []


def test_null_takes_a_run_and_its_system_away(tmp_path):
    got = load_with(tmp_path, "runs: {rl-full: null}\nsystems: {full-rl: null, full-web: null}\n")
    mini = config_files.load(MINI)
    assert set(got.runs) == set(mini.runs) - {"rl-full"}
    assert set(got.systems) == set(mini.systems) - {"full-rl", "full-web"}


def test_null_elsewhere_stays_a_value(tmp_path):
    assert (
        load_with(tmp_path, "systems: {mem1-rl: {paper: null}}\n").systems["mem1-rl"].paper is None
    )


def test_removing_a_run_that_a_system_needs_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"systems\.full-rl\.run is 'rl-full'"):
        load_with(tmp_path, "runs: {rl-full: null}\n")


def test_runs_that_start_from_each_other_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"runs\.sft-mem1 starts from itself in the end"):
        load_with(tmp_path, "runs: {sft-mem1: {start: rl-mem1}}\n")


def test_overlay_keeps_what_it_does_not_name(tmp_path):
    got = load_with(tmp_path, "rl: {optimizer: {lr: 0.5}}\n")
    assert got.rl.optimizer.lr == 0.5
    assert got.rl.optimizer.clip == config_files.load(MINI).rl.optimizer.clip


def test_unknown_key_names_the_nearest(tmp_path):
    with pytest.raises(InputError, match=r"unknown key 'rl\.optimiser'; did you mean 'optimizer'"):
        load_with(tmp_path, "rl: {optimiser: {lr: 0.5}}\n")


def test_number_written_as_text_is_refused_by_name(tmp_path):
    with pytest.raises(InputError, match=r"rl\.kl"):
        load_with(tmp_path, "rl: {kl: a little}\n")


def test_yaml_in_another_encoding_names_the_file(tmp_path):
    path = tmp_path / "latin.yaml"
    path.write_bytes("# Zürich\nseed: 1\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"latin\.yaml is not UTF-8 text"):
        config_files.load(path)


def test_malformed_yaml_names_the_file(tmp_path):
    with pytest.raises(InputError, match=r"overlay\.yaml is not valid YAML"):
        load_with(tmp_path, "rl: {kl: 0.1\n")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.yaml does not exist"):
        config_files.load(MINI, tmp_path / "nothing.yaml")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ("{clip_ration: 0.1}", r"runs\.rl-mem1\.changes\.clip_ration: Extra inputs"),
        ("{clip_ratio: 2}", r"runs\.rl-mem1\.changes\.clip_ratio: Input should be less than 1"),
        ("{critic: null}", r"ppo needs the section critic"),
    ],
)
def test_changes_of_a_run_are_checked_like_its_section(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        load_with(tmp_path, f"runs: {{rl-mem1: {{changes: {changes}}}}}")


def test_stitched_rows_are_for_policy_mem1_only(tmp_path):
    with pytest.raises(InputError, match=r"runs\.rl-full has policy full and packing stitched"):
        load_with(tmp_path, "rl: {packing: stitched}")


def test_gap_is_measured_on_a_trained_system_of_policy_mem1(tmp_path):
    with pytest.raises(InputError, match=r"mask_gap\.system is 'full-rl'"):
        load_with(tmp_path, "mask_gap: {system: full-rl}")
