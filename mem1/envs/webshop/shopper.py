"""A shopper who knows the answer: it buys each goal's own product with the goal's options.

To test a shop: it earns 1.0 on every goal that can be met in full.
"""

from mem1.envs.webshop import pages
from mem1.envs.webshop.goals import Goal
from mem1.envs.webshop.shop import Episode, Shop


def next_action(shop: Shop, episode: Episode, query: str) -> str | None:
    """What to do next in ``episode``, from wherever it is; None where the search is in vain.

    ``query`` is what to search for.
    """
    goal = shop.goals[episode.goal]
    wanted = shop.catalogue.place(goal.asin)
    if episode.place == "search":
        return f"search[{query}]"
    if episode.place == "results":
        return _from_results(shop, episode, wanted, goal.asin.lower())
    if episode.place == "sub" or episode.product != wanted:
        return f"click[{pages.PREVIOUS.lower()}]"
    found = pages.clickables(shop.page(episode))
    chosen = dict(episode.options)
    for name, value in _choices(goal, shop.catalogue.products[wanted].options).items():
        node = found.get(value)
        if chosen.get(name) != value and node is not None and node.option == name:
            return f"click[{value}]"
    return f"click[{pages.BUY.lower()}]"


def words(goal: Goal) -> str:
    """A query that anyone could make from the instruction of a generated shop."""
    return goal.request.partition(" with ")[0].removeprefix("Find me ").replace(",", "")


def _from_results(shop: Shop, episode: Episode, wanted: int, name: str) -> str | None:
    if wanted not in episode.hits:
        return None
    at = episode.hits.index(wanted) // shop.window + 1
    if at == episode.page:
        return f"click[{name}]"
    return f"click[{(pages.NEXT if at > episode.page else pages.PREVIOUS).lower()}]"


def _choices(goal: Goal, offered: tuple[tuple[str, tuple[str, ...]], ...]) -> dict[str, str]:
    """The goal's options by name; a person's phrases where the product has such a value."""
    phrases = [option for option in goal.options if isinstance(option, str)]
    pairs = [option for option in goal.options if isinstance(option, tuple)]
    return dict(pairs) | {n: p for p in phrases for n, values in offered if p in values}
