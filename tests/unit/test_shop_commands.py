"""The commands around WebShop: goals as files, refusals before training, a page of visits."""

import json
import re
from pathlib import Path

import pytest

from mem1 import cli, config_files, evaluate, make_shop, make_tokenizer, stages, train_shop, view
from mem1.agent.text import load_codec
from mem1.envs.webshop import opening
from mem1.errors import InputError
from mem1.provenance import file_digest, read_json, write_json
from mem1.records import Trajectory, read_jsonl, write_jsonl
from mem1.tasks.compose import save_panel
from mem1.train.shop import play
from tests.browser import Browser, found
from tests.unit.envs.webshop.conftest import published

ROOT = Path(__file__).resolve().parents[2]
SYSTEM = "shop-mem1-sft"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frozen sections, tokenizer and goals of preset smoke, in the layout of the workflow."""
    place = tmp_path_factory.mktemp("results") / "smoke"
    config = config_files.load(ROOT / "config/config.yaml", ROOT / "config/smoke.yaml")
    for name in ("webshop", "run-shop-sft-mem1", "run-shop-rl-mem1", f"eval-{SYSTEM}"):
        section = stages.frozen(config, name)
        write_json(place / "config" / f"{name}.json", section.model_dump(mode="json"))
    for split in ("train", "test"):
        make_shop.main(goals(place, split, place / "webshop" / split))
    make_tokenizer.main(["--webshop", "--output-dir", str(place / "webshop/tokenizer")])
    return place


def goals(home: Path, split: str, folder: Path, seed: int = 0) -> list[str]:
    return [
        *("--config", str(home / "config/webshop.json"), "--seed", str(seed)),
        *("--split", split, "--output-dir", str(folder)),
    ]


def training(home: Path, run: str, *more: str) -> list[str]:
    return [
        *("--config", str(home / f"config/run-{run}.json"), "--start", str(ROOT / "models/base")),
        *("--tokenizer", str(home / "webshop/tokenizer"), "--output-dir", str(home / run)),
        *("--checkpoint-dir", str(home / f"{run}-checkpoints"), "--experiment", "smoke"),
        *("--tracking-uri", f"sqlite:///{home}/none.db", *more),
    ]


def shop_files(home: Path, split: str) -> list[str]:
    place = home / "webshop" / split
    return ["--goals", str(place / "goals.json"), "--tasks", str(place / "tasks.jsonl")]


@pytest.fixture(scope="module")
def records(home: Path) -> Path:
    """What the script does in the shop."""
    run = cli.read_section(home / "config/run-shop-sft-mem1.json", stages.ShopRun)
    shop = opening.opened(run.shop, "test", run.seed, home / "webshop/test/goals.json")
    codec = load_codec(home / "webshop/tokenizer")
    played = play(run, shop, run.sft.imperfections, 6, 0, codec)
    write_jsonl(home / "records.jsonl", played)
    tasks = opening.drawn(shop, "train", 6, run.tasks.max_turns, 0)
    save_panel(home / "tasks.jsonl", tasks, {})
    return home / "records.jsonl"


def test_the_same_seed_makes_the_same_goals(home, tmp_path):
    make_shop.main(goals(home, "test", tmp_path / "again"))
    make_shop.main(goals(home, "test", tmp_path / "other", seed=1))
    for name in ("goals.json", "tasks.jsonl"):
        first, again, other = (
            file_digest(folder / name)
            for folder in (home / "webshop/test", tmp_path / "again", tmp_path / "other")
        )
        assert first == again != other


def test_goals_of_a_published_catalogue_name_its_files(tmp_path):
    shop = {"protocol": "official-1k-synthetic", "catalogue": str(tmp_path), "mode": "text"}
    section = {"shop": shop, "tasks": {"train_count": 1, "test_count": 2, "max_turns": 5}}
    write_json(published(tmp_path) / "config/webshop.json", section)
    make_shop.main(goals(tmp_path, "test", tmp_path / "made"))
    names = ("items_shuffle_1000.json", "items_ins_v2_1000.json")  # orders are for human goals
    assert read_json(tmp_path / "made/manifest.json")["inputs"] == {
        f"{tmp_path}/{name}": file_digest(tmp_path / name) for name in names
    }


def test_a_split_that_does_not_exist_is_named(home, tmp_path):
    with pytest.raises(InputError, match="no split 'dev': use train, validation or test"):
        make_shop.main(goals(home, "dev", tmp_path))


def test_imitation_takes_no_goals_and_reward_needs_them(home):
    with pytest.raises(InputError, match="stage sft: leave --tasks and --goals out"):
        train_shop.main(training(home, "shop-sft-mem1", *shop_files(home, "train")))
    with pytest.raises(InputError, match="stage rl: give it --tasks and --goals"):
        train_shop.main(training(home, "shop-rl-mem1"))


def test_goals_of_another_split_are_refused(home):
    section = cli.read_section(home / "config/webshop.json", stages.ShopGoals)
    with pytest.raises(InputError, match="use the catalogue that the goals were made for"):
        opening.opened(section.shop, "test", 0, home / "webshop/train/goals.json")


def test_a_model_with_another_tokenizer_is_refused(home):
    evaluation = [
        *("--config", str(home / f"config/eval-{SYSTEM}.json"), "--system", SYSTEM),
        *shop_files(home, "test"),
        *("--model", str(ROOT / "models/base"), "--output", str(home / "none.jsonl")),
        *("--tokenizer", str(home / "webshop/tokenizer"), "--threads", "1"),
    ]
    with pytest.raises(InputError, match="another tokenizer"):
        evaluate.main(evaluation)


@pytest.fixture(scope="module")
def page(records, tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("page") / "page.html"
    home = records.parent
    view.main(
        [
            *(str(records), "--tokenizer", str(home / "webshop/tokenizer")),
            *("--tasks", str(home / "tasks.jsonl"), "--output", str(place)),
        ]
    )
    return place


def test_the_page_has_instructions_and_visited_pages(page, records):
    data = json.loads(re.search(r'id="data">([^<]*)</script>', page.read_text())[1])
    for one, played in zip(data["trajectories"], read_jsonl(records, Trajectory), strict=True):
        assert data["tasks"][one["task"]]["instruction"].startswith("Find me ")
        assert [turn["info"] for turn in one["turns"]] == [turn.info_text for turn in played.turns]
        assert one["prompt"].startswith("Buy what is asked for .")


@pytest.mark.skipif(found() is None, reason="no Chromium on this machine")
def test_the_page_shows_the_reward_of_a_shopper(page, records, tmp_path):
    reward = read_jsonl(records, Trajectory)[0].score.reward
    with Browser(tmp_path) as browser:
        browser.open(page.as_uri())
        shown = browser.run("document.querySelector('#summary').innerText")
        assert f"score {round(reward, 2):g} of 1" in shown
        assert "Find me" in shown
        assert "F1" not in shown
        assert browser.complaints() == []
