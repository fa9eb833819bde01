from itertools import combinations

import pytest
from tokenizers import pre_tokenizers

from mem1.envs.webshop import generate, protocols, shopper
from mem1.envs.webshop.colours import basic
from mem1.envs.webshop.reward import likeness, type_match
from mem1.envs.webshop.shop import Episode, Shop
from mem1.errors import InputError


def pieces(text: str) -> list[str]:
    return [word for word, _ in pre_tokenizers.Whitespace().pre_tokenize_str(text)]


def played(shop: Shop, goal: int) -> tuple[list[Episode], list[str]]:
    """Where a shopper with the instruction's words comes by, and what it does."""
    episodes, actions = [shop.reset(goal)], []
    while not episodes[-1].done:
        query = shopper.words(shop.goals[goal])
        action = shopper.next_action(shop, episodes[-1], query)
        assert action is not None
        actions.append(action)
        episodes.append(shop.step(episodes[-1], action).episode)
    return episodes, actions


def test_the_same_arguments_give_the_same_catalogue():
    one = generate.generate(0, "train", 40)
    assert one.digest == generate.generate(0, "train", 40).digest
    assert one.digest != generate.generate(1, "train", 40).digest


def test_splits_share_neither_ids_nor_products():
    found = [generate.generate(0, split).products for split in generate.SPLITS]
    for one, other in combinations(found, 2):
        assert {p.asin for p in one}.isdisjoint(p.asin for p in other)
        assert {(p.query, p.attributes) for p in one}.isdisjoint(
            (p.query, p.attributes) for p in other
        )


def test_every_product_has_goals(mini):
    assert {goal.asin for goal in mini.goals} == set(mini.catalogue.places)


def test_a_shopper_with_the_instructions_words_earns_one_everywhere(mini):
    for goal in range(len(mini.goals)):
        episodes, _ = played(mini, goal)
        assert episodes[-1].reward.value == 1


def test_pages_are_short_and_all_words_are_in_the_vocabulary(mini):
    known = set(generate.vocabulary())
    for goal in range(0, len(mini.goals), 8):
        episodes, texts = played(mini, goal)
        looks = [f"click[{name}]" for name in ("description", "features", "reviews")]
        episodes += [mini.step(e, a).episode for e in episodes if e.place == "item" for a in looks]
        pages = [mini.text(episode, "compact") for episode in episodes]
        assert max(len(pieces(page)) for page in pages) < 120
        for text in (*pages, *texts, *looks, mini.goals[goal].instruction):
            assert known.issuperset(pieces(text))


def test_products_of_a_type_differ_in_their_attributes(mini):
    keys = [(p.query, p.attributes) for p in mini.catalogue.products]
    assert len(set(keys)) == len(keys)


def test_another_type_is_worth_nothing_and_the_same_type_everything(mini):
    one = mini.catalogue.products[0]
    other = next(p for p in mini.catalogue.products if p.query != one.query)
    assert type_match(other, one, mini.nouns).factor == 0
    same = next(p for p in mini.catalogue.products if p.query == one.query and p is not one)
    assert type_match(same, one, mini.nouns).factor == 1


def test_no_two_words_are_taken_for_each_other():
    for types, attributes, (name, values) in generate.CATEGORIES.values():
        for one, other in combinations(attributes, 2):
            assert likeness(one, other) <= 85
        for value in (*values, *generate.COLOURS):
            assert value in generate.COLOURS or basic(value) == value
            for other in set(values) - {value}:
                assert likeness(value, (name, other)) <= 85
        texts = " ".join((*types, *generate.CATEGORIES, "this is a sold under and"))
        assert not [attribute for attribute in attributes if attribute in texts]


@pytest.mark.parametrize("products", [19, generate.LARGEST + 1])
def test_too_few_and_too_many_products_are_refused(products):
    with pytest.raises(InputError, match=f"has 20 to 800 products: {products} is not"):
        generate.generate(0, "test", products)


def test_an_unknown_split_is_named():
    with pytest.raises(InputError, match="no split 'dev': take one of train, validation, test"):
        generate.generate(0, "dev")


def test_the_largest_catalogue_can_be_made():
    assert len(generate.generate(0, "test", generate.LARGEST).products) == generate.LARGEST


def test_splits_of_a_protocol_are_ranges_of_goals(mini):
    official = protocols.named("official-1k-synthetic")
    assert official.indices("test", mini.panel) == range(500)
    assert official.indices("train", mini.panel) == range(500, len(mini.goals))
    human = protocols.named("human")
    assert human.indices("validation", mini.panel) == range(500, 1500)
    with pytest.raises(InputError, match=r"no goals for validation .*test, train"):
        official.indices("validation", mini.panel)


@pytest.mark.parametrize(
    ("name", "folder", "message"),
    [("mini", "x", "name no folder"), ("human", None, "name its folder")],
)
def test_a_folder_is_named_where_one_is_needed(name, folder, message):
    with pytest.raises(InputError, match=message):
        protocols.load(protocols.named(name), folder, "test", 0)


def test_an_unknown_protocol_is_named():
    with pytest.raises(InputError, match="no protocol 'webshop': take official-1k-synthetic, "):
        protocols.named("webshop")
