"""A catalogue made from a seed, on which a small word-level model can learn to shop.

It has the form of the published files and goes through the same loader. There are twenty types
of products; each product has three attributes out of its category's ten, two of them in its
title, and two options with a few values. An instruction asks for two of the attributes in the
words of the pages. What tells products apart is said in single words, ids are pairs of numbers,
and titles have one noun, the type: so the title score is exact here (``NOUNS``), and only
products of the right type are worth anything.

The catalogues of the splits share words, and neither ids nor a type with the same three
attributes: a product of the test split is never seen in training, so nothing can be bought from
memory.
"""

from itertools import combinations
from random import Random

from mem1.envs.webshop.catalogue import Catalogue, catalogue
from mem1.envs.webshop.nouns import Nouns, among
from mem1.envs.webshop.raw import RawNotes, RawProduct, RawValue
from mem1.errors import InputError
from mem1.seeding import stream

COLOURS = ("black", "blue", "brown", "green", "orange", "pink", "purple", "red", "white", "yellow")
SIZES = ("small", "medium", "large")
SHAPES = ("oval", "round", "square")
PACKS = ("single", "double", "triple")

# Category: its types, its attributes, and the name and values of its second option.
CATEGORIES = {
    "clothing": (
        ("shirt", "dress", "jacket", "sweater", "skirt"),
        (
            *("soft", "warm", "slim", "loose", "washable"),
            *("elegant", "hooded", "striped", "stretchy", "casual"),
        ),
        ("size", SIZES),
    ),
    "furniture": (
        ("chair", "table", "shelf", "bench", "cabinet"),
        (
            *("wooden", "sturdy", "foldable", "modern", "rustic"),
            *("padded", "narrow", "stackable", "vintage", "handmade"),
        ),
        ("shape", SHAPES),
    ),
    "kitchen": (
        ("mug", "bowl", "kettle", "plate", "pan"),
        (
            *("ceramic", "insulated", "unbreakable", "polished", "heavy"),
            *("lidded", "compact", "glazed", "deep", "enamelled"),
        ),
        ("pack", PACKS),
    ),
    "outdoor": (
        ("tent", "backpack", "lantern", "bottle", "hammock"),
        (
            *("waterproof", "portable", "durable", "reflective", "breathable"),
            *("rugged", "quiet", "inflatable", "bright", "solar"),
        ),
        ("size", SIZES),
    ),
}
_TYPES = tuple(kind for types, _, _ in CATEGORIES.values() for kind in types)
NOUNS: Nouns = among(_TYPES, "generated catalogue")
_COMBINATIONS = 120  # of three attributes out of ten
SPLITS = ("train", "validation", "test")
LARGEST = len(_TYPES) * _COMBINATIONS // len(SPLITS)  # products of one split


def generate(seed: int, split: str, products: int = 300) -> Catalogue:
    """A catalogue of ``products`` for ``split``, the same for the same arguments everywhere.

    Raises:
        InputError: more products, or fewer, than can be told apart, or no such split.
    """
    if split not in SPLITS:
        raise InputError(f"There is no split {split!r}: take one of {', '.join(SPLITS)}.")
    if not len(_TYPES) <= products <= LARGEST:
        raise InputError(
            f"A generated catalogue has {len(_TYPES)} to {LARGEST} products: {products} is not."
        )
    # What the splits divide among them is drawn for all of them at once.
    shared, part = stream(seed, "webshop", "products"), SPLITS.index(split)
    ids = [f"{one}-{other}" for one in range(10, 100) for other in range(10, 100)]
    shared.shuffle(ids)
    sorts = []
    for category, (types, attributes, _) in CATEGORIES.items():
        for kind in types:
            own = shared.sample(list(combinations(attributes, 3)), _COMBINATIONS)
            sorts.append([(category, kind, chosen) for chosen in own[part :: len(SPLITS)]])
    random = stream(seed, "webshop", "catalogue", split)
    rows, notes = [], {}
    for number, asin in enumerate(ids[part :: len(SPLITS)][:products]):
        row, notes[asin] = _product(random, asin, *sorts[number % len(sorts)].pop())
        rows.append(row)
    random.shuffle(rows)
    return catalogue(rows, notes, {}, unique=True)


def _product(
    random: Random, asin: str, category: str, kind: str, attributes: tuple[str, ...]
) -> tuple[RawProduct, RawNotes]:
    first, second, third = random.sample(attributes, 3)
    name, values = CATEGORIES[category][2]
    colours = sorted(random.sample(COLOURS, random.randint(2, 4)))
    sold = random.sample(values, random.randint(2, 3))
    asked = sorted(random.sample(attributes, 2))
    row = RawProduct(
        asin=asin,
        name=f"{first} {second} {kind}",
        full_description=f"This {kind} is {first}, {second} and {third}.",
        small_description=[f"A {third} {kind}.", f"Sold under {category}."],
        pricing=f"${random.randint(5, 59)}",
        product_category=f"{category} \u203a {kind}",
        category=category,
        query=kind,
        customization_options={
            "color": [RawValue(value=colour) for colour in colours],
            name: [RawValue(value=value) for value in values if value in sold],
        },
    )
    instruction = f"Find me {asked[0]}, {asked[1]} {kind}"
    return row, RawNotes(
        attributes=sorted(attributes), instruction=instruction, instruction_attributes=asked
    )


def vocabulary() -> list[str]:
    """Every word that instructions, compact pages and actions of such shops can hold.

    Letters and digits are words, and so are runs of marks, as a word-level tokenizer splits them.
    """
    texts = [
        "Find me with color size shape pack and price lower than dollars",
        "This is A Sold under WebShop Page Total results Price",
        "back to search prev next buy now description features reviews attributes chosen",
        "click words Thank you for shopping with us Your score min max",
        "[ ] ( ) : $ . , - / < > ! [< >] .) ): ), 00",
        *(f"{kind} {category}" for category, (types, _, _) in CATEGORIES.items() for kind in types),
        *(attribute for _, own, _ in CATEGORIES.values() for attribute in own),
        *COLOURS,
        *SIZES,
        *SHAPES,
        *PACKS,
        *(str(number) for number in range(100)),
    ]
    return list(dict.fromkeys(word for text in texts for word in text.split()))
