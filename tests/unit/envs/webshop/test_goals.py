from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mem1.envs.webshop import panel, protocols
from mem1.envs.webshop.catalogue import Catalogue, Product
from mem1.envs.webshop.goals import NO_CAP, goals, prices

PRODUCT = Product(
    asin="B1",
    title="Lamp",
    description="",
    bullets=(),
    category="c",
    query="q",
    path="",
    prices=(12.0,),
    options=(("size", ("s", "m")), ("color", ("red",))),
    attributes=("bright",),
    instruction="Find me lamps",
    instruction_attributes=("bright",),
)


def made(*products: Product, seed: int = 0):
    catalogue = Catalogue(products)
    return goals(catalogue, prices(catalogue, seed), "synthetic", seed)


def test_a_synthetic_goal_for_each_combination_with_names_sorted():
    requests = {goal.request for goal in made(PRODUCT)}
    assert requests == {
        "Find me lamps with color: red, and size: s",
        "Find me lamps with color: red, and size: m",
    }


def test_goals_of_a_product_share_its_cap_and_say_it():
    first, second = made(PRODUCT)
    assert first.price_upper == second.price_upper
    clause = f", and price lower than {first.price_upper:.2f} dollars"
    assert first.instruction == first.request + clause


@given(st.floats(0.01, 2000), st.integers(0, 10**6))
def test_a_cap_is_one_of_the_next_tens_but_not_the_first(price, seed):
    goal = made(replace(PRODUCT, prices=(price,)), seed=seed)[0]
    if price >= 980:
        assert goal.price_upper == NO_CAP
        assert goal.instruction == goal.request
    else:
        assert goal.price_upper % 10 == 0
        assert 10 < goal.price_upper - price <= 40


def test_another_seed_draws_other_caps_and_keeps_the_order():
    products = [replace(PRODUCT, asin=f"B{i}", instruction=f"Find me {i}") for i in range(20)]
    one, other = made(*products, seed=1), made(*products, seed=2)
    assert [goal.request for goal in one] == [goal.request for goal in other]
    assert [goal.price_upper for goal in one] != [goal.price_upper for goal in other]


def test_another_product_does_not_move_a_cap():
    other = replace(PRODUCT, asin="B2")
    caps = {goal.asin: goal.price_upper for goal in made(other, PRODUCT)}
    assert caps["B1"] == made(PRODUCT)[0].price_upper


def test_a_price_range_becomes_one_price_within_it():
    catalogue = Catalogue((replace(PRODUCT, prices=(5.0, 9.0)),))
    drawn = prices(catalogue, 3)["B1"]
    assert 5 < drawn < 9
    assert panel.panel(catalogue, "synthetic", "p", 3).prices == {"B1": drawn}


def test_weights_are_small_for_attributes_that_many_goals_share():
    rare = replace(PRODUCT, asin="B2", instruction_attributes=("bright", "rare"), options=())
    weights = {goal.asin: goal.weight for goal in made(PRODUCT, rare)}
    assert weights == {"B1": pytest.approx(1 / 3), "B2": pytest.approx((1 / 3 + 1) / 2)}


def test_human_goals_are_what_people_wrote(folder):
    protocol = protocols.named("human")
    [goal] = protocols.shop(protocol, protocols.load(protocol, folder, "test", 0)).goals
    assert goal.request == "i want a dimmable lamp"
    assert (goal.options, goal.attributes, goal.weight) == (("red",), ("dimmable light",), 1.0)
