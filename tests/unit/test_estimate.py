"""The estimate of what preset paper takes, against numbers computed by hand."""

from pathlib import Path

import pytest

from mem1 import config, config_files, estimate, resources
from mem1.config_learning import Rl
from mem1.errors import InputError
from mem1.machines import machine_of
from mem1.tasks import catalogue

FOLDER = Path(__file__).parents[2] / "config"
FILES = [FOLDER / "config.yaml", FOLDER / "paper.yaml"]


@pytest.fixture(scope="module")
def paper() -> config.Config:
    return config_files.load(*FILES)


@pytest.fixture(scope="module")
def rl(paper: config.Config) -> Rl:
    return paper.rl


@pytest.fixture(scope="module")
def needs(paper: config.Config) -> dict[str, resources.Need]:
    return {
        need.rule: need for need in resources.needs(paper, catalogue.read(), machine_of("paper"))
    }


def test_a_flat_index_of_the_dump_takes_64_6_gb() -> None:
    assert resources.flat_index_bytes(21_015_324, 768) == 64_559_075_328


def test_flops_of_a_round(rl: Rl) -> None:
    # old 2, new 8 with checkpointing, starting policy 2; values 2, critic 8: 22 in all
    assert resources.round_flops(rl, 10, 100) == 22_000


def test_flops_without_critic_penalty_and_checkpointing(rl: Rl) -> None:
    changes = {"estimator": "grpo", "kl": 0.0, "gradient_checkpointing": False}
    assert resources.round_flops(rl.model_copy(update=changes), 10, 100) == 8_000


@pytest.mark.parametrize(
    ("packing", "cap", "flops"), [("tree", None, 20_000), ("stitched", None, 22_000)]
)
def test_the_policy_looks_again_only_where_the_engine_is_not_believed(
    rl: Rl, packing: str, cap: float | None, flops: int
) -> None:
    changed = rl.model_copy(update={"packing": packing, "importance_cap": cap})
    assert resources.round_flops(changed, 10, 100) == flops


def test_the_index_of_the_paper(needs: dict[str, resources.Need]) -> None:
    index = needs["build_index"]
    assert index.memory == pytest.approx(64.559, abs=1e-3)
    assert index.disk == needs["encode_passages"].disk == index.memory
    assert needs["encode_passages"].gpu_hours == pytest.approx(21_015_324 / 680 / 3600)


def test_the_training_of_the_paper(needs: dict[str, resources.Need]) -> None:
    # 460 + 6 x 200 + 5 x 450 + 4 x 200 tokens each; 22 FLOP a parameter; 64 x 6 x 200 sampled
    update = 22 * 7_615_616_512 * 64 * 4710 / (989e12 * 0.3)
    sample = 64 * 6 * 200 / 2500
    run = needs["train_rl rl-mem1"]
    assert run.gpu_hours == pytest.approx(500 * (update + sample) / 3600)


def test_the_evaluation_of_the_paper(needs: dict[str, resources.Need]) -> None:
    # 4 horizons of 6 turns and 3 of 20, 1000 tasks each, 200 tokens a turn
    hours = 1000 * (4 * 6 + 3 * 20) * 200 / 2500 / 3600
    assert needs["evaluate mem1-rl"].gpu_hours == pytest.approx(hours)


def test_every_rule_of_full_scale_is_in_the_table(
    needs: dict[str, resources.Need], capsys: pytest.CaptureFixture[str]
) -> None:
    estimate.main(["--config", *map(str, FILES)])
    printed = capsys.readouterr().out
    assert all(f"| {rule} |" in printed for rule in needs)
    assert all(f"| {name} |" in printed for name in resources.ASSUMPTIONS)


def test_every_assumption_says_where_it_is_from() -> None:
    assert all(one.source and one.value > 0 for one in resources.ASSUMPTIONS.values())


def test_small_presets_have_nothing_to_estimate() -> None:
    with pytest.raises(InputError, match="nothing to estimate for preset mini"):
        estimate.main(["--config", str(FILES[0])])
