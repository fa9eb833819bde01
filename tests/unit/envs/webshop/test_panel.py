import json

import pytest

from mem1.envs.webshop import panel, protocols
from mem1.errors import InputError

from .conftest import LAMP, RUG, published


def test_what_is_written_is_read(shop, tmp_path):
    panel.write(tmp_path / "panel.json", shop.panel)
    assert panel.read(tmp_path / "panel.json", shop.catalogue) == shop.panel


def test_the_same_seed_gives_the_same_digest_and_another_another(shop):
    def digest(seed: int) -> str:
        return panel.panel(shop.catalogue, "synthetic", shop.panel.protocol, seed).digest

    assert digest(0) == shop.panel.digest != digest(1)


def test_a_changed_panel_is_refused(shop, tmp_path):
    path = tmp_path / "panel.json"
    panel.write(path, shop.panel)
    values = json.loads(path.read_text(encoding="utf-8"))
    values["goals"][0]["price_upper"] = 20.0
    path.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(InputError, match="has changed since it was made"):
        panel.read(path, shop.catalogue)


@pytest.mark.parametrize("text", ["[]", "{}", '{"protocol": 1}', "nonsense"])
def test_what_is_no_panel_is_named(shop, tmp_path, text):
    (tmp_path / "panel.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"panel.json is no(t valid JSON| panel)"):
        panel.read(tmp_path / "panel.json", shop.catalogue)


RED_ONLY = {**LAMP, "customization_options": {"Size": [{"value": "Small"}], "Color": None}}


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([RUG], r"'B00000000\d' is not in the catalogue"),
        ([RED_ONLY, {**RUG, "asin": "B000000002"}], r"'B000000001' has no option color: "),
        ([LAMP, {**RUG, "asin": "B000000002"}], "was made from another catalogue"),
    ],
)
def test_a_panel_of_another_catalogue_is_refused(shop, tmp_path, items, message):
    panel.write(tmp_path / "panel.json", shop.panel)
    protocol = protocols.named("official-1k-synthetic")
    other = protocols.load(protocol, published(tmp_path, items), "test", 0)
    with pytest.raises(InputError, match=message):
        panel.read(tmp_path / "panel.json", other)


def test_a_panel_of_another_protocol_is_refused(shop):
    with pytest.raises(InputError, match=r"made for protocol official-1k-synthetic, not human"):
        protocols.shop(protocols.named("human"), shop.catalogue, shop.panel)
