"""Configuration files to the schema: read, overlay, validate, explain."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from mem1 import config_webshop
from mem1.config import Config, merge
from mem1.config_seeds import expanded
from mem1.errors import InputError


def _known_keys(location: tuple[int | str, ...], root: type[BaseModel]) -> list[str]:
    """The valid keys of the section of ``root`` that holds the last element of ``location``."""
    kind: Any = root
    for part in location[:-1]:
        fields = getattr(kind, "model_fields", {})
        if part in fields:
            kind = fields[part].annotation
            arguments = getattr(kind, "__args__", ())
            if not hasattr(kind, "model_fields"):  # dict[str, Section], or Section | None
                sections = (one for one in arguments if hasattr(one, "model_fields"))
                kind = next(sections, kind)
    return list(getattr(kind, "model_fields", {}))


def explain(error: ValidationError, where: str, root: type[BaseModel] = Config) -> InputError:
    """One sentence for the first thing that is wrong with a configuration, or a section of it."""
    first = error.errors()[0]
    path = ".".join(map(str, first["loc"]))
    more = len(error.errors()) - 1
    tail = f" ({more} more like this)" if more else ""
    if first["type"] == "extra_forbidden":
        known = _known_keys(first["loc"], root)
        near = difflib.get_close_matches(str(first["loc"][-1]), known, n=1, cutoff=0.3)
        fix = f"did you mean {near[0]!r}?" if near else f"valid keys are {', '.join(known)}."
        return InputError(f"{where}: unknown key {path!r}; {fix}{tail}")
    if first["type"] == "missing":
        return InputError(f"{where}: {path!r} is missing; add it.{tail}")
    message = first["msg"].removeprefix("Value error, ")
    return InputError(f"{where}: {path + ': ' if path else ''}{message}.{tail}")


def without_removed(values: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` less the runs and systems that are null.

    Overlays are merged key by key, here as in Snakemake, so that an overlay can only add
    and replace; a null is its way to take a run or a system away.
    """
    kept = config_webshop.without_removed(values)
    if isinstance(kept.get("webshop"), Mapping):
        kept["webshop"] = config_webshop.without_removed(kept["webshop"])
    return kept


def parse(values: Mapping[str, Any], where: str = "configuration") -> Config:
    """Validate ``values``; runs and systems that are null are left out.

    The others are there for every training seed (``config_seeds``).

    Raises:
        InputError: naming the first wrong key and the nearest valid one.
    """
    try:
        return expanded(Config.model_validate(without_removed(values)))
    except ValidationError as error:
        raise explain(error, where) from error


def load(*paths: Path) -> Config:
    """The configuration in ``paths``: the first file, then overlays.

    Raises:
        InputError: a file is missing, no YAML mapping, or does not fit the schema.
    """
    values: dict[str, Any] = {}
    for path in paths:
        try:
            loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise InputError(f"{path} does not exist: name a configuration file.") from error
        except UnicodeDecodeError as error:
            raise InputError(f"{path} is not UTF-8 text ({error.reason}): rewrite it.") from error
        except yaml.YAMLError as error:
            raise InputError(f"{path} is not valid YAML: {error}") from error
        if not isinstance(loaded, Mapping):
            raise InputError(
                f"{path} must hold a mapping of sections, not {type(loaded).__name__}."
            )
        values = merge(values, loaded)
    return parse(values, where=", ".join(map(str, paths)))
