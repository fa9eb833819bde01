"""Records of data files, one at a time, with their place for messages.

JSON, JSONL (also compressed with gzip), CSV and TSV. A field that does not fit is an error that
names file, record, field and fix.
"""

import csv
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from mem1 import provenance
from mem1.errors import InputError


@dataclass(frozen=True)
class Row:
    """One record of a file, with its place for messages."""

    value: Any
    where: str

    def bad(self, what: str, fix: str) -> InputError:
        """The error of this record, as one sentence."""
        return InputError(f"{self.where}: {what}; {fix}.")

    def get(self, name: str, kind: type | tuple[type, ...], meaning: str) -> Any:
        """The field ``name``, of type ``kind``.

        Raises:
            InputError: missing, or of another type.
        """
        if not isinstance(self.value, dict):
            raise self.bad(
                f"the record is {json_kind(self.value)}", "make it an object with fields"
            )
        if name not in self.value:
            raise self.bad(f"{name!r} is missing", f"add it ({meaning})")
        found = self.value[name]
        if not isinstance(found, kind) or isinstance(found, bool):
            raise self.bad(f"{name!r} is {json_kind(found)}", f"it must be {meaning}: correct it")
        return found

    def text(self, name: str) -> str:
        """The text in field ``name``, white space joined; never empty."""
        found = " ".join(self.get(name, str, "a text").split())
        if not found:
            raise self.bad(f"{name!r} is empty", "fill it in or remove the record")
        return found

    def ids(self, name: str) -> list[str]:
        """The ids in field ``name``, as texts."""
        return [str(part) for part in self.get(name, list, "a list of ids")]

    def inner(self, name: str) -> "Row":
        """The object in field ``name``, as a record of its own."""
        return Row(self.get(name, dict, "an object"), f"{self.where}, {name!r}")

    def answers(self, name: str) -> list[str]:
        """The accepted answers in field ``name``, white space joined; at least one."""
        return self.accepted(self.get(name, list, "a list of accepted answers"), name)

    def accepted(self, values: list[Any], name: str) -> list[str]:
        """``values`` as accepted answers, white space joined; at least one."""
        if not values or not all(isinstance(gold, str) and gold.strip() for gold in values):
            raise self.bad(f"{name!r} is no list of answers that are texts", "give at least one")
        return [" ".join(gold.split()) for gold in values]


def json_kind(value: Any) -> str:
    """What ``value`` is in the words of JSON, which files are written in."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    kinds: dict[type, str] = {dict: "an object", list: "a list", str: "a text"}
    return kinds.get(type(value), "a number")


def content_id(prefix: str, *parts: str) -> str:
    """An id made of the content, for records that have none."""
    return f"{prefix}-{provenance.json_digest(parts)[:16]}"


def json_rows(path: Path, field: str | None = None) -> Iterator[Row]:
    """The records of a JSON file: a list, or the list in ``field`` of its object."""
    values = provenance.read_json(path)
    if field is not None:
        values = Row(values, str(path)).get(field, list, "a list of records")
    if not isinstance(values, list):
        raise InputError(
            f"{path} holds {json_kind(values)}: give a list of records in the layout of its set."
        )
    for number, value in enumerate(values, start=1):
        yield Row(value, f"{path}, record {number}")


def open_text(path: Path, compressed: bool | None = None) -> IO[str]:
    """``path`` opened as UTF-8 text; ``compressed`` by gzip, which its name says by default."""
    zipped = path.suffix == ".gz" if compressed is None else compressed
    if zipped:
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return open(path, encoding="utf-8", newline="")


def lines(path: Path, compressed: bool | None = None) -> Iterator[str]:
    """The lines of ``path``, with their ends; ``compressed`` as in ``open_text``.

    Raises:
        InputError: missing, no UTF-8, or no whole gzip file.
    """
    try:
        with open_text(path, compressed) as file:
            yield from file
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist: make it first, or correct the path.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text ({error.reason}): rebuild it.") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path} is no whole gzip file ({error}): download it again.") from error


def jsonl_rows(path: Path, compressed: bool | None = None) -> Iterator[Row]:
    """The records of a JSONL file; ``compressed`` by gzip, which its name says by default."""
    for number, line in enumerate(lines(path, compressed), start=1):
        where = f"{path}, line {number}"
        try:
            value = provenance.parse_json(line)
        except ValueError as error:
            raise InputError(
                f"{where}: no valid JSON ({error}); correct or remove the line."
            ) from error
        yield Row(value, where)


def csv_rows(path: Path, delimiter: str = ",") -> Iterator[Row]:
    """The records of a CSV or TSV file with a first line of names."""
    table = csv.DictReader(lines(path), delimiter=delimiter, strict=True)
    try:
        for values in table:
            row = Row({k: v for k, v in values.items() if v is not None}, _line(path, table))
            if None in values:
                raise row.bad("it has more fields than the first line", "quote or remove some")
            yield row
    except csv.Error as error:
        raise InputError(
            f"{_line(path, table)}: no valid CSV ({error}); correct the line."
        ) from error


def _line(path: Path, table: "csv.DictReader[str]") -> str:
    return f"{path}, line {table.line_num}"
