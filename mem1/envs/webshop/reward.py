"""What a purchase is worth: the original's reward with all its parts.

    R = type * (attributes met + options met + price met) / (attributes + options + 1)

How a synthetic goal's options are compared is the option rule:

- ``pairs``, the original's: a chosen value is reduced to the colour in it, a goal's pair of name
  and value only if it equals one. So any "aqua ..." meets a goal colour with the word aqua, and
  some goals cannot be met at all: "rectangular" is reduced to tan, "black2626" to black, and
  the goal's words do not have these. Of the 1000-product catalogue's 6,910 goals that is 458.
- ``values``: both sides are values, reduced alike. Every goal can be met. Scores under it are
  not those of other work.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from rapidfuzz import fuzz, utils

from mem1.envs.webshop.catalogue import Product
from mem1.envs.webshop.colours import basic
from mem1.envs.webshop.goals import Goal
from mem1.envs.webshop.nouns import Nouns

OptionRule = Literal["pairs", "values"]

_ALIKE = 85  # of 100
_LATIN = dict.fromkeys(range(128, 256))  # characters that the original's library removes


@dataclass(frozen=True, slots=True)
class TypeMatch:
    """Whether the bought product is of the type that was asked for."""

    factor: float  # 0, 0.1, 0.5 or 1
    query: bool
    category: bool
    title: float  # share of the goal's nouns that the bought title has


@dataclass(frozen=True, slots=True)
class Reward:
    """The parts of a reward, as counts."""

    type: TypeMatch
    attributes_met: int
    attributes: int
    options_met: int
    options: int
    price_met: bool

    @property
    def value(self) -> float:
        """From 0 to 1."""
        met = self.attributes_met + self.options_met + self.price_met
        return met / (self.attributes + self.options + 1) * self.type.factor

    @property
    def details(self) -> dict[str, float | bool]:
        """Rates and weights by the original's names; without options there is no r_option."""
        total = self.attributes + self.options + 1
        details: dict[str, float | bool] = {
            "r_type": self.type.factor,
            "r_att": self.attributes_met / self.attributes,
            "w_att": self.attributes / total,
            "query_match": self.type.query,
            "category_match": self.type.category,
            "title_score": self.type.title,
            "r_price": self.price_met,
            "w_price": 1 / total,
        }
        if self.options:
            details["r_option"] = self.options_met / self.options
            details["w_option"] = self.options / total
        return details


def reward(
    bought: Product,
    chosen: Iterable[str],
    price: float,
    goal: Goal,
    wanted: Product,
    nouns: Nouns,
    rule: OptionRule = "pairs",
) -> Reward:
    """The reward of buying ``bought`` with the option values ``chosen`` at ``price`` dollars.

    ``wanted`` is the product that ``goal`` was made from.
    """
    return Reward(
        type=type_match(bought, wanted, nouns),
        attributes_met=attributes_met(bought, goal.attributes),
        attributes=len(goal.attributes),
        options_met=options_met(chosen, goal.options, rule),
        options=len(goal.options),
        price_met=price <= goal.price_upper,
    )


def type_match(bought: Product, wanted: Product, nouns: Nouns) -> TypeMatch:
    """Later rules win: the title's nouns decide even where query or category agree."""
    query = bought.query == wanted.query
    category = len(_path(bought) & _path(wanted)) >= 2
    asked = nouns(wanted.title)
    title = len({*nouns(bought.title)} & {*asked}) / len(asked) if asked else 0.2
    factor = 1.0 if query or category or title > 0.2 else 0.5
    if title < 0.1:
        factor = 0.0 if title == 0 else 0.1
    return TypeMatch(factor, query, category, title)


def attributes_met(bought: Product, asked: Iterable[str]) -> int:
    """How many attributes are like one of the product's, or stand in one of its texts."""
    texts = (bought.title.lower(), " ".join(bought.bullets).lower(), bought.description.lower())
    return sum(
        any(likeness(own, attribute) > _ALIKE for own in bought.attributes)
        or any(attribute in text for text in texts)
        for attribute in asked
    )


def options_met(
    chosen: Iterable[str], asked: Sequence[str | tuple[str, str]], rule: OptionRule = "pairs"
) -> int:
    """How many options are like a chosen value, both reduced to their colour if they have one.

    Under ``pairs`` a synthetic goal's option stays the pair of name and value and is compared
    with the words of both.
    """
    if rule == "values":
        asked = [option[1] if isinstance(option, tuple) else option for option in asked]
    values = [basic(value) for value in chosen]
    return sum(
        any(likeness(value, option) > _ALIKE for value in values)
        for option in map(basic, asked)
    )  # fmt: skip


def likeness(one: Hashable, other: Hashable) -> int:
    """thefuzz's ``token_set_ratio``, from 0 to 100 (of version 0.20 and later)."""
    return round(fuzz.token_set_ratio(_processed(one), _processed(other)))


@lru_cache(maxsize=1 << 14)
def _processed(value: Hashable) -> str:
    return utils.default_process(str(value).translate(_LATIN))


def _path(product: Product) -> set[str]:
    return {part.strip() for part in product.path.split("\u203a")}
