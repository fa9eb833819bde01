"""What the shop sells: immutable, loaded once and shared by all episodes.

Rules of the original's loader: option names and values are lower-cased, values stripped,
``/`` becomes `` | ``, options without content go; a product without attributes has the one
attribute ``DUMMY_ATTR``; without a price it costs 100; no product has a rating or reviews.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

from mem1.envs.webshop.raw import RawNotes, RawOrder, RawProduct
from mem1.errors import InputError
from mem1.provenance import json_digest

LONGEST_ID = 10  # characters; products with longer ids are left out
NO_ATTRIBUTES = ("DUMMY_ATTR",)
NO_PRICE = 100.0


@dataclass(frozen=True, slots=True)
class Order:
    """What a person asked for, with the product that answers it."""

    instruction: str
    attributes: tuple[str, ...]
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Product:
    """One product. ``prices`` holds its price in dollars, or the two ends of a range."""

    asin: str
    title: str
    description: str
    bullets: tuple[str, ...]
    category: str
    query: str
    path: str  # "Home › Furniture › Tables"
    prices: tuple[float, ...]
    options: tuple[tuple[str, tuple[str, ...]], ...]  # name and values, in the shop's order
    attributes: tuple[str, ...]
    instruction: str | None = None  # of the synthetic goals
    instruction_attributes: tuple[str, ...] = ()
    orders: tuple[Order, ...] = ()  # of the human goals

    @property
    def price_tag(self) -> str:
        """The price as pages show it."""
        return " to ".join(f"${price}" for price in self.prices)

    @property
    def search_text(self) -> str:
        """What a search looks through."""
        options = ", and ".join(f"{name}: {', '.join(values)}" for name, values in self.options)
        bullet = self.bullets[0] if self.bullets else ""
        return f"{self.title} {self.description} {bullet} {options}".lower()


@dataclass(frozen=True)
class Catalogue:
    """Products in the order of their file. ``dropped`` says what was left out, and why."""

    products: tuple[Product, ...]
    dropped: tuple[str, ...] = ()

    @cached_property
    def places(self) -> dict[str, int]:
        """The place of each product, by id."""
        return {product.asin: place for place, product in enumerate(self.products)}

    @cached_property
    def digest(self) -> str:
        """sha256 over all products."""
        return json_digest([asdict(product) for product in self.products])

    def place(self, asin: str) -> int:
        """The place of the product ``asin``.

        Raises:
            InputError: the shop does not sell it.
        """
        try:
            return self.places[asin]
        except KeyError as error:
            raise InputError(
                f"Product {asin!r} is not in the catalogue: use the catalogue that the goals "
                f"were made for."
            ) from error


def catalogue(
    products: Iterable[RawProduct],
    notes: dict[str, RawNotes],
    orders: dict[str, Sequence[RawOrder]],
    *,
    unique: bool = False,
) -> Catalogue:
    """Products with what is known of each by its id.

    A second product with the same id is left out, as in the original, or refused if ``unique``.

    Raises:
        InputError: naming the product that cannot be sold, or that there is none.
    """
    kept: dict[str, Product] = {}
    dropped = []
    for raw in products:
        if raw.asin in kept:
            if unique:
                raise InputError(f"Product {raw.asin!r} occurs twice: remove one of the two.")
            dropped.append(f"{raw.asin}: the id occurs again")
        elif raw.asin == "nan" or len(raw.asin) > LONGEST_ID:
            dropped.append(f"{raw.asin}: no id of at most {LONGEST_ID} characters")
        else:
            kept[raw.asin] = _product(raw, notes.get(raw.asin), orders.get(raw.asin, ()))
    if not kept:
        raise InputError("The catalogue has no product: name the files of one that has.")
    return Catalogue(tuple(kept.values()), tuple(dropped))


def _product(raw: RawProduct, notes: RawNotes | None, orders: Sequence[RawOrder]) -> Product:
    bullets = raw.small_description or ()
    known = notes or RawNotes()
    if known.instruction is not None and not known.instruction_attributes:
        raise InputError(
            f"Product {raw.asin!r} has an instruction and no instruction_attributes: add them, "
            f"or remove the instruction."
        )
    return Product(
        asin=raw.asin,
        title=raw.name,
        description=raw.full_description or "",
        bullets=(bullets,) if isinstance(bullets, str) else tuple(bullets),
        category=raw.category,
        query=raw.query.lower().strip(),
        path=raw.product_category,
        prices=_prices(raw),
        options=_options(raw),
        attributes=NO_ATTRIBUTES if known.attributes is None else tuple(known.attributes),
        instruction=known.instruction,
        instruction_attributes=tuple(known.instruction_attributes or ()),
        orders=tuple(
            Order(o.instruction, tuple(o.instruction_attributes), tuple(o.instruction_options))
            for o in orders
        ),
    )


def _prices(raw: RawProduct) -> tuple[float, ...]:
    """Of "$12.99", "$1,049.00 - $1,200.00" or numbers; of a range the first two."""
    if not raw.pricing:
        return (NO_PRICE,)
    if not isinstance(raw.pricing, str):
        return tuple(raw.pricing[:2])
    try:
        found = [float(re.sub(r"[^\d.]", "", part)) for part in raw.pricing.split("$")[1:]]
    except ValueError:
        found = []
    if not found:
        raise InputError(
            f"Product {raw.asin!r} has the price {raw.pricing!r}: write it as $12.99, or as "
            f"$10.00 - $20.00."
        )
    return tuple(found[:2])


def _options(raw: RawProduct) -> tuple[tuple[str, tuple[str, ...]], ...]:
    options: dict[str, tuple[str, ...]] = {}
    for name, contents in (raw.customization_options or {}).items():
        if contents is not None:
            values = (content.value.strip().replace("/", " | ").lower() for content in contents)
            options[name.lower()] = tuple(values)
    return tuple(options.items())
