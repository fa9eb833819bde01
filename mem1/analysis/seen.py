"""What the model saw at each turn, as pieces of its own history, and what was dropped.

A context is recorded as token ids. Read from its end it is taken apart into the task prompt,
outputs and infos of earlier turns, and text that is none of these (a summary, memories). So
one sees what a context policy kept, whatever the policy, without asking it.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from mem1.agent import protocol
from mem1.agent.text import Codec
from mem1.records import Trajectory, Turn

Decode = Callable[[Sequence[int]], str]
PieceKind = Literal["prompt", "output", "info", "other"]
_STATE = re.compile(
    rf"^(?P<before>.*?{protocol.THINK}\s*)(?P<state>.*?)"
    rf"(?P<after>\s*(?:{protocol.END_THINK}.*)?)$",
    re.DOTALL,
)
# ASCII white space alone, so that a browser splits a text into the same words.
_WORD = re.compile(r"[^ \t\r\n]+[ \t\r\n]*|^[ \t\r\n]+")


@dataclass(frozen=True)
class Piece:
    """A part of a context."""

    kind: PieceKind  # other: neither the prompt nor what a turn left
    turn: int  # index of the turn it is from; of the first turn that saw it for other; 0 for prompt
    tokens: int


@dataclass(frozen=True)
class View:
    """One turn's context, and what the turn before still had and this one has not."""

    context: tuple[Piece, ...]
    dropped: tuple[Piece, ...]


def pieces(
    prompt: Sequence[int], turns: Sequence[Turn], context: Sequence[int]
) -> tuple[list[Piece], list[int]]:
    """``context`` as pieces of ``prompt`` and of the earlier ``turns``, in its order.

    The newest turns stand last under every policy, so that repeated outputs are told apart by
    reading from the end. Returns the pieces and the ids of the one of kind other (empty if
    there is none; its ``turn`` is ``len(turns)``).
    """
    start = len(prompt) if list(context[: len(prompt)]) == list(prompt) else 0
    end, found = len(context), []
    for number in range(len(turns) - 1, -1, -1):
        parts: list[tuple[PieceKind, list[int]]] = [
            ("info", turns[number].info),
            ("output", turns[number].output),
        ]
        for kind, ids in parts:
            size = len(ids)
            if size and end - size >= start and list(context[end - size : end]) == ids:
                found.append(Piece(kind, number, size))
                end -= size
    other = list(context[start:end])
    if other:
        found.append(Piece("other", len(turns), len(other)))
    if start:
        found.append(Piece("prompt", 0, start))
    return found[::-1], other


def views(trajectory: Trajectory) -> list[View]:
    """The view of each turn of ``trajectory``."""
    seen: list[View] = []
    kept: list[Piece] = []  # what the turn before saw, and what came of it
    others: dict[tuple[int, ...], int] = {}  # ids of such a piece -> first turn that saw it
    for number, turn in enumerate(trajectory.turns):
        found, other = pieces(trajectory.prompt, trajectory.turns[:number], turn.context)
        first = others.setdefault(tuple(other), number) if other else number
        context = [Piece("other", first, p.tokens) if p.kind == "other" else p for p in found]
        now = set(context)
        seen.append(View(tuple(context), tuple(p for p in kept if p not in now)))
        kept = context + [Piece("output", number, len(turn.output))] * bool(turn.output)
        kept += [Piece("info", number, len(turn.info))] * bool(turn.info)
    return seen


def decoder(codecs: Iterable[Codec], trajectory: Trajectory) -> Decode | None:
    """The first of ``codecs`` that ``trajectory`` was made with, as far as its first turn tells.

    White space does not count, and the recorded text may end within the last token.
    """
    for turn in trajectory.turns[:1]:
        text = "".join(turn.text.split())
        for codec in codecs:
            known = all(0 <= token < codec.size for token in turn.context + turn.output)
            if known and "".join(codec.decode(turn.output).split()).startswith(text):
                return codec.decode
    return None


def full_history(trajectory: Trajectory) -> list[int]:
    """Tokens of each turn's sequence if nothing had been dropped: same outputs, same infos.

    The sequence of a turn is its context and its output, as in the metric ``peak``. Calls
    beside the turns are not part of it.
    """
    sizes, history = [], len(trajectory.prompt)
    for turn in trajectory.turns:
        sizes.append(history + len(turn.output))
        history += len(turn.output) + len(turn.info)
    return sizes


def split_state(text: str) -> tuple[str, str, str]:
    """An output as (before, internal state, after), which joined give ``text`` again.

    The state is what stands in ``<think>``, to the end where that is never closed; empty in
    an output without it.
    """
    match = _STATE.match(text)
    return (match["before"], match["state"], match["after"]) if match else ("", "", text)


def words(text: str) -> list[str]:
    """``text`` in words, each with the white space behind it; joined they give ``text``."""
    return _WORD.findall(text)


def changes(old: str, new: str) -> list[tuple[Literal["=", "-", "+"], int]]:
    """How the words of ``old`` become those of ``new``: runs of kept, removed and added words.

    White space does not count. Kept and added words make up ``new``, kept and removed ones
    ``old``.
    """
    before, after = ([word.strip(" \t\r\n") for word in words(text)] for text in (old, new))
    runs: list[tuple[Literal["=", "-", "+"], int]] = []
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for tag, i, i_end, j, j_end in matcher.get_opcodes():
        if tag == "equal":
            runs.append(("=", j_end - j))
            continue
        if i_end > i:
            runs.append(("-", i_end - i))
        if j_end > j:
            runs.append(("+", j_end - j))
    return runs
