"""The 1000-product catalogue against what was recorded from the original."""

import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mem1.envs.webshop import shopper
from mem1.envs.webshop.index import Index, length_byte
from mem1.envs.webshop.reward import reward
from mem1.envs.webshop.shop import Shop

from .conftest import needs_sample

pytestmark = [pytest.mark.sample, needs_sample]


def recorded(name: str) -> Any:
    folder = Path(os.environ["MEM1_SAMPLE_DATA"]) / "webshop"
    return json.loads((folder / name).read_text(encoding="utf-8"))


def lines(name: str) -> list[Any]:
    folder = Path(os.environ["MEM1_SAMPLE_DATA"]) / "webshop"
    with open(folder / name, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def test_there_are_6910_synthetic_goals(official):
    assert len(official.goals) == 6910


def test_every_recorded_goal_has_its_index(official):
    goals = recorded("goal_index_oracle.json")
    clause = re.compile(r", and price lower than [\d.]+ dollars")
    assert len(goals) == 100
    for index, text in goals.items():
        episode = official.reset(int(index))
        # The cap is random at each start of the original.
        assert clause.sub("", official.text(episode, "text")) == clause.sub("", text)


def test_search_texts_and_prices_are_those_of_the_original(official):
    for row, product in zip(lines("products.jsonl"), official.catalogue.products, strict=True):
        assert product.search_text == row["contents"]
        assert product.price_tag == row["product"]["Price"]
        assert dict(product.options) == {k: tuple(v) for k, v in row["product"]["options"].items()}


def test_every_length_and_the_number_of_terms_are_those_of_the_originals_index(official):
    oracle = recorded("lucene_index_oracle.json")
    products = official.catalogue.products
    index = Index([product.search_text for product in products])
    bytes_ = {p.asin: length_byte(n) for p, n in zip(products, index.lengths, strict=True)}
    assert bytes_ == oracle["norm_byte"]
    assert sum(index.lengths) == oracle["sumTotalTermFreq"]
    assert index.terms == oracle["numTerms"]


def test_all_recorded_ranks_are_the_same(official):
    compared = 0
    for search in recorded("search_ranking_oracle.json"):
        episode = official.step(official.reset(search["goal_index"]), f"search[{search['query']}]")
        found = [official.catalogue.products[i].asin for i in episode.episode.hits]
        ranks = search.get("rank_prefix") or {"1": search["page1"]}
        for page, expected in ranks.items():
            start = 10 * (int(page) - 1)
            assert found[start : start + len(expected)] == expected
            compared += len(expected)
    assert compared == 29


def bought(shop: Shop, goal: int) -> float:
    """What a shopper earns who searches for the title of the goal's product."""
    product = shop.catalogue.products[shop.catalogue.place(shop.goals[goal].asin)]
    query = re.sub(r"[\[\]]", " ", product.title)
    episode = shop.reset(goal)
    for _ in range(30):
        action = shopper.next_action(shop, episode, query)
        assert action is not None
        step = shop.step(episode, action)
        episode = step.episode
        if episode.done:
            return step.reward
    raise AssertionError(f"goal {goal} was not bought")


def test_a_scripted_shopper_earns_one_on_all_goals_where_options_are_compared_by_value(official):
    shop = Shop(official.catalogue, official.panel, official.nouns, rule="values")
    assert Counter(bought(shop, goal) for goal in range(len(shop.goals))) == {1.0: 6910}


def test_as_the_original_compares_options_458_goals_cannot_be_met(official):
    short = 0
    for goal in official.goals:
        product = official.catalogue.products[official.catalogue.place(goal.asin)]
        price = official.panel.prices.get(product.asin, product.prices[0])
        values = [value for _, value in goal.options]
        found = reward(product, values, price, goal, product, official.nouns)
        assert (found.type.factor, found.attributes_met) == (1, found.attributes)
        assert found.price_met
        short += found.options_met < found.options
    assert short == 458


def test_a_purchase_through_all_kinds_of_pages(official):
    goal = 26  # pink, youth, large
    asin = official.goals[goal].asin
    product = official.catalogue.products[official.catalogue.place(asin)]
    episode = official.reset(goal)
    actions = [f"search[{product.title}]", f"click[{asin.lower()}]", "click[features]"]
    actions += ["click[< prev]", "click[pink]", "click[youth]", "click[large]", "click[buy now]"]
    for action in actions:
        step = official.step(episode, action)
        assert step.valid
        episode = step.episode
    assert step.reward == 1
