"""The estimate of what preset paper takes, against numbers computed by hand."""

from pathlib import Path

import pytest

from mem1 import config, config_files, estimate, resources
from mem1.config_learning import Rl
from mem1.errors import InputError
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
    return {need.rule: need for need in resources.needs(paper, catalogue.read())}


def test_a_flat_index_of_the_dump_takes_64_6_gb() -> None:
    assert resources.flat_index_bytes(21_015_324, 768) == 64_559_075_328


@pytest.mark.parametrize(("policy", "tokens"), [("mem1", 5560), ("full", 4360)])
def test_tokens_of_a_row(policy: str, tokens: int) -> None:
    # 460 + 6 x (2 x 200 + 450), and 460 + 6 x (200 + 450)
    assert resources.row_tokens(policy, 460, 200, 450, 6) == tokens


def test_flops_of_a_round(rl: Rl) -> None:
    # old 2, new 8 with checkpointing, starting policy 2; values 2, critic 8: 22 in all
    assert resources.round_flops(rl, 10, 100) == 22_000


def test_flops_without_critic_penalty_and_checkpointing(rl: Rl) -> None:
    changes = {"estimator": "grpo", "kl": 0.0, "gradient_checkpointing": False}
    assert resources.round_flops(rl.model_copy(update=changes), 10, 100) == 8_000


def test_two_learners_and_a_reference_are_divided_among_gpus(rl: Rl) -> None:
    assert resources.gpu_bytes(rl, 4, 2, 16, 2) == 4 * (2 * 16 + 2) / 2
    plain = rl.model_copy(update={"engine": "plain"})
    assert resources.gpu_bytes(plain, 4, 2, 16, 2) == 4 * (2 * 16 + 2)


def test_the_index_of_the_paper(needs: dict[str, resources.Need]) -> None:
    index = needs["build_index"]
    assert index.memory == pytest.approx(64.559, abs=1e-3)
    assert index.disk == needs["encode_passages"].disk == index.memory
    assert needs["encode_passages"].gpu_hours == pytest.approx(21_015_324 / 680 / 3600)


def test_the_training_of_the_paper(needs: dict[str, resources.Need]) -> None:
    # 64 x 5560 tokens, 22 FLOP a parameter; 64 x 6 x 200 sampled tokens
    update = 22 * 7.62e9 * 64 * 5560 / (989e12 * 0.3)
    sample = 64 * 6 * 200 / 500
    run = needs["train_rl rl-mem1"]
    assert run.gpu_hours == pytest.approx(500 * (update + sample) / 3600)
    assert run.memory == pytest.approx(7.62 * 34 / 4)


def test_the_evaluation_of_the_paper(needs: dict[str, resources.Need]) -> None:
    # 4 horizons of 6 turns and 3 of 20, 1000 tasks each, 200 tokens a turn
    hours = 1000 * (4 * 6 + 3 * 20) * 200 / 500 / 3600
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


def test_parameters_are_those_of_the_published_shapes() -> None:
    width, inner, heads = 3584, 18_944, 512  # heads: 4 of 128 for keys and for values
    layer = 2 * width * width + 2 * width * heads + 3 * width * inner
    assert resources.ASSUMPTIONS["parameters"].value == pytest.approx(
        2 * 152_064 * width + 28 * layer, rel=1e-3
    )


def test_small_presets_have_nothing_to_estimate() -> None:
    with pytest.raises(InputError, match="nothing to estimate for preset mini"):
        estimate.main(["--config", str(FILES[0])])
