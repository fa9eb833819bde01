"""The nouns of a title, which say whether two products are of one type.

The original takes words that spaCy tags as nouns and names. spaCy and its models are no
dependency here; where they are missing, a title's words less function words and anything with a
digit stand in. Adjectives and verbs count then, so that a title score can cross one of its
thresholds (0, 0.1, 0.2); buying the goal's own product is never affected. Which one was used
is part of every result. (Upstream scores differ as well: its versions load other models.)
"""

import importlib.util
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from mem1.errors import InputError

SPACY_MODELS = ("en_core_web_sm", "en_core_web_lg")  # of the original's newest version, and older
_TAGS = ("NOUN", "PROPN")
_FUNCTION = """
    a about above after all an and any are as at be been before below both but by can do for
    from has have he her his how i if in into is it its just may more most my no nor not of off
    on one only or other our out over own per she should so some such than that the their them
    then there these they this those through to too under up upon us very via was we were what
    when which while who will with within without you your
"""
_FUNCTION_WORDS = frozenset(_FUNCTION.split())
_SEPARATORS = re.compile("[^\\w.'\u2019]+")

Kind = Literal["auto", "spacy", "words"]


@dataclass(frozen=True)
class Nouns:
    """Finds nouns. ``name`` says how, for the record."""

    name: str
    find: Callable[[str], tuple[str, ...]]

    def __call__(self, title: str) -> tuple[str, ...]:
        """The nouns of ``title``, lower-cased, in order, repetitions kept."""
        return self.find(title)


def nouns(kind: Kind = "auto") -> Nouns:
    """spaCy's nouns or the stand-in; ``auto`` takes spaCy where it and a model are installed.

    Raises:
        InputError: ``spacy`` without spaCy or without one of its models.
    """
    if kind != "words":
        model = _spacy_model()
        if model:
            return _spacy(model)
        if kind == "spacy":
            raise InputError(
                f"spaCy or its model is missing: install spacy and {SPACY_MODELS[0]}, or take the "
                f"nouns 'words'."
            )
    return Nouns("words", lru_cache(maxsize=1 << 14)(_content_words))


def among(words: Iterable[str], name: str) -> Nouns:
    """Nouns where all of them are known, as in a generated catalogue."""
    known = frozenset(words)
    return Nouns(name, lambda title: tuple(w for w in title.lower().split() if w in known))


def _content_words(title: str) -> tuple[str, ...]:
    pieces = (piece.strip(".'\u2019") for piece in _SEPARATORS.split(title.lower()))
    return tuple(
        piece
        for piece in pieces
        if re.sub("[.'\u2019]", "", piece).isalpha() and piece not in _FUNCTION_WORDS
    )


def _spacy_model() -> str | None:
    """The first of the models that is installed with spaCy; spaCy itself is not imported."""
    if importlib.util.find_spec("spacy") is None:
        return None
    return next((name for name in SPACY_MODELS if importlib.util.find_spec(name)), None)


def _spacy(model: str) -> Nouns:
    import spacy

    language = spacy.load(model)

    def find(title: str) -> tuple[str, ...]:
        return tuple(word.text.lower() for word in language(title) if word.pos_ in _TAGS)

    version = f"{model} {language.meta['version']}"
    return Nouns(f"spacy {spacy.__version__} {version}", lru_cache(maxsize=1 << 14)(find))
