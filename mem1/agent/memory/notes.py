"""Notes of A-MEM (arXiv 2502.12110): what they hold, how they link, evolve and are recalled.

A note keeps a turn as it was, and what a call of the model says about it: keywords, one sentence
of context, tags. A second call links it to older notes, and may revise what is said about them.

Links bring a note along: behind each note that is recalled come those it is linked to, up to the
number of notes that are shown. (In the published code of A-MEM they are added behind all that were
found and then cut off.)
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from mem1.agent.memory.base import newest
from mem1.records import Turn

NOTE, EVOLVE = "note", "evolve"  # purposes of the calls


class Description(BaseModel):
    """What a call says about a turn."""

    model_config = ConfigDict(strict=True)

    keywords: list[str]
    context: str
    tags: list[str]


class Revision(BaseModel):
    """What is now said about an older note."""

    model_config = ConfigDict(strict=True)

    note: int
    context: str
    tags: list[str]


class Evolution(BaseModel):
    """What a call decides about a new note and its neighbours."""

    model_config = ConfigDict(strict=True)

    links: list[int] = []
    tags: list[str] | None = None  # of the new note; null: they stay
    revisions: list[Revision] = []


@dataclass(frozen=True)
class Note:
    """A turn, by its number from 1 on, and what is said about it.

    ``description`` is None where no call said anything of use: the note is the turn alone.
    """

    number: int
    turn: Turn
    description: Description | None = None
    links: tuple[int, ...] = ()  # numbers of older notes

    @property
    def text(self) -> str:
        """What the note is found by: the turn, and what is said about it."""
        parts = [self.turn.text, self.turn.info_text]
        if self.description is not None:
            about = self.description
            parts += [*about.keywords, about.context, *about.tags]
        return " ".join(parts)


M = TypeVar("M", bound=BaseModel)


def read(text: str, kind: type[M]) -> M | None:
    """The JSON object in the answer ``text``; None if there is none of that ``kind``."""
    start, end = text.find("{"), text.rfind("}")
    try:
        return kind.model_validate_json(text[start : end + 1])
    except ValidationError:
        return None


def read_description(text: str) -> Description | None:
    """See ``read``; a description that says nothing is none."""
    found = read(text, Description)
    return found if found and (found.keywords or found.context.strip()) else None


def read_evolution(text: str) -> Evolution | None:
    """See ``read``."""
    return read(text, Evolution)


def remembered(turns: Sequence[Turn]) -> dict[int, Note]:
    """The notes of all turns but the newest, by number, as the records of the calls have them."""
    notes: dict[int, Note] = {}
    for number, (turn, following) in enumerate(pairwise(turns), start=1):
        about, decided = (newest([following], purpose) for purpose in (NOTE, EVOLVE))
        note = Note(number, turn, read_description(about) if about else None)
        notes = evolved(notes, note, read_evolution(decided) if decided else None)
    return notes


def evolved(notes: Mapping[int, Note], new: Note, evolution: Evolution | None) -> dict[int, Note]:
    """``notes`` and ``new``, after ``evolution``; numbers of no older note are passed over."""
    changed = dict(notes)
    if evolution is not None and new.description is not None:
        links = tuple(dict.fromkeys(n for n in evolution.links if n in notes))
        tags = new.description.tags if evolution.tags is None else evolution.tags
        new = replace(
            new, links=links, description=new.description.model_copy(update={"tags": tags})
        )
        for revision in evolution.revisions:
            old = changed.get(revision.note)
            if old is None:
                continue
            keywords = old.description.keywords if old.description else []
            said = Description(keywords=keywords, context=revision.context, tags=revision.tags)
            changed[old.number] = replace(old, description=said)
    return {**changed, new.number: new}


def recalled(ranked: Iterable[int], notes: Mapping[int, Note], most: int) -> list[Note]:
    """At most ``most`` of ``notes``, oldest first: those in ``ranked``, each with its links."""
    numbers = [n for found in ranked for n in (found, *notes[found].links)]
    chosen = list(dict.fromkeys(numbers))[:most]
    return [notes[n] for n in sorted(chosen)]
