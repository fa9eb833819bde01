"""The section webshop: what contradicts itself is one sentence before anything runs."""

from pathlib import Path

import pytest

from mem1 import config_files, stages
from mem1.errors import InputError

ROOT = Path(__file__).resolve().parents[2]


def load_with(folder: Path, overlay: str):
    path = folder / "overlay.yaml"
    path.write_text(overlay, encoding="utf-8")
    return config_files.load(ROOT / "config/config.yaml", path)


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        ("shop: {protocol: human}", "the others need a folder"),
        ("shop: {catalogue: here}", "protocol mini makes its catalogue"),
        ("runs: {shop-rl-mem1: {start: shop-rl-full}}", "a run of stage rl starts from"),
        ("runs: {shop-sft-mem1: {start: shop-sft-full}}", "a run of stage sft starts from base"),
        ("systems: {shop-amem: {prompt: mem1}}", "give it environment: webshop and a prompt of"),
        ("systems: {shop-amem: {run: rl-mem1}}", "use one of .*shop-rl-full"),
        ("systems: {shop-amem: {horizons: [1]}}", "a shop has no oracle-reader and no horizons"),
        ("sft: {products: 900}", "less than or equal to 800"),
        ("rl: {stepps: 3}", "stepps"),
        ("rl: {format_reward: true}", "has format_reward, which is for questions"),
    ],
)
def test_a_section_that_contradicts_itself_is_refused(tmp_path, inside, message) -> None:
    with pytest.raises(InputError, match=message):
        stages.frozen(load_with(tmp_path, f"webshop:\n  {inside}\n"), "run-shop-rl-mem1")


def test_published_catalogues_are_for_evaluation_only(tmp_path) -> None:
    shop = "shop: {protocol: official-1k-synthetic, catalogue: here}"
    with pytest.raises(InputError, match="agents are trained on protocol mini only"):
        load_with(tmp_path, f"webshop:\n  {shop}\n")


def test_settings_of_the_shop_stay_out_of_the_questions_stages(tmp_path) -> None:
    before = config_files.load(ROOT / "config/config.yaml")
    after = load_with(tmp_path, "webshop: {agent: {max_new_tokens: 50}, rl: {steps: 3}}\n")
    for stage in ("run-rl-mem1", "eval-mem1-rl", "tasks-test-2", "world"):
        assert stages.frozen(before, stage) == stages.frozen(after, stage)
    changed = stages.frozen(after, "run-shop-rl-mem1")
    assert (changed.agent.max_new_tokens, changed.rl.steps) == (50, 3)


def test_what_a_preset_takes_away_is_gone(tmp_path) -> None:
    config = load_with(tmp_path, "webshop: {systems: {shop-amem: null}}\n")
    assert "shop-amem" not in config.webshop.systems
    assert load_with(tmp_path, "webshop: null\n").webshop is None


def test_stitched_rows_are_for_policy_mem1_only(tmp_path) -> None:
    message = r"webshop\.runs\.shop-rl-full has policy full and packing stitched"
    with pytest.raises(InputError, match=message):
        load_with(tmp_path, "webshop: {rl: {packing: stitched}}\n")
    only_mem1 = "webshop: {runs: {shop-rl-mem1: {changes: {packing: stitched}}}}\n"
    assert load_with(tmp_path, only_mem1).webshop is not None


def test_the_format_reward_of_questions_is_none_of_the_shop(tmp_path) -> None:
    config = load_with(tmp_path, "rl: {format_reward: true}")
    assert not config.shop_settings_of("shop-rl-mem1").format_reward
