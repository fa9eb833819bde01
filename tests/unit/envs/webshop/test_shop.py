import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mem1.envs.webshop import actions, panel, shopper
from mem1.envs.webshop.catalogue import Catalogue
from mem1.envs.webshop.goals import Goal
from mem1.envs.webshop.nouns import nouns
from mem1.envs.webshop.shop import Episode, Shop
from mem1.errors import InputError


def play(shop: Shop, episode: Episode, *actions: str) -> Episode:
    for action in actions:
        step = shop.step(episode, action)
        assert step.valid, action
        episode = step.episode
    return episode


def asins(shop: Shop, episode: Episode) -> list[str]:
    return [shop.catalogue.products[place].asin for place in episode.hits]


def test_a_purchase_ends_the_episode_with_its_reward(shop):
    goal = next(i for i, g in enumerate(shop.goals) if "color: red, and size: small" in g.request)
    episode = play(shop, shop.reset(goal), "search[lamp]", "click[b000000001]", "click[red]")
    step = shop.step(play(shop, episode, "click[small]"), "click[buy now]")
    assert (step.reward, step.episode.done) == (1.0, True)
    assert shop.step(episode, "click[buy now]").reward == pytest.approx(3 / 4)


def test_nothing_is_worth_anything_before_the_purchase(mini):
    episode = mini.reset(0)
    for action in ("search[shirt]", "click[nothing]", "click[next >]"):
        step = mini.step(episode, action)
        assert step.reward == 0
        episode = step.episode


def test_after_the_purchase_nothing_happens(shop):
    done = play(shop, shop.reset(0), "search[lamp]", "click[b000000001]", "click[buy now]")
    for action in ("search[lamp]", "click[back to search]", "click[buy now]"):
        step = shop.step(done, action)
        assert (step.episode, step.reward, step.valid) == (done, 0.0, False)


def test_options_survive_a_look_at_the_description_and_not_the_results(shop):
    item = play(shop, shop.reset(0), "search[lamp]", "click[b000000001]", "click[large]")
    back = play(shop, item, "click[description]", "click[< prev]")
    assert back.options == item.options == (("size", "large"),)
    results = play(shop, back, "click[< prev]")
    assert (results.place, results.options, results.hits) == ("results", (), item.hits)


def test_a_second_value_of_an_option_replaces_the_first(shop):
    item = play(shop, shop.reset(0), "search[lamp]", "click[b000000001]")
    both = play(shop, item, "click[large]", "click[red]", "click[small]")
    assert both.options == (("size", "small"), ("color", "red"))


def test_back_to_search_forgets_everything(shop):
    item = play(shop, shop.reset(0), "search[lamp]", "click[b000000001]", "click[red]")
    back = play(shop, item, "click[back to search]")
    assert replace(back, searches=0) == shop.reset(0)


def test_a_search_works_on_every_page(shop):
    start = shop.reset(0)
    for before in ([], ["search[x]"], ["search[lamp]", "click[b000000001]"]):
        found = play(shop, play(shop, start, *before), "search[garden]")
        assert (found.place, asins(shop, found)) == ("results", ["B000000002"])


def test_pages_hold_a_window_of_at_most_so_many_hits(mini):
    first = play(mini, mini.reset(0), "search[shirt modern]")
    assert len(first.hits) == mini.hits == 20
    pages = [first]
    while len(pages) < 6:
        pages.append(play(mini, pages[-1], "click[next >]"))
    shown = [[a for a in mini.actions(page) if re.search(r"\d-\d", a)] for page in pages]
    assert [len(items) for items in shown] == [5, 5, 5, 5, 0, 0]
    assert len({a for items in shown for a in items}) == 20
    assert play(mini, pages[1], "click[< prev]") == first
    assert "click[< prev]" not in mini.actions(first)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("<c> garden", ["B000000001", "B000000002", "B000000003"]),
        ("<c>", []),
        ("<q> desk lamps", ["B000000001"]),
        ("<a> easy storage", ["B000000002"]),
        ("<a>", []),
        (" ", []),
    ],
)
def test_a_first_word_in_angle_brackets_lists(shop, words, found):
    assert asins(shop, play(shop, shop.reset(0), f"search[{words}]")) == found


def test_a_random_search_depends_on_goal_and_number_only(mini):
    once = play(mini, mini.reset(4), "search[<r>]")
    assert once.hits == play(mini, mini.reset(4), "search[<r> words]").hits
    assert once.hits != play(mini, once, "search[<r>]").hits
    assert once.hits != play(mini, mini.reset(5), "search[<r>]").hits
    assert len(set(once.hits)) == mini.hits


def sold(shop: Shop, options: tuple[tuple[str, tuple[str, ...]], ...]) -> tuple[Shop, Episode]:
    """A shop with one product with these options, on its page."""
    lamp = replace(shop.catalogue.products[0], options=options)
    catalogue = Catalogue((lamp,))
    goals = panel.panel(catalogue, "synthetic", "p", 0)
    own = Shop(catalogue, goals, nouns("words"))
    return own, play(own, own.reset(0), "search[lamp]", "click[b000000001]")


def test_where_two_options_share_a_value_the_last_is_chosen(shop):
    own, item = sold(shop, (("top", ("red",)), ("base", ("red",))))
    assert play(own, item, "click[red]").options == (("base", "red"),)


def test_buttons_come_before_options_of_the_same_name(shop):
    own, item = sold(shop, (("type", ("description", "next >", "attributes", "search")),))
    assert play(own, item, "click[description]").place == "sub"
    assert play(own, item, "click[attributes]").sub_page == "Attributes"
    assert play(own, item, "click[next >]").options == (("type", "next >"),)
    assert not own.step(item, "click[search]").valid


@pytest.mark.parametrize("goal", [-1, 10**9])
def test_a_goal_that_is_none_is_named(shop, goal):
    with pytest.raises(InputError, match=rf"There is no goal {goal}: .* 0 to 4"):
        shop.reset(goal)


def test_a_goal_whose_product_is_not_sold_is_named(shop):
    goal = Goal("B9", "", ("a",), (), 10.0, 1.0)
    with pytest.raises(InputError, match=r"'B9' is not in the catalogue"):
        Shop(shop.catalogue, replace(shop.panel, goals=(goal,)), shop.nouns)


def test_the_record_names_what_results_depend_on(shop):
    assert shop.record["nouns"] == "words"
    assert shop.record["panel"] == shop.panel.digest


def test_a_shopper_buys_also_where_phrases_contradict_each_other(shop):
    goal = replace(shop.goals[0], asin="B000000001", options=("red", "gold | black", "unknown"))
    own = Shop(shop.catalogue, replace(shop.panel, goals=(goal,)), shop.nouns)
    episode = own.reset(0)
    for _ in range(5):
        if not episode.done:
            action = shopper.next_action(own, episode, "lamp")
            episode = play(own, episode, action)
    assert episode.options == (("color", "gold | black"),)
    assert episode.done


# Action strings

ORIGINAL = re.compile(r"(.+)\[(.+)\]")


@given(st.text(alphabet="ab[]\n ", max_size=14))
def test_names_and_arguments_are_those_of_the_originals_pattern(text):
    for kind in ("search", "click"):
        action = kind + text
        match = ORIGINAL.match(action)
        expected = (
            (match[1], match[2].lower())
            if match and match[1] in ("search", "click")
            else actions.NOTHING
        )
        assert actions.parse(action) == expected


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("click[Buy Now] thanks", ("click", "buy now")),
        ("search[a [b] c]", ("none", "")),
        ("Search[a]", ("none", "")),
        (" search[a]", ("none", "")),
        ("search[]", ("none", "")),
        ("click[a]]", ("click", "a]")),
        ("search[a\nb]", ("none", "")),
        ("", ("none", "")),
    ],
)
def test_what_is_an_action(text, action):
    assert actions.parse(text) == action


@pytest.mark.parametrize(
    "text",
    ["[" * 10**6, "search[" * 10**5 + "]" * 10**5, "x" * 10**6, "click[" + "ab " * 10**5 + "]"],
)
def test_long_actions_take_no_time(mini, text):
    assert not mini.step(mini.reset(0), text).valid


LABELS = ["buy now", "< prev", "next >", "back to search", "description", "red", "small", "search"]
ARGUMENTS = st.one_of(
    st.sampled_from([*LABELS, "<r>", "<a>", "<c>", "<q>", "<c> kitchen", "soft shirt", "'\"\\"]),
    st.text(max_size=40),
    st.text(alphabet="[]<>/|{}%\x00\ufeff\u202e\u0301é中★\ud800", max_size=40),
)
STRINGS = st.one_of(
    st.builds("{}[{}]".format, st.sampled_from(["search", "click"]), ARGUMENTS),
    st.builds("{}[{}".format, st.sampled_from(["search", "click", "", "</think>"]), ARGUMENTS),
    st.builds("search[{}]".format, st.text(max_size=5).map(lambda s: s * 300)),
    st.sampled_from(["<answer>x</answer>", "click[[buy now]]", "[HINT]", "search[<r>] [x]"]),
)


@settings(max_examples=500)
@given(
    st.integers(0, 50), st.lists(st.tuples(STRINGS, st.integers(0, 9)), min_size=20, max_size=20)
)
def test_ten_thousand_adversarial_actions_never_raise(mini, goal, actions):
    episode = mini.reset(goal)
    for text, number in actions:
        on = mini.actions(episode)[number : number + 1]  # go on with something that is offered
        episode = mini.step(episode, on[0]).episode if on else episode
        step = mini.step(episode, text)
        assert step.valid or step.episode == episode
        assert 0 <= step.reward <= 1
        episode = step.episode
        assert isinstance(mini.text(episode, "text_rich"), str)
