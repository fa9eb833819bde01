"""The table of all settings in config/README.md, made from the schema and the preset ``mini``."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

BEGIN = "<!-- From here on made by: python -m mem1.make_schema. Edit mem1/config*.py instead. -->"
LIMITS = (
    ("minimum", "at least"),
    ("exclusiveMinimum", "above"),
    ("maximum", "at most"),
    ("exclusiveMaximum", "below"),
)
MANY = "NAME"  # stands for the names of runs and systems
HEAD = ("| setting | type and range | mini | meaning |", "|---|---|---|---|")
LONGEST = 28  # characters of a value that is shown


def reference(schema: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """Every setting with its type, range, value in ``values`` and meaning, by section."""
    lines = [BEGIN, "", "## Every setting", ""]
    lines += [
        "Made from the schema. The third column is what `config.yaml` (preset `mini`) says; no",
        "setting has a value that is written nowhere, but those that are marked *may be left out*.",
    ]
    plain = [name for name in values if _section(schema["properties"][name], schema) is None]
    lines += ["", "### The whole", "", *HEAD]
    for name in plain:
        lines += [_row(*r) for r in _rows(name, schema["properties"][name], values[name], schema)]
    for name, value in values.items():
        node = schema["properties"][name]
        inner = _section(node, schema)
        if name in plain:
            continue
        lines += ["", f"### `{name}`", ""]
        if inner is not None and inner[0].get("description"):
            lines += [" ".join(inner[0]["description"].split()), ""]
        lines += [*HEAD, *(_row(*row) for row in _rows(name, node, value, schema))]
    return "\n".join(lines) + "\n"


def with_reference(guide: str, table: str) -> str:
    """``guide`` with ``table`` in the place of what was made before."""
    return f"{guide.partition(BEGIN)[0].rstrip()}\n\n{table}"


def _section(node: Mapping[str, Any], schema: Mapping[str, Any]) -> tuple[Any, bool] | None:
    """The section behind ``node``, and whether there are many by name; None for a plain value."""
    for one in node.get("anyOf", [node]):
        if "$ref" in one:
            found = schema["$defs"][one["$ref"].rpartition("/")[2]]
            if found.get("properties"):
                return found, False
        named = one.get("additionalProperties") or next(
            iter(one.get("patternProperties", {}).values()), None
        )
        if isinstance(named, Mapping) and "$ref" in named:
            return schema["$defs"][named["$ref"].rpartition("/")[2]], True
    return None


Row = tuple[str, str, str, str]


def _rows(
    path: str, node: Mapping[str, Any], value: Any, schema: Mapping[str, Any], required: bool = True
) -> Iterator[Row]:
    inner = _section(node, schema)
    meaning = " ".join(node.get("description", "").split())
    if not required:
        meaning = f"{meaning} (*may be left out*)".strip()
    if inner is None:
        yield path, _type(node, schema), _shown(value), meaning
        return
    section, many = inner
    if many:
        path, value = f"{path}.{MANY}", None
    elif any(one.get("type") == "null" for one in node.get("anyOf", [])):
        yield path, "section or null", "null" if value is None else "", meaning
    for name, field in section["properties"].items():
        known = value.get(name, ...) if isinstance(value, Mapping) else ...
        needed = name in section.get("required", [])
        yield from _rows(f"{path}.{name}", field, known, schema, needed)


def _type(node: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """Type and range in words."""
    if "anyOf" in node:
        return " or ".join(dict.fromkeys(_type(one, schema) for one in node["anyOf"]))
    if "$ref" in node:
        return _type(schema["$defs"][node["$ref"].rpartition("/")[2]], schema)
    if "const" in node:
        return f"`{node['const']}`"
    if "enum" in node:
        return ", ".join(f"`{one}`" for one in node["enum"])
    kind = {"integer": "whole number", "array": "list", "object": "map"}.get(
        node.get("type", ""), node.get("type", "any")
    )
    if kind == "list" and node.get("items"):
        kind = f"list of {_type(node['items'], schema)}"
    if kind == "map":
        of = node.get("additionalProperties")
        kind = f"map to {_type(of, schema)}" if isinstance(of, Mapping) and of else "map"
    words = [f"{word} {node[key]:g}" for key, word in LIMITS if key in node]
    return " ".join([kind, ", ".join(words)]).strip()


def _shown(value: Any) -> str:
    """A value as the table shows it; nothing where ``mini`` does not have it."""
    if value is ...:
        return ""
    text = json.dumps(value, ensure_ascii=False)
    return f"`{text}`" if len(text) <= LONGEST else "see file"


def _row(path: str, kind: str, value: str, meaning: str) -> str:
    cells = (f"`{path}`", kind, value, meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
