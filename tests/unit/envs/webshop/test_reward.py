"""The original's own examples, and the quirks of its code."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem1.envs.webshop.catalogue import Product
from mem1.envs.webshop.colours import COLOURS, basic
from mem1.envs.webshop.goals import Goal
from mem1.envs.webshop.nouns import nouns
from mem1.envs.webshop.reward import (
    attributes_met,
    likeness,
    options_met,
    reward,
    type_match,
)

from .conftest import path

WORDS = nouns("words")
SHOES = "Mens D.O.N. Issue 2 Gca Basketball Sneakers Shoes Casual - Off White"
PRODUCT = Product(
    asin="B1",
    title=SHOES,
    description="",
    bullets=(),
    category="",
    query="query 1",
    path=path("a", "b", "c"),
    prices=(35.0,),
    options=(),
    attributes=("tea tree", "essential oil", "natural ingredients"),
)
ASKED = ("tea tree", "essential oils", "natural ingredients")
GOAL = Goal("B1", "", ASKED, (("color", "grey"), ("size", "XL")), 40.0, 1.0)


def test_buying_what_was_asked_for_is_worth_one():
    assert reward(PRODUCT, ["grey", "XL"], 35, GOAL, PRODUCT, WORDS).value == 1


def test_parts_lower_the_reward_as_in_the_originals_examples():
    said = "This shampoo has essential oils and smells like lemons"
    description = "Best shampoo on the market, made with natural ingredients"
    # The example gives the bullets as one string, which the original joins letter by letter.
    bought = replace(PRODUCT, attributes=(), bullets=tuple(said), description=description)
    found = reward(bought, ["grey", "XL"], 35, GOAL, PRODUCT, WORDS)
    assert found.value == pytest.approx(2 / 3)

    options = (*GOAL.options, ("amount", "pack of 12"))
    more = replace(GOAL, options=options)
    assert reward(bought, ["grey", "XL"], 35, more, PRODUCT, WORDS).value == pytest.approx(4 / 7)

    power = replace(PRODUCT, title=POWER)
    bought = replace(bought, title=CABLE, query="query 2", path=path("a", "d", "e"))
    found = reward(bought, ["grey", "XL"], 35, more, power, WORDS)
    assert found.value == pytest.approx(2 / 7)


def test_a_price_above_the_cap_costs_one_part():
    assert reward(PRODUCT, ["grey", "XL"], 40.01, GOAL, PRODUCT, WORDS).value == pytest.approx(
        5 / 6
    )


def test_details_are_the_reward_by_the_originals_names():
    found = reward(PRODUCT, ["grey"], 50, GOAL, PRODUCT, WORDS)
    d = found.details
    total = d["r_att"] * d["w_att"] + d["r_option"] * d["w_option"] + d["r_price"] * d["w_price"]
    assert found.value == pytest.approx(d["r_type"] * total)
    assert (d["query_match"], d["category_match"], d["title_score"]) == (True, True, 1.0)


def test_without_options_there_is_no_rate_of_options():
    details = reward(PRODUCT, [], 35, replace(GOAL, options=()), PRODUCT, WORDS).details
    assert "r_option" not in details
    assert details["w_att"] == 3 / 4


PEAK = (
    "PEAK High Top Mens Basketball Shoes Lou Williams Streetball Master Breathable Non Slip "
    "Outdoor Sneakers"
)
POWER = "Saireed UL Listed 2 Prong Power Cord for JBL Bar 3.1 Bar 2.1 Channel 4K Ultra HD Soundbar"
THEATER = f"{POWER} Home Theater System Subwoofer"
CABLE = (
    "BRST AC Power Cord Outlet Socket Cable Plug Lead for Panasonic SC-HT830V DVD/VCR Combo Home "
    "Theater System"
)
KNOB = "Rusticware 921ORB Kitchen and Bath Cabinet Knob"
TWEEZERS = (
    "Minkissy 2pcs Stainless Steel Eyebrow Tweezers Blackhead Acne Remover Portable Makeup "
    "Tweezers (Silver)"
)


@pytest.mark.parametrize(
    ("wanted", "bought", "score"),
    [(SHOES, PEAK, 0.444), (THEATER, CABLE, 0.294), (POWER, CABLE, 0.154), (KNOB, TWEEZERS, 0)],
)
def test_title_scores_of_the_originals_examples_with_words_for_nouns(wanted, bought, score):
    match = type_match(replace(PRODUCT, title=bought), replace(PRODUCT, title=wanted), WORDS)
    assert match.title == pytest.approx(score, abs=5e-4)


def test_title_scores_of_the_originals_examples_with_spacy():
    pytest.importorskip("spacy")
    pytest.importorskip("en_core_web_sm")
    tagged = nouns("spacy")
    for wanted, bought, score in [
        (SHOES, PEAK, 0.333),
        (THEATER, CABLE, 0.3),
        (POWER, CABLE, 0.15),
    ]:
        match = type_match(replace(PRODUCT, title=bought), replace(PRODUCT, title=wanted), tagged)
        assert match.title == pytest.approx(score, abs=0.01)


@pytest.mark.parametrize(
    ("parts", "same"),
    [("abc", True), ("bca", True), ("adb", True), ("aab", True), ("def", False), ("aad", False)],
)
def test_categories_agree_from_two_parts_on(parts, same):
    bought = replace(PRODUCT, path=path(*parts))
    assert type_match(bought, PRODUCT, WORDS).category is same


ELEVEN = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda"


@pytest.mark.parametrize(
    ("title", "query", "factor"),
    [
        ("alpha beta gamma", "other", 1.0),  # 3 of 11
        ("alpha beta", "other", 0.5),  # 2 of 11: not above 0.2, nothing else agrees
        ("alpha beta", "query 1", 1.0),
        ("alpha", "query 1", 0.1),  # 1 of 11, whatever else agrees
        ("omega", "query 1", 0.0),
    ],
)
def test_later_rules_win(title, query, factor):
    wanted = replace(PRODUCT, title=ELEVEN, path=path("x", "y"))
    bought = replace(PRODUCT, title=title, query=query)
    assert type_match(bought, wanted, WORDS).factor == factor


def test_a_title_without_nouns_scores_a_fifth():
    assert type_match(PRODUCT, replace(PRODUCT, title="12 34"), WORDS).title == 0.2


@pytest.mark.parametrize(
    ("own", "texts", "met"),
    [
        (("tea tree", "essential oil", "natural ingredients"), ("", ""), 3),
        (("essential oil", "natural ingredients"), ("", ""), 2),
        ((), ("Shampoo with ESSENTIAL OILS", "made with natural ingredients"), 2),
        (("tea bag", "earl gray"), ("Soothing aroma", "Best tea made by Lipton"), 0),
    ],
)
def test_attributes_are_alike_or_stand_in_a_text(own, texts, met):
    bullet, description = texts
    bought = replace(PRODUCT, attributes=own, bullets=(bullet,), description=description)
    assert attributes_met(bought, ASKED) == met


@pytest.mark.parametrize(
    ("chosen", "asked", "met"),
    [
        (["pack of 12", "grey", "XL"], ["grey", "XL", "pack of 12"], 3),
        (["pack of 12", "blue", "XL"], ["grey", "XL", "pack of 12"], 2),
        (["pack of 12", "powder snow", "XL"], ["cool powder snow", "XL", "pack of 12"], 3),
        (["goal 1"], [], 0),
        ([], ["goal 1", "goal 2"], 0),
        (["aqua blue"], [("color", "light aqua")], 1),  # the colour's word is among the pair's
        (["light black"], [("color", "black")], 1),
        (["rectangular"], [("item shape", "rectangular")], 0),  # reduced to "tan"
        (["black2626"], [("color", "black2626")], 0),
    ],
)
def test_options_are_compared_as_in_the_original(chosen, asked, met):
    assert options_met(chosen, asked) == met


@pytest.mark.parametrize("value", ["rectangular", "black2626", "aqua blue", "x-large"])
def test_by_values_an_option_always_meets_itself(value):
    assert options_met([value], [("name", value)], "values") == 1


def test_the_first_colour_by_alphabet_counts():
    assert [basic("light blue"), basic("xl"), basic("tired")] == ["blue", "xl", "red"]
    assert list(COLOURS) == sorted(COLOURS)


@pytest.mark.parametrize(
    ("one", "other", "value"),
    [
        ("essential oils", "essential oil", 96),
        ("Tea  Tree!", "tree, tea", 100),
        ("tea", "green tea", 100),
        ("", "tea", 0),
        ("", "", 0),
        ("café", "caf", 100),  # letters of Latin-1 are removed
        (("color", "dark grey"), "grey", 100),
    ],
)
def test_likeness_is_thefuzz(one, other, value):
    assert likeness(one, other) == value


TEXT = st.text(max_size=12)
OPTIONS = st.lists(TEXT, max_size=3)


@given(TEXT, OPTIONS, OPTIONS, st.floats(0, 100), st.lists(TEXT, min_size=1, max_size=3))
def test_a_reward_is_between_zero_and_one(title, chosen, options, price, attributes):
    goal = replace(GOAL, attributes=tuple(attributes), options=tuple(options))
    found = reward(replace(PRODUCT, title=title), chosen, price, goal, PRODUCT, WORDS)
    assert 0 <= found.value <= 1
