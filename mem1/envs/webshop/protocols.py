"""Which goals are for testing and which for training, by name.

- ``official-1k-synthetic``: the 1000-product catalogue, synthetic goals, 0-499 for testing: what
  the published code of the paper uses.
- ``human``: goals that people wrote, as in WebShop's paper: 500 for testing, 1000 for
  validation, the rest for training.
- ``mini``: a generated catalogue for each split, shorter pages, all of its goals.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mem1.envs.webshop import generate, nouns, panel, raw
from mem1.envs.webshop.catalogue import Catalogue, catalogue
from mem1.envs.webshop.goals import Kind
from mem1.envs.webshop.panel import Panel
from mem1.envs.webshop.reward import OptionRule
from mem1.envs.webshop.shop import HITS, WINDOW, Shop
from mem1.errors import InputError

Split = Literal["test", "validation", "train"]


@dataclass(frozen=True)
class Protocol:
    """A way to take goals from a shop. ``splits``: first goal and the one past the last."""

    name: str
    goals: Kind
    splits: dict[Split, tuple[int, int | None]]
    generated: bool = False
    hits: int = HITS
    window: int = WINDOW

    def indices(self, split: Split, panel: Panel) -> range:
        """The goals of ``split``.

        Raises:
            InputError: the protocol has no such split, or the panel no goal in it.
        """
        start, stop = self.splits.get(split, (0, 0))
        found = range(start, len(panel.goals) if stop is None else min(stop, len(panel.goals)))
        if not found:
            raise InputError(
                f"Protocol {self.name} has no goals for {split} among the {len(panel.goals)} of "
                f"its catalogue: take another split ({', '.join(self.splits)}) or catalogue."
            )
        return found


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol("official-1k-synthetic", "synthetic", {"test": (0, 500), "train": (500, None)}),
        Protocol(
            "human", "human", {"test": (0, 500), "validation": (500, 1500), "train": (1500, None)}
        ),
        Protocol(
            "mini",
            "synthetic",
            {"test": (0, None), "validation": (0, None), "train": (0, None)},
            generated=True,
            hits=20,
            window=5,
        ),
    )
}


def load(protocol: Protocol, folder: Path | None, split: Split, seed: int) -> Catalogue:
    """The catalogue of ``protocol``: the one in ``folder``, or generated for ``split``.

    Raises:
        InputError: ``folder`` is missing or not needed, or its files are damaged.
    """
    if protocol.generated:
        if folder is not None:
            raise InputError(f"Protocol {protocol.name} makes its catalogue: name no folder.")
        return generate.generate(seed, split)
    if folder is None:
        raise InputError(f"Protocol {protocol.name} needs a catalogue: name its folder.")
    products, notes, unique = raw.read_products(folder)
    orders = raw.read_orders(folder) if protocol.goals == "human" else {}
    return catalogue(products, notes, orders, unique=unique)


def files(protocol: Protocol, folder: Path | None) -> list[Path]:
    """The files that ``load`` reads, as far as they are there."""
    return [] if folder is None else raw.files(folder, orders=protocol.goals == "human")


def shop(
    protocol: Protocol,
    catalogue: Catalogue,
    goals: Panel | None = None,
    *,
    seed: int = 0,
    kind: nouns.Kind = "auto",
    rule: OptionRule = "pairs",
) -> Shop:
    """A shop for ``protocol``, with ``goals`` or with those that ``seed`` gives.

    Raises:
        InputError: the catalogue has no such goals, or they are another protocol's.
    """
    found = goals or panel.panel(catalogue, protocol.goals, protocol.name, seed)
    if found.protocol != protocol.name:
        raise InputError(
            f"The panel was made for protocol {found.protocol}, not {protocol.name}: name the "
            f"other one, or make the panel again."
        )
    how = generate.NOUNS if protocol.generated else nouns.nouns(kind)
    return Shop(catalogue, found, how, rule=rule, hits=protocol.hits, window=protocol.window)


def named(name: str) -> Protocol:
    """The protocol ``name``.

    Raises:
        InputError: there is none.
    """
    if name not in PROTOCOLS:
        raise InputError(f"There is no protocol {name!r}: take {', '.join(PROTOCOLS)}.")
    return PROTOCOLS[name]
