"""The files of a catalogue, as they are published and as others keep them.

A folder holds one of these sets:

- ``items_shuffle_1000.json`` and ``items_ins_v2_1000.json``, or the same without ``_1000``: the
  original's. A list of products; attributes and instructions by id.
- ``products.jsonl`` and ``attributes.json``: products after the original's loader, one a line
  (``id``, ``product``), and the same attributes and instructions.

and, for human goals, ``items_human_ins.json``: instructions by id. Unlike the original, which
opens it always, this reads it for human goals only.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from mem1.errors import InputError
from mem1.records import complaint, iter_jsonl

PRODUCTS, NOTES = "products.jsonl", "attributes.json"
PUBLISHED = (
    ("items_shuffle_1000.json", "items_ins_v2_1000.json"),
    ("items_shuffle.json", "items_ins_v2.json"),
)
ORDERS = "items_human_ins.json"

T = TypeVar("T")


class RawValue(BaseModel):
    """One value of an option."""

    value: str


class RawProduct(BaseModel):
    """What is read of a product; other fields are ignored."""

    asin: str = Field(min_length=1)
    name: str
    full_description: str | None = None
    small_description: list[str] | str | None = None
    pricing: str | list[float] | None = None
    product_category: str
    category: str
    query: str
    customization_options: dict[str, list[RawValue] | None] | Literal[""] | None = None


class RawNotes(BaseModel):
    """What annotators said of a product."""

    attributes: list[str] | None = None
    instruction: str | None = None
    instruction_attributes: list[str] | None = None


class RawOrder(BaseModel):
    """What a person asked for."""

    instruction: str
    instruction_attributes: list[str]
    instruction_options: list[str] = []


class _Line(BaseModel):
    """One line of ``products.jsonl``."""

    id: str
    product: RawProduct


def read_products(folder: Path) -> tuple[list[RawProduct], dict[str, RawNotes], bool]:
    """Products in order, notes by id, and whether an id may stand there once only.

    Raises:
        InputError: files are missing, or one is damaged, naming it and the place.
    """
    for products, notes in PUBLISHED:
        if (folder / products).is_file():
            rows = _read(folder / products, list[RawProduct])
            return rows, _read(folder / notes, dict[str, RawNotes]), False
    if not (folder / PRODUCTS).is_file():
        raise InputError(
            f"{folder} holds no catalogue: put {PUBLISHED[0][0]} and {PUBLISHED[0][1]} there, or "
            f"{PRODUCTS} and {NOTES}."
        )
    lines = list(iter_jsonl(folder / PRODUCTS, _Line))
    for number, line in enumerate(lines, start=1):
        if line.id != line.product.asin:
            raise InputError(
                f"{folder / PRODUCTS}, line {number}: the id {line.id!r} is not that of the "
                f"product, {line.product.asin!r}; correct the file."
            )
    return [line.product for line in lines], _read(folder / NOTES, dict[str, RawNotes]), True


def files(folder: Path, orders: bool) -> list[Path]:
    """The files that are read of ``folder``, as far as they are there; ``orders``: those too."""
    found = [pair for pair in (*PUBLISHED, (PRODUCTS, NOTES)) if (folder / pair[0]).is_file()]
    names = [*found[0], *([ORDERS] if orders else [])] if found else []
    return [folder / name for name in names if (folder / name).is_file()]


def read_orders(folder: Path) -> dict[str, Sequence[RawOrder]]:
    """What people asked for, by the id of the product that answers it.

    Raises:
        InputError: the file is missing or damaged.
    """
    return dict(_read(folder / ORDERS, dict[str, list[RawOrder]]))


def _read(path: Path, kind: type[T]) -> T:
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    try:
        return adapter.validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist: put it beside the products.") from error
    except ValidationError as error:
        raise InputError(f"{path} is damaged ({complaint(error)}): download it again.") from error
