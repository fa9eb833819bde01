"""What exists in Atlas: types, typed relations and their wordings, and the pool of names.

A relation's wording belongs to one type: no other type's page can look like an answer to
it. That is what a small model needs to learn to read in minutes; whether it holds for a
retriever is measured (``atlas.conflicts``), not assumed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from mem1.seeding import stream

POOL = 60  # names of each type


@dataclass(frozen=True)
class Relation:
    """A typed relation: each entity of ``domain`` has exactly one value of ``range``."""

    name: str
    domain: str
    range: str
    verb: str  # "<entity> <verb> <value>." on the entity's page
    noun: str  # "the <noun> <entity>" inside a longer question
    questions: tuple[str, ...]  # phrasings, {e} for the entity or a noun phrase, at the end


RELATIONS = (
    Relation(
        "birthplace", "person", "city", "was born in", "birthplace of",
        ("What is the birthplace of {e}?", "Which city is the birthplace of {e}?"),
    ),
    Relation(
        "alma_mater", "person", "university", "studied at", "alma mater of",
        ("What is the alma mater of {e}?", "Which university is the alma mater of {e}?"),
    ),
    Relation(
        "country", "city", "country", "lies in", "country of",
        ("What is the country of {e}?", "Which country is home to {e}?"),
    ),
    Relation(
        "mayor", "city", "person", "is governed by", "mayor of",
        ("Who governs {e}?", "Who is the mayor of {e}?"),
    ),
    Relation(
        "capital", "country", "city", "is ruled from", "capital of",
        ("What is the capital of {e}?", "Which city is the capital of {e}?"),
    ),
    Relation(
        "national_team", "country", "team", "is represented by", "national team of",
        ("Which team represents {e}?", "What is the national team of {e}?"),
    ),
    Relation(
        "founder", "company", "person", "was founded by", "founder of",
        ("Who founded {e}?", "Who is the founder of {e}?"),
    ),
    Relation(
        "headquarters", "company", "city", "has its headquarters in", "headquarters city of",
        ("What is the headquarters city of {e}?", "Which city has the headquarters of {e}?"),
    ),
    Relation(
        "author", "book", "person", "was written by", "author of",
        ("Who wrote {e}?", "Who is the author of {e}?"),
    ),
    Relation(
        "publisher", "book", "company", "was published by", "publisher of",
        ("Which company published {e}?", "Who is the publisher of {e}?"),
    ),
    Relation(
        "director", "film", "person", "was directed by", "director of",
        ("Who directed {e}?", "Who is the director of {e}?"),
    ),
    Relation(
        "novel", "film", "book", "is adapted from", "novel behind",
        ("Which book is the novel behind {e}?", "What is the novel behind {e}?"),
    ),
    Relation(
        "rector", "university", "person", "is led by", "rector of",
        ("Who leads {e}?", "Who is the rector of {e}?"),
    ),
    Relation(
        "campus", "university", "city", "has its campus in", "campus city of",
        ("What is the campus city of {e}?", "Which city has the campus of {e}?"),
    ),
    Relation(
        "architect", "museum", "person", "was designed by", "architect of",
        ("Who designed {e}?", "Who is the architect of {e}?"),
    ),
    Relation(
        "sponsor", "museum", "company", "is sponsored by", "sponsor of",
        ("Which company sponsors {e}?", "Who is the sponsor of {e}?"),
    ),
    Relation(
        "coach", "team", "person", "is coached by", "coach of",
        ("Who coaches {e}?", "Who is the coach of {e}?"),
    ),
    Relation(
        "home_town", "team", "city", "plays its home games in", "home town of",
        ("What is the home town of {e}?", "Which city is the home town of {e}?"),
    ),
    Relation(
        "builder", "ship", "company", "was built by", "builder of",
        ("Which company built {e}?", "Who is the builder of {e}?"),
    ),
    Relation(
        "captain", "ship", "person", "is commanded by", "captain of",
        ("Who commands {e}?", "Who is the captain of {e}?"),
    ),
    Relation(
        "composer", "song", "person", "was composed by", "composer of",
        ("Who composed {e}?", "Who is the composer of {e}?"),
    ),
    Relation(
        "soundtrack", "song", "film", "is heard in", "film featuring",
        ("Which film is the film featuring {e}?", "What is the film featuring {e}?"),
    ),
)  # fmt: skip

TYPES = tuple(dict.fromkeys(relation.domain for relation in RELATIONS))

REMARKS = (
    "It is often mentioned in the press.",
    "Little else is known about it.",
    "It was well known in its time.",
    "Many stories are told about it.",
)

_ONSETS = "b br c d dr f fl g gr h j k kr l m n p pr qu r s st t tr v w z".split()  # noqa: SIM905
_VOWELS = ["a", "e", "i", "o", "u", "ai", "ei", "ou"]
_CODAS = ["", "l", "m", "n", "r", "s", "x", "nd", "rk", "th"]


def _words() -> Iterator[str]:
    """Pronounceable invented words of two syllables, each once, always the same."""
    random = stream(0, "atlas names")
    seen: set[str] = set()
    while True:
        syllables = [
            random.choice(_ONSETS) + random.choice(_VOWELS) + random.choice(_CODAS)
            for _ in range(2)
        ]
        word = "".join(syllables).capitalize()
        if word not in seen:
            seen.add(word)
            yield word


@cache
def pools() -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """The first words of the names of each type, ``POOL`` each, and all last words."""
    words = _words()
    first = {kind: tuple(next(words) for _ in range(POOL)) for kind in TYPES}
    return first, tuple(next(words) for _ in range(POOL * len(TYPES)))


def names(seed: int) -> dict[str, list[str]]:
    """The two-word names of every type, ``POOL`` each; ``seed`` decides which words meet.

    Every word belongs to one name, and questions end with the name. So what follows a name
    can be found by looking for its last word. Names of other seeds are other pairs of the same
    words, so they cannot be known by heart: a model that has seen many worlds must have
    learned to copy (docs/log.md).
    """
    first, last = pools()
    shuffled = iter(stream(seed, "names").sample(last, len(last)))
    return {kind: [f"{word} {next(shuffled)}" for word in first[kind]] for kind in TYPES}
