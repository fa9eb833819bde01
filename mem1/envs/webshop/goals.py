"""What an episode asks for, drawn from a catalogue as the original does.

Synthetic goals are all combinations of a product's options; human goals are what people wrote.
Both are shuffled by Python's generator with the seed 233, so that a goal has the same index
as in the original.

Departure: the original draws price caps, and prices of products with a range, anew at each
start. Here they come from a seed, each product and order with a stream of its own, and are
kept in a file (``panel``), so that the same index is the same task for everybody.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product as combinations
from random import Random
from typing import Literal

from mem1.envs.webshop.catalogue import Catalogue, Product
from mem1.errors import InputError
from mem1.seeding import stream

SHUFFLE = 233
NO_CAP = 1_000_000.0  # the price cap of a product too dear for one
_CAPS = [10.0 * step for step in range(1, 100)]

Kind = Literal["synthetic", "human"]


@dataclass(frozen=True, slots=True)
class Goal:
    """A shopping task: buy the product ``asin``, or one as good.

    ``options`` are pairs of name and value in synthetic goals and phrases in human ones.
    """

    asin: str
    instruction: str
    attributes: tuple[str, ...]
    options: tuple[tuple[str, str], ...] | tuple[str, ...]
    price_upper: float  # dollars
    weight: float  # in the original's weighted draw, which nothing here makes; panels keep it

    @property
    def request(self) -> str:
        """The instruction without its clause about the price."""
        return self.instruction.removesuffix(_clause(self.price_upper))


def prices(catalogue: Catalogue, seed: int) -> dict[str, float]:
    """The price of each product in dollars; within a range a draw."""
    return {
        product.asin: product.prices[0]
        if len(product.prices) == 1
        else stream(seed, "webshop", "price", product.asin).uniform(*product.prices)
        for product in catalogue.products
    }


def goals(catalogue: Catalogue, costs: dict[str, float], kind: Kind, seed: int) -> list[Goal]:
    """All goals of ``kind``, in the original's order. ``costs`` are prices by id, in dollars.

    Raises:
        InputError: the catalogue has none.
    """
    make = _synthetic if kind == "synthetic" else _human
    made = [goal for product in catalogue.products for goal in make(product, costs, seed)]
    if not made:
        missing = "instructions" if kind == "synthetic" else "what people asked for"
        raise InputError(
            f"The catalogue has no {kind} goals: add {missing} to its files, or take another "
            f"protocol."
        )
    made = _weighted(made) if kind == "synthetic" else made
    Random(SHUFFLE).shuffle(made)
    return made


def _synthetic(product: Product, costs: dict[str, float], seed: int) -> Iterator[Goal]:
    if product.instruction is None:
        return
    cap = _cap(costs[product.asin], stream(seed, "webshop", "cap", product.asin))
    options = sorted(product.options)
    names = [name for name, _ in options]
    for values in combinations(*(values for _, values in options)):
        chosen = tuple(zip(names, values, strict=True))
        wishes = ", and ".join(f"{name}: {value}" for name, value in chosen)
        text = f"{product.instruction} with {wishes}" if wishes else product.instruction
        yield Goal(
            product.asin, text + _clause(cap), product.instruction_attributes, chosen, cap, 0.0
        )


def _human(product: Product, costs: dict[str, float], seed: int) -> Iterator[Goal]:
    for number, order in enumerate(product.orders):
        if order.attributes:
            random = stream(seed, "webshop", "cap", product.asin, number)
            cap = _cap(costs[product.asin], random)
            text = order.instruction.strip(".") + _clause(cap)
            yield Goal(product.asin, text, order.attributes, order.options, cap, 1.0)


def _cap(price: float, random: Random) -> float:
    """The larger of two of the next four tens above ``price``."""
    above = [cap for cap in _CAPS if cap > price][:4]
    return max(random.sample(above, 2)) if len(above) >= 2 else NO_CAP


def _clause(cap: float) -> str:
    return "" if cap == NO_CAP else f", and price lower than {cap:.2f} dollars"


def _weighted(made: Sequence[Goal]) -> list[Goal]:
    """Weights: the mean over a goal's attributes of one over the goals that share it."""
    shared = Counter(attribute for goal in made for attribute in goal.attributes)
    return [
        Goal(
            goal.asin, goal.instruction, goal.attributes, goal.options, goal.price_upper,
            sum(1 / shared[attribute] for attribute in goal.attributes) / len(goal.attributes),
        )
        for goal in made
    ]  # fmt: skip
