"""Passages and queries with the statistics of text, for benchmarks of retrieval.

Words follow Zipf's law in Mandelbrot's form, p(rank) ~ (rank + 2.7) ** -1.1 over a million
words, frequent ones being short. A passage has a title of 2 words and a text of 60 to 100; one word
of its text in five repeats one of its first ten, as texts repeat what they are about. All is
lower case with single blanks. A query has 5 to 8 words: a span of one passage and a span of
another, frequent words included, so that it has no obvious best answer.
"""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from mem1.provenance import write_json
from mem1.seeding import array_stream

WORDS = 1_000_000
SHIFT, EXPONENT = 2.7, 1.1
TITLE = 2
LENGTHS = (60, 100)  # of a text, in words
REPEATED, OPENING = 0.2, 10  # the share of repeated words, and of which first ones
QUERY = (5, 8)
BLOCK = 10_000  # passages of one random stream: larger corpora begin with the smaller ones
SYLLABLES = [consonant + vowel for consonant in "bcdfghjklmnpqrstvwxz" for vowel in "aeiou"]


@cache
def spellings() -> list[str]:
    """All words, most frequent first: the 100 of one syllable, the 10,000 of two, and so on."""
    words = longest = SYLLABLES
    while len(words) < WORDS:
        longest = [start + end for start in longest for end in SYLLABLES]
        words = words + longest
    return words[:WORDS]


@cache
def _law() -> np.ndarray:
    """Cumulated probabilities. [WORDS]"""
    law = np.cumsum((np.arange(1, WORDS + 1) + SHIFT) ** -EXPONENT)
    return law / law[-1]


def _ranks(seed: int, block: int) -> Iterator[np.ndarray]:
    """The words of each passage of a block, its title first. [title + text]"""
    random = array_stream(seed, "passages", block)
    for length in random.integers(LENGTHS[0], LENGTHS[1] + 1, BLOCK) + TITLE:
        ranks = np.searchsorted(_law(), random.random(length))
        repeats = random.random(length) < REPEATED
        repeats[:OPENING] = False
        ranks[repeats] = ranks[random.integers(0, OPENING, repeats.sum())]
        yield ranks


def write(folder: Path, passages: int, queries: int, seed: int) -> dict[str, Any]:
    """Write ``passages.jsonl`` and ``queries.json`` into ``folder``; return what is in them.

    Passages have their numbers as ids.
    """
    random = array_stream(seed, "queries", passages)
    sources = random.integers(0, passages, (queries, 2))
    asked_of = set(sources.ravel().tolist())
    kept: dict[int, list[str]] = {}
    seen = np.zeros(WORDS, bool)
    words, spelled, number = 0, spellings(), 0
    with open(folder / "passages.jsonl", "w", encoding="utf-8") as file:
        for block in range(-(-passages // BLOCK)):
            for ranks in _ranks(seed, block):
                if number == passages:
                    break
                text = [spelled[rank] for rank in ranks]
                title, body = " ".join(text[:TITLE]), " ".join(text[TITLE:])
                line = {"id": str(number), "title": title, "text": body}
                file.write(json.dumps(line, separators=(",", ":")) + "\n")
                if number in asked_of:
                    kept[number] = text
                seen[ranks] = True
                words += len(text)
                number += 1
    spoken = [_query(random, [kept[source] for source in pair]) for pair in sources.tolist()]
    write_json(folder / "queries.json", spoken)
    return {"passages": passages, "words": words, "distinct_words": int(seen.sum())}


def _query(random: np.random.Generator, texts: list[list[str]]) -> str:
    """A span of the first of ``texts``, and one of the second."""
    length = int(random.integers(QUERY[0], QUERY[1] + 1))
    spans = []
    for text, size in zip(texts, (length // 2, length - length // 2), strict=True):
        first = int(random.integers(0, len(text) - size + 1))
        spans += text[first : first + size]
    return " ".join(spans)
