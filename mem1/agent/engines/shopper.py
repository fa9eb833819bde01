"""A shopper by script for generated shops: it knows only what stands in the context.

It reads the instruction, its own last output and the page, as a model would, so that what it
does can be imitated under any context policy that shows the newest turn. It takes the first
product below the price that it has not tried, leaves one that lacks an option that is asked for,
chooses the options, and buys. Its state names what it tried, quotes the page up to the product it
takes, and says of each option whether the page lacks it (missing), offers it (open) or has it
chosen. It quotes word by word, as it stands in the context: copying is what small models learn
first. What is decided (another product tried, the action) comes after what it is decided by.

Its mistakes, with configured probabilities, leave something to learn by reward.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from mem1.agent import protocol
from mem1.agent.engines.base import Output, Sampling, certain
from mem1.agent.text import Codec
from mem1.config_learning import ShopImperfections
from mem1.seeding import stream

_ASKED = re.compile(
    r"Find me (\w+), (\w+) (\w+) with (\w+): (\w+), and (\w+): (\w+)"
    r"(?:, and price lower than (\d+)\.00 dollars)?"
)
_LINK = re.compile(r"\[(\d+-\d+)\][^\[\]]*?\$(\d+)\.0")
_FIRST = "[next >]"  # what stands before the first product
_TRIED = re.compile(r"tried ([\d \-]*\d)")
_NEXT = "click[next >]"
_LEAST = 5  # turns that another product takes: back, click, two options, buy


@dataclass(frozen=True)
class _Asked:
    """What an instruction asks for."""

    request: str  # its beginning
    query: str
    options: tuple[tuple[str, str], ...]
    below: float


def _asked(prompt: str) -> _Asked:
    found = _ASKED.search(prompt)
    if found is None:
        raise ValueError(f"no instruction of a generated shop: {prompt}")
    first, second, kind, name, value, other, choice, price = found.groups()
    options = ((name, value), (other, choice))
    request = f"Find me {first}, {second} {kind}"
    return _Asked(
        request, f"{first} {second} {kind}", options, float(price) if price else float("inf")
    )


def _typed(text: str) -> str:
    """Decoded text as it was before a word-level tokenizer put spaces around every mark."""
    text = re.sub(r"\s*([-\]:,.)])", r"\1", re.sub(r"([\[$(])\s*", r"\1", text))
    text = re.sub(r"\b(search|click) \[", r"\1[", re.sub(r"([-.])\s+(?=\d)", r"\1", text))
    return re.sub(r" >\]", " >]", text)


class ShopperEngine:
    """Answers each context by the rules above; ``seeds`` decide its mistakes."""

    def __init__(self, codec: Codec, imperfections: ShopImperfections) -> None:
        self._codec = codec
        self._imperfections = imperfections

    def generate(
        self, contexts: Sequence[Sequence[int]], sampling: Sampling, seeds: Sequence[int]
    ) -> list[Output]:
        """The next turn of each context; of ``sampling`` only ``max_new_tokens`` matters.

        Raises:
            InputError: a turn has more tokens than that.
        """
        return [
            certain(
                self._turn(self._codec.decode(list(context)), stream(seed, "shopper")),
                self._codec,
                sampling,
            )
            for context, seed in zip(contexts, seeds, strict=True)
        ]

    def _turn(self, context: str, random: Random) -> str:
        prompt, _, rest = context.partition(protocol.THINK)
        asked = _asked(_typed(prompt))
        before, _, page = rest.rpartition(protocol.INFO)
        if not page:
            return _output([], asked.request, f"search[{asked.query}]")
        own = _typed(before.rpartition(protocol.THINK)[2])
        found = _TRIED.search(own)
        tried = found[1].split() if found else []
        left = protocol.turns_left(_hint(page)) or 0
        page = _typed(page)
        if "[buy now]" in page:
            return self._item(asked, page, own, tried, left, random)
        return self._results(asked, page, tried, random)

    def _results(self, asked: _Asked, page: str, tried: list[str], random: Random) -> str:
        """Open a product."""
        quoted = _FIRST
        for match in _LINK.finditer(page):
            quoted = f"{quoted} {match[0]}"
            overlooked = random.random() < self._imperfections.wrong_product
            if match[1] not in tried and float(match[2]) < asked.below and not overlooked:
                return _output(tried, quoted, f"click[{match[1]}]")
        return _output(tried, quoted, _NEXT)

    def _item(
        self, asked: _Asked, page: str, own: str, tried: list[str], left: int, random: Random
    ) -> str:
        """Choose what is asked for and buy, or go back."""
        states = {}
        for name, value in asked.options:
            offered = f"[{value}]" in page
            chosen = re.search(rf"\bchosen {value}\b", page) is not None
            states[name] = "chosen" if chosen else "open" if offered else "missing"
        note = " ".join(f"{name}: {value} {states[name]}" for name, value in asked.options)
        opened = re.search(r"click\[(\d+-\d+)\]", own)
        lacks = opened and "missing" in states.values() and left > _LEAST
        if opened and lacks and random.random() >= self._imperfections.settled:
            return _output([*tried, opened[1]], note, "click[< prev]")
        wanted = [value for name, value in asked.options if states[name] == "open"]
        if wanted and random.random() >= self._imperfections.forgotten_option:
            return _output(tried, note, f"click[{wanted[0]}]")
        return _output(tried, note, "click[buy now]")


def _hint(page: str) -> str:
    """The hint of a decoded info in its own spelling."""
    found = re.search(r"HINT\s*:\s*YOU HAVE\s+(\d+)\s+TURNS LEFT", page)
    return protocol.hint(int(found[1])) if found else ""


def _output(tried: Sequence[str], note: str, action: str) -> str:
    return (
        f"{protocol.THINK} {note} tried {' '.join(tried) or 'none'} {protocol.END_THINK} "
        f"{protocol.ANSWER} {action} {protocol.END_ANSWER}"
    )
