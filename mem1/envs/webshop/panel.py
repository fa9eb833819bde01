"""The goals of a protocol as a file with a digest: the same index is the same task for all.

A panel holds what the original draws at start: the price of each product with a range, and
the price cap of each goal. It belongs to one catalogue, named by its digest.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mem1.envs.webshop import goals as making
from mem1.envs.webshop.catalogue import Catalogue
from mem1.envs.webshop.goals import Goal, Kind
from mem1.errors import InputError
from mem1.provenance import json_digest, read_json, write_json
from mem1.records import complaint


@dataclass(frozen=True)
class Panel:
    """Goals by index. ``prices`` are those that were drawn, in dollars, by product."""

    protocol: str
    seed: int
    catalogue: str  # digest
    prices: dict[str, float]
    goals: tuple[Goal, ...]

    @cached_property
    def digest(self) -> str:
        """sha256 over all of the above."""
        return json_digest(asdict(self))


def panel(catalogue: Catalogue, kind: Kind, protocol: str, seed: int) -> Panel:
    """All goals of ``kind``.

    Raises:
        InputError: the catalogue has none.
    """
    costs = making.prices(catalogue, seed)
    drawn = {p.asin: costs[p.asin] for p in catalogue.products if len(p.prices) > 1}
    goals = making.goals(catalogue, costs, kind, seed)
    return Panel(protocol, seed, catalogue.digest, drawn, tuple(goals))


def write(path: Path, panel: Panel) -> None:
    """Write ``panel`` with its digest, whole or not at all."""
    write_json(path, {**asdict(panel), "digest": panel.digest})


def read(path: Path, catalogue: Catalogue) -> Panel:
    """The panel in ``path``, which was made from ``catalogue``.

    Raises:
        InputError: missing, damaged, changed, or made from another catalogue.
    """
    values = read_json(path)
    recorded = values.pop("digest", None) if isinstance(values, dict) else None
    try:
        found: Panel = _ADAPTER.validate_python(values)
    except ValidationError as error:
        raise InputError(f"{path} is no panel ({complaint(error)}): make it again.") from error
    if found.digest != recorded:
        raise InputError(f"{path} has changed since it was made: make it again.")
    if found.catalogue != catalogue.digest:
        _check_goals(path, found.goals, catalogue)
        raise InputError(
            f"{path} was made from another catalogue ({found.catalogue[:12]}, this one is "
            f"{catalogue.digest[:12]}): name that one, or make the panel again."
        )
    return found


def _check_goals(path: Path, goals: Sequence[Goal], catalogue: Catalogue) -> None:
    """Name the first product or option of a goal that the catalogue does not have."""
    for index, goal in enumerate(goals):
        offered = dict(catalogue.products[catalogue.place(goal.asin)].options)
        for pair in goal.options:
            if isinstance(pair, tuple) and pair[1] not in offered.get(pair[0], ()):
                raise InputError(
                    f"{path}, goal {index}: product {goal.asin!r} has no option "
                    f"{pair[0]}: {pair[1]}; use the catalogue that the goals were made for."
                )


_ADAPTER: TypeAdapter[Any] = TypeAdapter(Panel)
