"""Porter's stemmer as Lucene's PorterStemFilter has it.

The rules of Porter (1980) with the two changes of his own later code: ``bli`` becomes ``ble``
(not ``abli`` ``able``), and ``logi`` becomes ``log``. Snowball's ``porter`` has neither.
"""

from functools import lru_cache

_SECOND = (
    ("ational", "ate"), ("tional", "tion"), ("enci", "ence"), ("anci", "ance"), ("izer", "ize"),
    ("bli", "ble"), ("alli", "al"), ("entli", "ent"), ("eli", "e"), ("ousli", "ous"),
    ("ization", "ize"), ("ation", "ate"), ("ator", "ate"), ("alism", "al"), ("iveness", "ive"),
    ("fulness", "ful"), ("ousness", "ous"), ("aliti", "al"), ("iviti", "ive"), ("biliti", "ble"),
    ("logi", "log"),
)  # fmt: skip
_THIRD = (
    ("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic"), ("ful", ""),
    ("ness", ""),
)  # fmt: skip
_FOURTH = (
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "sion", "tion",
    "ou", "ism", "ate", "iti", "ous", "ive", "ize",
)  # fmt: skip


def _shape(word: str) -> str:
    """``v`` for each vowel of ``word`` and ``c`` for all else; y after a consonant is a vowel."""
    if "y" not in word:
        return "".join(["v" if letter in "aeiou" else "c" for letter in word])
    shape, before = [], ""
    for letter in word:
        before = "v" if letter in "aeiou" or (letter == "y" and before == "c") else "c"
        shape.append(before)
    return "".join(shape)


def _measure(stem: str) -> int:
    """How often a consonant follows a vowel: Porter's m."""
    return _shape(stem).count("vc")


def _double(word: str) -> bool:
    """Whether ``word`` ends with the same consonant twice."""
    return len(word) > 1 and word[-1] == word[-2] and _shape(word)[-1] == "c"


def _short(word: str) -> bool:
    """Whether ``word`` ends consonant, vowel, consonant, and the last is no w, x or y."""
    return _shape(word)[-3:] == "cvc" and word[-1] not in "wxy"


def _plurals(word: str) -> str:
    if word.endswith("sses") or word.endswith("ies"):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _past(word: str) -> str:
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    for suffix in ("ed", "ing"):
        stem = word.removesuffix(suffix)
        if stem == word or "v" not in _shape(stem):
            continue
        if stem.endswith(("at", "bl", "iz")):
            return stem + "e"
        if _double(stem):
            return stem if stem[-1] in "lsz" else stem[:-1]
        return stem + "e" if _measure(stem) == 1 and _short(stem) else stem
    return word


def _replaced(word: str, rules: tuple[tuple[str, str], ...]) -> str:
    """The first suffix that fits decides, even where the rest is too short to change."""
    for suffix, replacement in rules:
        if word.endswith(suffix):
            stem = word[: -len(suffix)]
            return stem + replacement if _measure(stem) > 0 else word
    return word


def _removed(word: str) -> str:
    for suffix in _FOURTH:
        if word.endswith(suffix):
            kept = 1 if suffix in ("sion", "tion") else 0  # the s or t belongs to the stem
            stem = word[: kept - len(suffix)]
            return stem if _measure(stem) > 1 else word
    return word


def _tidied(word: str) -> str:
    if word.endswith("e"):
        measure = _measure(word[:-1])
        if measure > 1 or (measure == 1 and not _short(word[:-1])):
            word = word[:-1]
    return word[:-1] if word.endswith("ll") and _measure(word) > 1 else word


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """The stem of a lower-cased ``word``; words of one or two characters stay as they are."""
    if len(word) < 3:
        return word
    word = _past(_plurals(word))
    if word.endswith("y") and "v" in _shape(word[:-1]):
        word = word[:-1] + "i"
    return _tidied(_removed(_replaced(_replaced(word, _SECOND), _THIRD)))
