"""The paper's own numbers, read from ``config/expected.yaml``.

Each number keeps the label of where it comes from: P, the paper's main text and tables;
S, second-hand notes on its appendix that were not checked against the PDF; I, the ICLR 2026
version. Values are kept as printed and scaled on the way out (tokens, tokens^2, seconds).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from mem1.config_learning import Section
from mem1.errors import InputError

Source = Literal["P", "S", "I"]
MetricName = Literal["em", "f1", "reward", "peak", "dependency", "seconds"]


class Printed(Section):
    """A number as printed, with its +/- where the paper gives one."""

    value: float
    spread: float | None = None


def _printed(value: Any) -> Any:
    """Accept ``1.5`` and ``[1.5, 0.1]``."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"value": value}
    if isinstance(value, list) and len(value) == 2:
        return {"value": value[0], "spread": value[1]}
    return value


Number = Annotated[Printed, BeforeValidator(_printed)]


class Row(Section):
    """One model at one horizon."""

    name: str
    horizon: int | None = Field(default=None, ge=1, description="objectives; none for WebShop")
    source: Source | None = Field(default=None, description="where other than the table's")
    em: Number | None = None
    f1: Number | None = None
    reward: Number | None = None
    peak: Number | None = None
    dependency: Number | None = None
    seconds: Number | None = None


class Table(Section):
    """One table of the paper, or one block of it."""

    environment: Literal["wiki", "web", "webshop"]
    source: Source
    units: dict[MetricName, float] = Field(description="what one printed unit is worth")
    rows: list[Row]

    @model_validator(mode="after")
    def _all_units(self) -> "Table":
        for row in self.rows:
            for name in MetricName.__args__:  # type: ignore[attr-defined]
                if getattr(row, name) is not None and name not in self.units:
                    raise ValueError(f"units has no entry for {name!r} (row {row.name!r})")
        return self


class Headline(Section):
    """The two ratios of the abstract."""

    horizon: int
    first: str = Field(description="row that is divided by (peak) or divided (EM)")
    second: str
    em_ratio: float = Field(description="EM of first over second")
    peak_ratio: float = Field(description="peak of second over first")
    source: Source


@dataclass(frozen=True)
class Quote:
    """A number of the paper in base units (questions, tokens, tokens^2, seconds)."""

    value: float
    spread: float | None
    source: Source
    table: str  # where in the paper


class Expected(Section):
    """All numbers of the paper's Tables 1-4, and of its ablation of the format reward."""

    paper: str
    sources: dict[Source, str]
    headline: Headline
    notes: list[str] = Field(description="inconsistencies inside the paper")
    table1: Table
    table2: Table
    table3: Table
    table3_web: Table
    table4: Table
    format_reward: Table = Field(description="rows: with, without")

    @model_validator(mode="after")
    def _both_arms(self) -> "Expected":
        if {row.name for row in self.format_reward.rows} != {"with", "without"}:
            raise ValueError("format_reward has rows called with and without, and no others")
        return self

    def tables(self) -> Iterator[tuple[str, Table]]:
        """Printed name of each table with the table, in order of precedence."""
        yield "Table 1", self.table1
        yield "Table 2", self.table2
        yield "Table 3", self.table3
        yield "Table 3 (web)", self.table3_web
        yield "Table 4", self.table4

    def names(self) -> list[str]:
        """The rows of the multi- and single-objective QA tables over Wikipedia."""
        rows = [r.name for _, t in self.tables() if t.environment == "wiki" for r in t.rows]
        return list(dict.fromkeys(rows))

    def quote(self, name: str, horizon: int, metric: str) -> Quote | None:
        """What the paper prints for ``name`` on Wikipedia QA; None where it prints nothing.

        Where two tables differ, Table 1 goes before 3, and 3 before 4.

        Raises:
            InputError: the paper has no such row.
        """
        if name not in self.names():
            raise InputError(
                f"The paper's tables have no row {name!r}: use one of {', '.join(self.names())}."
            )
        for title, table in self.tables():
            found = _quote(title, table, name, horizon, metric)
            if table.environment == "wiki" and found is not None:
                return found
        return None

    def format_quote(self, used: bool, horizon: int, metric: str) -> Quote | None:
        """What the paper prints for MEM1 with the format reward, or without it, if it does."""
        name = "with" if used else "without"
        return _quote("format-reward ablation", self.format_reward, name, horizon, metric)


def _quote(title: str, table: Table, name: str, horizon: int, metric: str) -> Quote | None:
    """The number in ``table``, called ``title``; None where it has none."""
    for row in table.rows:
        printed = getattr(row, metric, None)
        if (row.name, row.horizon) == (name, horizon) and isinstance(printed, Printed):
            unit = table.units[metric]  # type: ignore[index]
            spread = None if printed.spread is None else printed.spread * unit
            return Quote(printed.value * unit, spread, row.source or table.source, title)
    return None


def load(path: Path) -> Expected:
    """The paper's numbers in ``path``.

    Raises:
        InputError: missing, no YAML, or an unknown or malformed entry.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist: name the file of the paper's numbers.") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not valid YAML: {error}") from error
    try:
        return Expected.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        kind = "unknown key, remove or correct it" if first["type"] == "extra_forbidden" else ""
        raise InputError(f"{path}: {where}: {kind or first['msg']}.") from error
