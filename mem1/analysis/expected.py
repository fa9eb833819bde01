"""The paper's own numbers, read from ``config/expected.yaml``.

Each number keeps the label of where it comes from: P, the paper's main text and tables;
S, second-hand notes on its appendix that were not checked against the PDF; I, the ICLR 2026
version. Values are kept as printed and scaled on the way out (tokens, tokens^2, seconds).

A number that the file does not have is an empty cell of a table (``quote``, ``cell``); where a
claim is tested against it, the file is refused with the number's name (``need``).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, FiniteFloat, ValidationError, model_validator

from mem1.config_learning import Section
from mem1.errors import InputError

Source = Literal["P", "S", "I"]
MetricName = Literal["em", "f1", "reward", "peak", "dependency", "seconds"]
TableName = Literal["table1", "table2", "table3", "table3_web", "table4", "format_reward"]
TITLES: dict[TableName, str] = {  # in order of precedence, where two tables differ
    "table1": "Table 1",
    "table2": "Table 2",
    "table3": "Table 3",
    "table3_web": "Table 3 (web)",
    "table4": "Table 4",
    "format_reward": "format-reward ablation",
}


class Printed(Section):
    """A number as printed, with its +/- where the paper gives one."""

    value: FiniteFloat
    spread: FiniteFloat | None = None


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
    units: dict[MetricName, FiniteFloat] = Field(description="what one printed unit is worth")
    rows: list[Row]

    @model_validator(mode="after")
    def _all_units(self) -> "Table":
        for row in self.rows:
            for name in MetricName.__args__:  # type: ignore[attr-defined]
                if getattr(row, name) is not None and name not in self.units:
                    raise ValueError(f"units has no entry for {name!r} (row {row.name!r})")
        return self

    @model_validator(mode="after")
    def _no_row_twice(self) -> "Table":
        keys = [(row.name, row.horizon) for row in self.rows]
        twice = next((key for number, key in enumerate(keys) if key in keys[:number]), None)
        if twice is not None:
            raise ValueError(f"row {twice[0]!r} is there twice for {twice[1]} objectives")
        return self


class Headline(Section):
    """The ratios of the abstract and of section 4."""

    horizon: int
    first: str = Field(description="row that is divided by (peak) or divided (EM)")
    second: str
    em_ratio: FiniteFloat = Field(description="EM of first over second")
    peak_ratio: FiniteFloat = Field(description="peak of second over first")
    peak_share: FiniteFloat = Field(description="peak of first over second")
    time_share: FiniteFloat = Field(description="time of first over second")
    source: Source


class Note(Section):
    """Something in the paper that does not fit together."""

    where: list[TableName] = Field(min_length=1, description="tables whose numbers it concerns")
    text: str


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
    notes: list[Note] = Field(description="inconsistencies inside the paper")
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

    def table(self, name: TableName) -> Table:
        """The table called ``name``."""
        found = getattr(self, name)
        assert isinstance(found, Table)
        return found

    def notes_on(self, *names: TableName) -> list[str]:
        """What does not fit together in the tables ``names``; without names, anywhere."""
        return [note.text for note in self.notes if not names or set(names) & set(note.where)]

    def names(self) -> list[str]:
        """The rows of the multi- and single-objective QA tables over Wikipedia."""
        rows = [row.name for table in self._over_wikipedia() for row in self.table(table).rows]
        return list(dict.fromkeys(rows))

    def _over_wikipedia(self) -> Iterator[TableName]:
        for name in TITLES:
            if name != "format_reward" and self.table(name).environment == "wiki":
                yield name

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
        found = (self.cell(table, name, horizon, metric) for table in self._over_wikipedia())
        return next((quote for quote in found if quote is not None), None)

    def cell(self, table: TableName, name: str, horizon: int | None, metric: str) -> Quote | None:
        """What one table prints in the row ``name``; None where it prints nothing."""
        there = self.table(table)
        for row in there.rows:
            printed = getattr(row, metric, None)
            if (row.name, row.horizon) == (name, horizon) and isinstance(printed, Printed):
                unit = there.units[metric]  # type: ignore[index]
                spread = None if printed.spread is None else printed.spread * unit
                source = row.source or there.source
                return Quote(printed.value * unit, spread, source, TITLES[table])
        return None

    def need(self, table: TableName, name: str, horizon: int | None, metric: str) -> Quote:
        """``cell``, for a number that something is tested against.

        Raises:
            InputError: the file does not have it.
        """
        found = self.cell(table, name, horizon, metric)
        if found is None:
            at = "" if horizon is None else f" at {horizon} objectives"
            raise InputError(
                f"The paper's numbers have no {metric} of {name!r}{at} in {table}, which a claim "
                f"is tested against: add it to expected.yaml."
            )
        return found


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
