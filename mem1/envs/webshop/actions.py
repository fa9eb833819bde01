"""Action strings: ``search[words]`` and ``click[button]``, as the original reads them."""

from collections.abc import Iterable
from typing import Literal, NamedTuple


class Action(NamedTuple):
    """What an action string asks for; the argument is lower-cased."""

    kind: Literal["search", "click", "none"]
    argument: str = ""


NOTHING = Action("none")


def parse(text: str) -> Action:
    """The action in ``text``; anything that is none asks for nothing.

    The original matches a name, ``[``, an argument and ``]`` at the start of the text with a
    pattern that takes quadratic time for a line of brackets; this finds the same in linear
    time. So text behind the last ``]`` of the first line is ignored, and an argument holds no
    ``[``.
    """
    line = text.partition("\n")[0]
    end = line.rfind("]")
    start = line.rfind("[", 1, max(end - 1, 0))
    kind = line[:start]
    if start < 1 or kind not in ("search", "click"):
        return NOTHING
    argument = line[start + 1 : end].lower()
    return Action("search", argument) if kind == "search" else Action("click", argument)


def without_spaces(text: str, labels: Iterable[str]) -> str:
    """The action that ``text`` means where spaces do not count.

    ``click [ x - large ]`` is what a word-level tokenizer makes of ``click[x-large]``: the label
    among ``labels`` with the same characters is meant. What fits none is returned as it is.
    """
    name, _, rest = text.partition("[")
    argument, end, _ = rest.rpartition("]")
    if not end:
        return text
    kind, argument = name.strip(), argument.strip()
    wanted = "".join(argument.lower().split())
    same = (label for label in labels if "".join(label.split()) == wanted)
    return f"{kind}[{next(same, argument) if kind == 'click' else argument}]"
