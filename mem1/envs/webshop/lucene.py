"""Text to terms, as Lucene's English analyzer makes them: the one the original's index has.

A word is what Unicode's rules for word boundaries (UAX 29) leave whole: letters and digits,
joined by ``_``; ``.`` ``:`` and apostrophes join letters, ``.`` ``,`` ``;`` and apostrophes join
digits. A Chinese character, a hiragana sign and an emoji are words of their own. Then a
possessive 's goes, 33 stop words go, and the rest is stemmed.

On the 1000-product catalogue this gives the length of every document, and the number of terms,
that the original's index has. The pictographs are those of Unicode 14: 15.1 took 707 away,
★ among them, which Lucene still counts.
"""

import regex

from mem1.envs.webshop.porter import stem

LONGEST = 255  # characters; Lucene cuts longer words into pieces of this length
_STOP_WORDS = """
    a an and are as at be but by for if in into is it no not of on or such that the their then
    there these they this to was will with
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
_POSSESSIVE = ("'s", "\u2019s", "\uff07s")

_PICTOGRAPHS = (  # Extended_Pictographic of Unicode 14, hexadecimal
    "A9 AE 203C 2049 2122 2139 2194-2199 21A9-21AA 231A-231B 2328 2388 23CF 23E9-23F3 23F8-23FA "
    "24C2 25AA-25AB 25B6 25C0 25FB-25FE 2600-2605 2607-2612 2614-2685 2690-2705 2708-2712 2714 "
    "2716 271D 2721 2728 2733-2734 2744 2747 274C 274E 2753-2755 2757 2763-2767 2795-2797 27A1 "
    "27B0 27BF 2934-2935 2B05-2B07 2B1B-2B1C 2B50 2B55 3030 303D 3297 3299 1F000-1F0FF "
    "1F10D-1F10F 1F12F 1F16C-1F171 1F17E-1F17F 1F18E 1F191-1F19A 1F1AD-1F1E5 1F201-1F20F 1F21A "
    "1F22F 1F232-1F23A 1F23C-1F23F 1F249-1F3FA 1F400-1F53D 1F546-1F64F 1F680-1F6FF 1F774-1F77F "
    "1F7D5-1F7FF 1F80C-1F80F 1F848-1F84F 1F85A-1F85F 1F888-1F88F 1F8AE-1F8FF 1F90C-1F93A "
    "1F93C-1F945 1F947-1FAFF 1FC00-1FFFD"
)


def _characters(ranges: str) -> str:
    """The inside of a character class for ranges like ``A9 2194-2199``."""
    pairs = (part.split("-") for part in ranges.split())
    return "".join("-".join(chr(int(end, 16)) for end in pair) for pair in pairs)


def _leading(one: str) -> str:
    """As many of ``one`` as there are, or none, at the beginning of a word.

    From the middle of a run nothing would match that has not matched from its beginning: to try
    all the same would take quadratic time.
    """
    return rf"(?:(?={one})(?:\G|(?<!{one})){one}++)?"


def _words() -> regex.Pattern[str]:
    """A pattern that matches one word. Marks and joiners belong to what they follow."""
    marks = r"[\p{WB=Format}\p{WB=Extend}\p{WB=ZWJ}]*"

    def one(inside: str) -> str:
        return f"(?:[{inside}]{marks})"

    letters, digits = r"\p{WB=ALetter}\p{WB=Hebrew_Letter}", r"\p{WB=Numeric}\uFF10-\uFF19"
    hebrew, katakana = r"\p{WB=Hebrew_Letter}", one(r"\p{WB=Katakana}")
    in_word = one(r"\p{WB=MidLetter}\p{WB=MidNumLet}\p{WB=Single_Quote}")
    in_number = one(r"\p{WB=MidNum}\p{WB=MidNumLet}\p{WB=Single_Quote}")
    underscore = one(r"\p{WB=ExtendNumLet}")
    run = "|".join(
        (
            rf"{one(hebrew)}{one(chr(34))}(?=[{hebrew}])",
            rf"{one(hebrew)}{one(chr(39))}",
            f"{one(letters)}(?:{in_word}(?=[{letters}]))?",
            f"{one(digits)}(?:{in_number}(?=[{digits}]))?",
        )
    )
    part = f"(?:{katakana}+|(?:{run})+)"
    word = f"{_leading(underscore)}{part}(?:{underscore}++{part})*{underscore}*"

    # A joiner before an emoji joins two emoji, so it is no mark of the first.
    plain = r"(?:[[\p{WB=Format}\p{WB=Extend}\p{WB=ZWJ}]--[\uFE0E\uFE0F]](?!(?<=\u200D)\p{Emoji}))*"

    def single(joiners: str) -> str:
        picture = rf"{joiners}[{_characters(_PICTOGRAPHS)}]{plain}\uFE0F?"
        toned = rf"(?:{joiners}\p{{Emoji_Modifier_Base}}{plain})?\p{{Emoji_Modifier}}{plain}"
        return f"(?:{picture}|{toned})"

    tags = r"[\U000E0020-\U000E007E]+\U000E007F"
    joiner = r"\u200D"
    emoji = rf"{single(_leading(joiner))}(?:{tags}|(?:{joiner}{single(f'{joiner}*')})*)"
    keycap = rf"[0-9#*]{plain}\uFE0F?\u20E3{plain}"
    flag = rf"(?:\p{{Regional_Indicator}}{marks}){{2}}"

    thai = rf"(?:\p{{Line_Break=SA}}{marks})+"
    signs = rf"\p{{Script=Han}}{marks}|\p{{Script=Hiragana}}{marks}"
    return regex.compile("|".join((word, emoji, keycap, flag, thai, signs)), regex.V1)


_WORDS = _words()


def words(text: str) -> list[str]:
    """The words of ``text``, as they stand in it."""
    return [
        word[start : start + LONGEST]
        for word in _WORDS.findall(text)
        for start in range(0, len(word), LONGEST)
    ]


def analyze(text: str) -> list[str]:
    """The terms of ``text``, in order and as often as they occur."""
    terms = []
    for word in words(text):
        lower = word.lower()
        if lower.endswith(_POSSESSIVE):
            lower = lower[:-2]
        if lower not in STOP_WORDS:
            terms.append(stem(lower))
    return terms
