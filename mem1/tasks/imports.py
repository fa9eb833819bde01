"""The frozen section of one import from the Hub: which files, pinned, and nothing else."""

from typing import Literal, get_args

from pydantic import Field

from mem1.config_learning import Section
from mem1.config_sources import Sources
from mem1.errors import InputError
from mem1.tasks import catalogue
from mem1.tasks.catalogue import Dataset

Part = Literal["train", "test", "corpus"]


class HubImport(Section):
    """The questions of one split, or the passages of both."""

    part: Part
    max_passages: int | None = Field(description="corpus: read at most so many; null: all")
    sets: list[Dataset] = Field(min_length=1, description="rows of config/datasets.tsv, in order")


def hub_import(sources: Sources, part: str) -> HubImport:
    """What the import of ``part`` needs to know of ``sources`` (kind hub).

    Notes of the table are left out: they are for people.

    Raises:
        InputError: no such part, a part without sets, or a set that the table has not.
    """
    if sources.kind != "hub" or part not in get_args(Part):
        raise InputError(
            f"There is no import of {part!r} with sources.kind {sources.kind!r}: use kind hub, and "
            f"one of {', '.join(get_args(Part))}."
        )
    corpus = [] if sources.corpus is None else [sources.corpus]
    names = {"train": sources.train, "test": sources.test, "corpus": corpus}[part]
    if not names:
        raise InputError(f"sources.{part} is empty: name rows of config/datasets.tsv.")
    role = "passages" if part == "corpus" else "questions"
    sets = catalogue.named(names, role, catalogue.read())
    return HubImport.model_validate(
        {
            "part": part,
            "max_passages": sources.max_passages if part == "corpus" else None,
            "sets": [dataset.model_copy(update={"note": ""}) for dataset in sets],
        }
    )
