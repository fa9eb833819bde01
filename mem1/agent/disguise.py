"""What a text looks like: look-alikes, accents, invisible characters and entities taken away.

``<`` has relatives (``＜``, ``‹``, ``&lt;``) that tokenizers turn into it when they normalize, and
that readers take for it. Marks are therefore looked for in what a text looks like, and removed
where they stand in the text itself. The letters are those that names of tags are commonly forged
with, not all that Unicode has: no parser here accepts a forged name, so a gap in the table can
mislead a model but not the loop.
"""

import html
import re
import unicodedata
from functools import lru_cache
from itertools import pairwise

_ANGLES = (
    "\u2039\u3008\u3008\u27e8\u276e\u276c\u2770\u29fc\u02c2\u1438\u15d5",
    "\u203a\u3009\u3009\u27e9\u276f\u276d\u2771\u29fd\u02c3\u1433\u15d2",
)
_SQUARES = (
    "\u3010\u3014\u3016\u27e6\u27ec\u2045\u2772\u301a",
    "\u3011\u3015\u3017\u27e7\u27ed\u2046\u2773\u301b",
)
_SLASHES, _BARS = "\u2044\u2215\u29f8\u2571\u27cb", "\u2223\u01c0\u2502\u2503\u2758\u2759"
_LETTERS = (  # as they look, in their own case
    (
        "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0455\u0458\u04bb\u0501\u0578\u04cf\u043a\u0442",
        "aeopcyxisjhdnlkt",
    ),  # Cyrillic, and one of Armenian
    (
        "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0406\u0405\u0408",
        "ABEKMHOPCTYXISJ",
    ),
    ("\u03b1\u03bf\u03b9\u03ba\u03c1\u03b7\u03c5", "aoikpnu"),  # Greek
    (
        "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7",
        "ABEZHIKMNOPTYX",
    ),
    (
        "\u0251\u0131\u1d00\u1d04\u1d05\u1d07\u029c\u026a\u1d0b\u029f\u1d0d\u0274\u1d0f\u1d18\u0280\ua731\u1d1b\u1d1c\u1d21\u028f",
        "aiacdehiklmnoprstuwy",
    ),  # small capitals and the like
)
_LOOKS = {
    **dict.fromkeys(_ANGLES[0], "<"),
    **dict.fromkeys(_ANGLES[1], ">"),
    **dict.fromkeys(_SQUARES[0], "["),
    **dict.fromkeys(_SQUARES[1], "]"),
    **dict.fromkeys(_SLASHES, "/"),
    **dict.fromkeys(_BARS, "|"),
}
for _forged, _real in _LETTERS:
    _LOOKS |= dict(zip(_forged, _real, strict=True))

_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,8});?")
_PLAIN = re.compile(r"[\t-\r -%'-~]*")  # ASCII that can be seen, without entities
_OPENING = "<[&\ufe64\uff1c\u226e\uff3b\ufe47" + _ANGLES[0] + _SQUARES[0]
_SUSPECT = re.compile(f"[{re.escape(_OPENING)}]")


def suspect(text: str) -> bool:
    """Whether anything in ``text`` looks like an opening bracket, or may be an entity."""
    return _SUSPECT.search(text) is not None


@lru_cache(maxsize=4096)
def _look(character: str) -> str:
    """What one character looks like, in lower case; nothing if it cannot be seen."""
    found = []
    for part in unicodedata.normalize("NFKD", character):
        kind = unicodedata.category(part)
        if kind in ("Mn", "Me", "Cf") or (kind == "Cc" and not part.isspace()):
            continue
        found.append(_LOOKS.get(part, part).lower())
    return "".join(found)


def unmasked(text: str) -> tuple[str, list[tuple[int, int]]]:
    """What ``text`` looks like, and for each character of that its (start, end) in ``text``."""
    if _PLAIN.fullmatch(text):
        return text.lower(), list(pairwise(range(len(text) + 1)))
    looks: list[str] = []
    places: list[tuple[int, int]] = []
    end = 0
    for entity in [*_ENTITY.finditer(text), None]:
        start = len(text) if entity is None else entity.start()
        for at in range(end, start):
            look = _look(text[at])
            looks.append(look)
            places += [(at, at + 1)] * len(look)
        if entity is not None:
            end = entity.end()
            look = "".join(map(_look, html.unescape(entity[0])))
            looks.append(look)
            places += [entity.span()] * len(look)
    return "".join(looks), places
