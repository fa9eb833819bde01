import json
from pathlib import Path

import pytest

from mem1.envs.webshop import protocols
from mem1.envs.webshop.catalogue import Catalogue
from mem1.errors import InputError

from .conftest import CHAIR, LAMP, NOTES, published


def load(folder: Path, name: str = "official-1k-synthetic") -> Catalogue:
    return protocols.load(protocols.named(name), folder, "test", 0)


def loaded_form(folder: Path, lines: list[dict[str, object]]) -> Path:
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    (folder / "products.jsonl").write_text(text, encoding="utf-8")
    (folder / "attributes.json").write_text(json.dumps(NOTES), encoding="utf-8")
    return folder


def test_options_are_lower_case_with_spaced_slashes_and_empty_ones_go(folder):
    assert load(folder).products[0].options == (
        ("size", ("small", "large")),
        ("color", ("gold | black", "red")),
    )


def test_prices_are_one_two_or_a_hundred(folder):
    products = load(folder).products
    assert [p.prices for p in products] == [(31.39,), (1049.0, 1200.5), (100.0,)]
    assert [p.price_tag for p in products] == ["$31.39", "$1049.0 to $1200.5", "$100.0"]


def test_search_text_has_title_description_first_bullet_and_options(folder):
    assert load(folder).products[0].search_text == (
        "brass desk lamp a lamp for the desk. dimmable light  size: small, large, and color: "
        "gold | black, red"
    )


def test_what_annotators_said_belongs_to_the_product(folder):
    lamp, chair, rug = load(folder).products
    assert lamp.attributes == ("dimmable light", "brass finish")
    assert lamp.instruction == "Find me dimmable lamps"
    assert rug.attributes == ("DUMMY_ATTR",)
    assert rug.instruction is None
    assert (lamp.query, chair.bullets) == ("desk lamps", ("Folds flat",))


def test_second_products_and_long_ids_are_left_out_and_named(tmp_path):
    again, long = {**LAMP, "name": "Another"}, {**LAMP, "asin": "B0000000011"}
    found = load(published(tmp_path, [LAMP, again, long]))
    assert [product.title for product in found.products] == ["Brass Desk Lamp"]
    assert [note.split(":")[0] for note in found.dropped] == ["B000000001", "B0000000011"]


def test_both_forms_of_the_files_give_one_catalogue(tmp_path):
    lamp = {**LAMP, "pricing": [31.39]}
    chair = {**CHAIR, "pricing": [1049.0, 1200.5]}
    loaded_form(tmp_path, [{"id": p["asin"], "contents": "", "product": p} for p in (lamp, chair)])
    (tmp_path / "published").mkdir()
    other = published(tmp_path / "published", [LAMP, CHAIR])
    assert load(tmp_path).digest == load(other).digest


def test_the_digest_depends_on_every_product(tmp_path):
    before = load(published(tmp_path)).digest
    assert load(published(tmp_path, [LAMP, {**CHAIR, "name": "Chair"}])).digest != before


def test_the_same_id_twice_among_loaded_products_is_refused(tmp_path):
    line = {"id": "B000000001", "product": {**LAMP, "pricing": [31.39]}}
    with pytest.raises(InputError, match=r"'B000000001' occurs twice"):
        load(loaded_form(tmp_path, [line, line]))


def test_an_id_that_is_not_the_products_is_named(tmp_path):
    lines = [{"id": "B000000009", "product": LAMP}]
    with pytest.raises(InputError, match=r"line 1: the id 'B000000009' is not .*'B000000001'"):
        load(loaded_form(tmp_path, lines))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("items_shuffle_1000.json", None, "holds no catalogue"),
        ("items_shuffle_1000.json", "[]", "has no product"),
        ("items_shuffle_1000.json", '[{"asin": "B1"', "is damaged"),
        ("items_shuffle_1000.json", '[{"asin": "B1"}]', r"is damaged \(0.name: Field required\)"),
        ("items_shuffle_1000.json", b"\xff\xfe", "is damaged"),
        ("items_ins_v2_1000.json", None, "items_ins_v2_1000.json does not exist"),
        ("items_ins_v2_1000.json", '{"B1": 3}', r"is damaged \(B1"),
        ("items_human_ins.json", None, "items_human_ins.json does not exist"),
        ("items_human_ins.json", "{}", "has no human goals"),
    ],
)
def test_missing_and_damaged_files_are_named(folder, name, text, message):
    path = folder / name
    path.unlink()
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    human = protocols.named("human" if "human" in name else "official-1k-synthetic")
    with pytest.raises(InputError, match=message):
        protocols.shop(human, load(folder, human.name))


@pytest.mark.parametrize("price", ["12.99", "$", "$1.2.3", "free"])
def test_a_price_that_is_none_is_named_with_its_product(tmp_path, price):
    with pytest.raises(InputError, match=r"'B000000001' has the price"):
        load(published(tmp_path, [{**LAMP, "pricing": price}]))


def test_an_instruction_without_attributes_is_named(tmp_path):
    notes = {"B000000001": {"instruction": "Find me lamps", "instruction_attributes": []}}
    with pytest.raises(InputError, match=r"'B000000001' has an instruction and no"):
        load(published(tmp_path, notes=notes))
