"""Agentic memory after A-MEM (arXiv 2502.12110): q, the notes nearest to the newest turn, the turn.

After each turn a call describes it, and where there are older notes a second one links it to the
nearest of them and may revise what is said about those (``memory.notes``). The notes nearest to
the newest turn, by what it says and what is said about it, are shown as the turns that they keep,
each behind its description, oldest first.

Departures from A-MEM and from the paper's baseline: the questions always stand in the context (the
official code loses them after the first turn); what a turn said is shown as the ids it had; the
number of notes, what is said about one and the decision on links have budgets
(``agent.memory``); requests and JSON are in our words.

A note whose call is malformed, which is what a model of a million parameters makes of every such
request, is the turn alone: it is not linked, and costs no second call. The record of the call says
so (``Call.malformed``).
"""

from collections.abc import Sequence
from typing import Any

from mem1.agent.context import Ask, Recall
from mem1.agent.formats.base import Format
from mem1.agent.memory.base import Block, MemoryPolicy, ids_of
from mem1.agent.memory.nearest import Index, Vectors, Words
from mem1.agent.memory.notes import (
    EVOLVE,
    NOTE,
    Note,
    evolved,
    read_description,
    read_evolution,
    recalled,
    remembered,
)
from mem1.agent.text import Codec
from mem1.config import Agent
from mem1.records import Turn

_DESCRIBE = """Do not go on with the task yet: describe your newest step for a file of notes, so \
that it can be found again. Write one JSON object between <note> and </note>, and nothing else:
<note> {"keywords": ["the names and terms that matter most", "three or more"], "context": "one \
sentence on what the step was about and what it found", "tags": ["kinds of things it is about", \
"three or more"]} </note>"""
_DECIDE = """Do not go on with the task yet: put the note on your newest step, which stands last \
above, in order with the older notes above it. Write one JSON object between <evolution> and \
</evolution>, and nothing else:
<evolution> {"links": [numbers of the older notes that belong with it], "tags": ["its tags, better \
ones if you know them now"], "revisions": [{"note": number of an older note that is to be seen in \
another light now, "context": "what it is about", "tags": ["its tags"]}]} </evolution>
Links and revisions may be empty."""


class AMem(MemoryPolicy):
    """The prompt, notes on older turns, the newest turn."""

    name = "amem"

    def __init__(self, agent: Agent, codec: Codec, form: Format) -> None:
        super().__init__(agent, codec, form)
        limits = self._limits
        self._index: Index = Words() if limits.encoder is None else Vectors(limits.encoder)
        self._block = Block(codec, "\n<note>\n", "\n</note>\n", limits.note_tokens)
        self._describe, self._decide = self._message(_DESCRIBE), self._message(_DECIDE)

    @property
    def facts(self) -> dict[str, Any]:
        """What makes the vectors of notes."""
        return {"notes_found_by": self._index.name}

    def longest(self, prompt: int, turns: int) -> int:
        """The notes, a turn and an output behind the prompt, or a call."""
        limits, turn = self._limits, self._longest_turn
        seen = prompt + limits.notes * (turn + self._block.longest) + turn
        note = prompt + turn + len(self._describe) + limits.note_tokens
        evolve = seen + self._block.longest + len(self._decide) + limits.evolve_tokens
        return max(seen + self._agent.max_new_tokens, note, evolve)

    def recall(self, prompt: Sequence[int], turns: Sequence[Turn]) -> Recall:
        """Note the newest turn, link it, and look up what belongs with it."""
        if not turns:
            return [*prompt]
        turn, limits = ids_of(turns[-1]), self._limits
        described = yield Ask(
            NOTE,
            [*prompt, *turn, *self._describe],
            ("</note>",),
            limits.note_tokens,
            read_description,
        )
        notes = remembered(turns)
        note = Note(len(turns), turns[-1], described)
        if notes and described is not None:
            shown = self._shown(self._near(note, notes))
            decided = yield Ask(
                EVOLVE,
                [*prompt, *shown, *turn, *self._header(note), *self._decide],
                ("</evolution>",),
                limits.evolve_tokens,
                read_evolution,
            )
            notes = evolved(notes, note, decided)
            note = notes.pop(note.number)
        ranked = [*note.links, *(one.number for one in self._near(note, notes))]
        return [*prompt, *self._shown(recalled(ranked, notes, limits.notes)), *turn]

    def _near(self, note: Note, notes: dict[int, Note]) -> list[Note]:
        """The notes nearest to ``note``, nearest first."""
        older = list(notes.values())
        places = self._index.nearest(note.text, [one.text for one in older], self._limits.notes)
        return [older[place] for place in places]

    def _shown(self, notes: Sequence[Note]) -> list[int]:
        return [i for note in notes for i in [*self._header(note), *ids_of(note.turn)]]

    def _header(self, note: Note) -> list[int]:
        """What is said about a note; nothing if it is the turn alone."""
        about = note.description
        if about is None:
            return []
        lines = [
            f"My note {note.number}: {about.context}",
            f"Keywords: {', '.join(about.keywords)}",
            f"Tags: {', '.join(about.tags)}",
            f"Belongs with: {', '.join(map(str, note.links)) or 'none'}",
        ]
        return self._block.ids("\n".join(map(self._clean, lines)))
