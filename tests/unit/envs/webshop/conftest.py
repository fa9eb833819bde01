"""A hand-made catalogue in the published form, a generated shop, and the real one."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from mem1.envs.webshop import panel, protocols
from mem1.envs.webshop.nouns import nouns
from mem1.envs.webshop.shop import Shop

SAMPLE = os.environ.get("MEM1_SAMPLE_DATA")
needs_sample = pytest.mark.skipif(
    not SAMPLE, reason="set MEM1_SAMPLE_DATA to the folder with the sample data to run this"
)


def path(*parts: str) -> str:
    """The categories of a product, as files write them."""
    return " \u203a ".join(parts)


LAMP = {
    "asin": "B000000001",
    "name": "Brass Desk Lamp",
    "full_description": "A lamp for the desk.",
    "small_description": ["Dimmable light ", "Made of brass"],
    "pricing": "$31.39",
    "product_category": path("Home", "Lighting", "Lamps"),
    "category": "garden",
    "query": " Desk Lamps ",
    "customization_options": {
        "Size": [{"value": " Small "}, {"value": "Large"}],
        "Color": [{"value": "Gold/Black"}, {"value": "red"}],
        "Cord": None,
    },
    "images": ["ignored.jpg"],
}
CHAIR = {
    "asin": "B000000002",
    "name": "Garden Chair",
    "full_description": "",
    "small_description": "Folds flat",
    "pricing": "$1,049.00 - $1,200.50",
    "product_category": path("Home", "Furniture", "Chairs"),
    "category": "garden",
    "query": "chairs",
    "customization_options": "",
}
RUG = {**CHAIR, "asin": "B000000003", "name": "Wool Rug", "pricing": None, "query": "rugs"}
NOTES: dict[str, Any] = {
    "B000000001": {
        "attributes": ["dimmable light", "brass finish"],
        "instruction": "Find me dimmable lamps",
        "instruction_attributes": ["dimmable light"],
    },
    "B000000002": {
        "attributes": ["easy storage"],
        "instruction": "Find me chairs",
        "instruction_attributes": ["easy storage"],
    },
}
ORDERS = {
    "B000000001": [
        {
            "instruction": "i want a dimmable lamp.",
            "instruction_attributes": ["dimmable light"],
            "instruction_options": ["red"],
        },
        {"instruction": "skipped", "instruction_attributes": []},
    ]
}


def published(
    folder: Path,
    items: list[dict[str, Any]] | None = None,
    notes: dict[str, Any] | None = None,
    orders: dict[str, Any] | None = None,
) -> Path:
    """``folder`` with the three published files."""
    values = {
        "items_shuffle_1000.json": [LAMP, CHAIR, RUG] if items is None else items,
        "items_ins_v2_1000.json": NOTES if notes is None else notes,
        "items_human_ins.json": ORDERS if orders is None else orders,
    }
    for name, value in values.items():
        (folder / name).write_text(json.dumps(value), encoding="utf-8")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return published(tmp_path)


@pytest.fixture
def shop(folder: Path) -> Shop:
    """The hand-made catalogue with its five synthetic goals."""
    protocol = protocols.named("official-1k-synthetic")
    catalogue = protocols.load(protocol, folder, "test", 0)
    return Shop(catalogue, panel.panel(catalogue, "synthetic", protocol.name, 0), nouns("words"))


@pytest.fixture(scope="session")
def mini() -> Shop:
    """The generated shop of the test split."""
    protocol = protocols.named("mini")
    return protocols.shop(protocol, protocols.load(protocol, None, "test", 0))


@pytest.fixture(scope="session")
def official() -> Shop:
    """The 1000-product catalogue with all its synthetic goals."""
    assert SAMPLE
    protocol = protocols.named("official-1k-synthetic")
    catalogue = protocols.load(protocol, Path(SAMPLE) / "webshop", "test", 0)
    return protocols.shop(protocol, catalogue, kind="words")
