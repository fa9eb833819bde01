"""Texts of pages, in the form of recorded observations of the original."""

from dataclasses import replace

import pytest

from mem1.envs.webshop import pages
from mem1.envs.webshop.shop import Episode, Shop

ASKED = "Find me dimmable lamps with color: red, and size: small"


def at(shop: Shop, *actions: str) -> Episode:
    """The episode after ``actions``, for the goal above."""
    goal = next(i for i, goal in enumerate(shop.goals) if goal.request == ASKED)
    episode = shop.reset(goal)
    for action in actions:
        step = shop.step(episode, action)
        assert step.valid
        episode = step.episode
    return episode


def lines(shop: Shop, *actions: str) -> str:
    """The page in mode text, with the instruction as ``...``."""
    episode = at(shop, *actions)
    text = shop.text(episode, "text")
    return text.replace(shop.goals[episode.goal].instruction, "...")


def test_start(shop):
    assert lines(shop) == "WebShop [SEP] Instruction: [SEP] ... [SEP] Search"


def test_results(shop):
    assert lines(shop, "search[garden]") == (
        "Instruction: [SEP] ... [SEP] Back to Search [SEP] Page 1 (Total results: 1) [SEP] "
        "Next > [SEP] B000000002 [SEP] Garden Chair [SEP] $1049.0 to $1200.5"
    )


def test_results_past_the_end(shop):
    assert lines(shop, "search[garden]", "click[next >]") == (
        "Instruction: [SEP] ... [SEP] Back to Search [SEP] Page 2 (Total results: 1) [SEP] "
        "< Prev [SEP] Next >"
    )


def test_item(shop):
    expected = (
        "Instruction: [SEP] ... [SEP] Back to Search [SEP] < Prev [SEP] size [SEP] small [SEP] "
        "large [SEP] color [SEP] gold | black [SEP] red [SEP] Brass Desk Lamp [SEP] "
        "Price: $31.39 [SEP] Rating: N.A. [SEP] Description [SEP] Features [SEP] Reviews [SEP] "
        "Buy Now"
    )
    assert lines(shop, "search[lamp]", "click[b000000001]") == expected
    assert lines(shop, "search[lamp]", "click[b000000001]", "click[red]") == expected


@pytest.mark.parametrize(
    ("name", "rest"),
    [
        ("description", " [SEP] A lamp for the desk."),
        ("features", " [SEP] Dimmable light [SEP] Made of brass"),
        ("reviews", ""),
    ],
)
def test_sub_pages(shop, name, rest):
    assert lines(shop, "search[lamp]", "click[b000000001]", f"click[{name}]") == (
        f"Instruction: [SEP] ... [SEP] Back to Search [SEP] < Prev{rest}"
    )


def test_attributes_are_a_sub_page_where_they_are_shown(shop):
    shown = Shop(shop.catalogue, shop.panel, shop.nouns, show_attributes=True)
    assert "click[attributes]" not in shop.actions(at(shop, "search[lamp]", "click[b000000001]"))
    assert lines(shown, "search[lamp]", "click[b000000001]", "click[attributes]").endswith(
        "< Prev [SEP] dimmable light [SEP] brass finish [SEP] garden [SEP] desk lamps [SEP] "
        "Home \u203a Lighting \u203a Lamps"
    )


def test_text_rich_marks_buttons_and_what_was_clicked(shop):
    episode = at(shop, "search[lamp]", "click[b000000001]", "click[red]", "click[large]")
    asked = shop.goals[episode.goal].instruction
    assert shop.text(episode, "text_rich") == (
        "You have clicked red.\n"
        "You have clicked large.\n"
        "Instruction:\n"
        f"{asked}\n"
        "[button] Back to Search [button_]\n"
        "[button] < Prev [button_]\n"
        "size\n"
        "  [button] small [button_]\n"
        "  [clicked button] large [clicked button_]\n"
        "color\n"
        "  [button] gold | black [button_]\n"
        "  [clicked button] red [clicked button_]\n"
        "Brass Desk Lamp\n"
        "Price: $31.39\n"
        "Rating: N.A.\n"
        "[button] Description [button_]\n"
        "[button] Features [button_]\n"
        "[button] Reviews [button_]\n"
        "[button] Buy Now [button_]\n"
    )


def test_text_rich_marks_visited_products(shop):
    seen = at(shop, "search[lamp]", "click[b000000001]", "click[< prev]")
    assert "\n\n[clicked button] B000000001 [clicked button_]\n" in shop.text(seen, "text_rich")
    again = shop.step(seen, "click[back to search]").episode
    again = shop.step(again, "search[lamp]").episode
    assert "\n\n[button] B000000001 [button_]\n" in shop.text(again, "text_rich")


def test_text_rich_takes_a_quoted_word_of_the_search_for_a_choice(shop):
    # As the original, which looks for the quoted value in the page's address.
    assert "[clicked button] red" in shop.text(
        at(shop, 'search[lamp "red"]', "click[b000000001]"), "text_rich"
    )


def test_compact_shows_what_can_be_typed(shop):
    assert shop.text(at(shop), "compact") == "WebShop\nsearch[words]"
    assert shop.text(at(shop, "search[garden]"), "compact") == (
        "[back to search]\nPage 1 (Total results: 1)\n[next >]\n"
        "[b000000002] Garden Chair $1049.0 to $1200.5"
    )
    episode = at(shop, "search[lamp]", "click[b000000001]", "click[red]")
    assert shop.text(episode, "compact") == (
        "[back to search] [< prev]\nsize [small] [large]\ncolor [gold | black] [red] chosen red\n"
        "Brass Desk Lamp Price: $31.39\n[description] [features] [reviews] [buy now]"
    )


def test_actions_are_listed_as_they_are_typed(shop):
    assert shop.actions(at(shop)) == ["search[<content>]"]
    assert shop.actions(at(shop, "search[garden]")) == [
        "click[back to search]",
        "click[next >]",
        "click[b000000002]",
    ]
    names = ["back to search", "< prev", "description", "features", "reviews", "buy now"]
    names += ["small", "large", "gold | black", "red"]
    episode = at(shop, "search[lamp]", "click[b000000001]")
    assert shop.actions(episode) == [f"click[{name}]" for name in names]


def test_blank_text_is_dropped_as_by_the_originals_parser(shop):
    product = replace(shop.catalogue.products[0], description=" \n ", bullets=("", "b"))
    described = pages.sub_page("asked", product, "Description")
    features = pages.sub_page("asked", product, "Features")
    assert pages.render(described, "text").endswith("Back to Search [SEP] < Prev")
    assert pages.render(features, "text").endswith("< Prev [SEP]  [SEP] b")


def test_the_end_says_the_score(shop):
    episode = at(shop, "search[lamp]", "click[b000000001]", "click[buy now]")
    assert shop.text(episode, "text").startswith("Thank you for shopping with us!")
    assert shop.text(episode, "text").endswith(f"[SEP] {episode.reward.value}")
