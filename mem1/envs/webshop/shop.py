"""The shop as a state machine: an episode and an action give the next episode.

The catalogue, its index and the goals are loaded once and never change; an episode is a small
immutable value, so thousands of them share one shop, and any can be kept, copied or
resumed.

What the original does and a person may not expect: a search works on every page; an action
that is none, or that clicks what the page does not have, changes nothing and costs nothing but
the turn; ``next >`` is offered past the last page; going back to the results forgets the
options, going back to the search forgets everything.

Departures: where the original would raise (``<a>`` and ``<c>`` without a word, a bought episode
that goes on), nothing is found and nothing changes; hits of a random search ``<r>`` stay the
same on all their pages and depend on the goal and the searches before; words in the query
that look like an address do not lead ``< prev`` astray.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

from mem1.envs.webshop import pages
from mem1.envs.webshop.actions import Action, parse
from mem1.envs.webshop.catalogue import Catalogue, Product
from mem1.envs.webshop.goals import Goal
from mem1.envs.webshop.index import Index
from mem1.envs.webshop.nouns import Nouns
from mem1.envs.webshop.panel import Panel
from mem1.envs.webshop.reward import OptionRule, Reward, reward
from mem1.errors import InputError
from mem1.seeding import stream

HITS, WINDOW = 50, 10  # of a search, and on a page

Place = Literal["search", "results", "item", "sub", "done"]


@dataclass(frozen=True, slots=True)
class Episode:
    """Where a shopper is. Products are their places in the catalogue."""

    goal: int
    place: Place = "search"
    keywords: str = ""
    hits: tuple[int, ...] = ()
    page: int = 1  # of the results
    product: int = -1
    options: tuple[tuple[str, str], ...] = ()  # name and chosen value, in order of their choice
    visited: frozenset[str] = frozenset()  # ids, since the last visit of the search page
    sub_page: pages.SubPage = "Description"
    searches: int = 0
    reward: Reward | None = None  # of the purchase

    @property
    def done(self) -> bool:
        """Whether something was bought."""
        return self.place == "done"


@dataclass(frozen=True, slots=True)
class Step:
    """What an action led to. ``valid``: it was one that the page takes."""

    episode: Episode
    reward: float
    valid: bool


class Shop:
    """One catalogue with its goals. Immutable.

    ``nouns`` and ``rule`` decide on rewards. ``hits`` are found at most, ``window`` of them are
    on a page.

    Raises:
        InputError: a goal is about a product that the catalogue does not have.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        panel: Panel,
        nouns: Nouns,
        *,
        rule: OptionRule = "pairs",
        hits: int = HITS,
        window: int = WINDOW,
        show_attributes: bool = False,
    ) -> None:
        self.catalogue = catalogue
        self.panel = panel
        self.nouns = nouns
        self.rule = rule
        self._wanted = [catalogue.place(goal.asin) for goal in panel.goals]
        self._index = Index([product.search_text for product in catalogue.products])
        self.hits = hits
        self.window = window
        self._show_attributes = show_attributes

    @property
    def goals(self) -> tuple[Goal, ...]:
        """What can be asked for, by index."""
        return self.panel.goals

    @property
    def record(self) -> dict[str, Any]:
        """What results depend on, to keep with them."""
        return {
            "protocol": self.panel.protocol,
            "panel": self.panel.digest,
            "catalogue": self.panel.catalogue,
            "nouns": self.nouns.name,
            "options": self.rule,
            "hits": self.hits,
            "window": self.window,
        }

    def reset(self, goal: int) -> Episode:
        """A new episode at the search page.

        Raises:
            InputError: there is no such goal.
        """
        if not 0 <= goal < len(self.goals):
            raise InputError(
                f"There is no goal {goal}: {self.panel.protocol} has the goals 0 to "
                f"{len(self.goals) - 1}."
            )
        return Episode(goal)

    def step(self, episode: Episode, action: str) -> Step:
        """Do ``action``. The reward comes with the purchase and is 0 before; nothing raises."""
        after = None if episode.done else self._next(episode, parse(action))
        if after is None:
            return Step(episode, 0.0, valid=False)
        return Step(after, after.reward.value if after.reward else 0.0, valid=True)

    def page(self, episode: Episode) -> pages.Page:
        """The page that the shopper sees."""
        asked = self.goals[episode.goal].instruction
        if episode.place == "search":
            return pages.search_page(asked)
        if episode.place == "results":
            start = (episode.page - 1) * self.window
            shown = episode.hits[start : start + self.window]
            products = [self.catalogue.products[place] for place in shown]
            return pages.results_page(
                asked, episode.page, len(episode.hits), products, episode.visited
            )
        if episode.place == "item":
            address = pages.item_address(episode.keywords, episode.page, episode.options)
            return pages.item_page(asked, self._product(episode), address, self._show_attributes)
        if episode.place == "sub":
            return pages.sub_page(asked, self._product(episode), episode.sub_page)
        assert episode.reward is not None
        return pages.done_page(episode.reward)

    def text(self, episode: Episode, mode: pages.Mode) -> str:
        """The page as text."""
        return pages.render(self.page(episode), mode)

    def actions(self, episode: Episode) -> list[str]:
        """What can be done here."""
        return pages.actions(self.page(episode))

    def _product(self, episode: Episode) -> Product:
        return self.catalogue.products[episode.product]

    def _next(self, episode: Episode, action: Action) -> Episode | None:
        """The episode after ``action``, or None where it does nothing."""
        if action.kind == "search":
            return replace(
                episode,
                place="results",
                keywords=action.argument,
                hits=self._search(episode, action.argument),
                page=1,
                product=-1,
                options=(),
                searches=episode.searches + 1,
            )
        if action.kind == "click":
            node = pages.clickables(self.page(episode)).get(action.argument)
            if node is not None and action.argument != pages.SEARCH.lower():
                return self._click(episode, action.argument, node)
        return None

    def _click(self, episode: Episode, label: str, node: pages.Node) -> Episode:
        """Labels of buttons come first, also where an option has such a value."""
        if label == pages.BUY.lower():
            return self._bought(episode)
        if label == pages.BACK.lower():
            return Episode(episode.goal, searches=episode.searches)
        if episode.place == "results" and label == pages.NEXT.lower():
            return replace(episode, page=episode.page + 1)
        if label == pages.PREVIOUS.lower():
            if episode.place == "sub":
                return replace(episode, place="item")
            page = episode.page - 1 if episode.place == "results" else episode.page
            return replace(episode, place="results", page=page, product=-1, options=())
        for name in pages.SUB_PAGES:
            if label == name.lower():
                return replace(episode, place="sub", sub_page=name)
        if node.kind == "link":
            return replace(
                episode,
                place="item",
                product=self.catalogue.places[node.text],
                visited=episode.visited | {node.text},
            )
        options = {**dict(episode.options), node.option: label}
        return replace(episode, options=tuple(options.items()))

    def _bought(self, episode: Episode) -> Episode:
        goal = self.goals[episode.goal]
        product = self._product(episode)
        price = self.panel.prices.get(product.asin, product.prices[0])
        wanted = self.catalogue.products[self._wanted[episode.goal]]
        values = [value for _, value in episode.options]
        score = reward(product, values, price, goal, wanted, self.nouns, self.rule)
        return replace(episode, place="done", reward=score)

    def _search(self, episode: Episode, keywords: str) -> tuple[int, ...]:
        """Places of the hits. A first word in angle brackets lists instead of searching."""
        first, _, rest = keywords.partition(" ")
        rest = rest.strip()
        products = self.catalogue.products
        if first == "<r>":
            random = stream(self.panel.seed, "webshop", "random", episode.goal, episode.searches)
            return tuple(random.sample(range(len(products)), min(self.hits, len(products))))
        if first == "<a>":
            return tuple(i for i, product in enumerate(products) if rest in product.attributes)
        if first == "<c>":
            word = rest.partition(" ")[0]
            return tuple(i for i, product in enumerate(products) if word == product.category)
        if first == "<q>":
            return tuple(i for i, product in enumerate(products) if rest == product.query)
        return tuple(self._index.search(keywords, self.hits))
