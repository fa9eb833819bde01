"""Tags on one side, typed turns on the other.

An output is ``<think> internal state </think>`` followed by either ``<search> query
</search>`` or ``<answer> a1 ; a2 </answer>`` (paper, section 3.1; tags as in the official
prompts). Agents of others have forms of their own (``agent.formats``). Retrieved text is data:
it is neutralized here, for all forms alike, before the agent sees it.

Departures from the paper: one hint wording for training and evaluation (the official code
has two), short prompts in our own words, and malformed outputs cost a turn instead of
being repaired.
"""

import re
from dataclasses import dataclass
from typing import Literal

from mem1.agent.disguise import suspect, unmasked

THINK, END_THINK = "<think>", "</think>"
SEARCH, END_SEARCH = "<search>", "</search>"
ANSWER, END_ANSWER = "<answer>", "</answer>"
INFO, END_INFO = "<information>", "</information>"
TAGS = (THINK, END_THINK, SEARCH, END_SEARCH, ANSWER, END_ANSWER, INFO, END_INFO)
STOP = (END_SEARCH, END_ANSWER)

ActionKind = Literal["search", "answer", "act", "malformed"]
PromptKind = Literal["mem1", "full"]

_OUTPUT = re.compile(
    r"\s*<think>(?P<state>.*?)</think>\s*"
    r"(?:<search>(?P<query>.*?)</search>|<answer>(?P<answer>.*?)</answer>)",
    re.DOTALL,
)
_NAMES = (  # of the tags of all forms, of what memories and requests stand between, and of chats
    "think|search|answer|information|tool_call|tool_response|tools|memory|summary|note|evolution"
    "|s|bos|eos|pad|unk|sys|start_of_turn|end_of_turn"
)
_MARKS = re.compile(  # in lower case; what is replaced are the groups `open` and `close`
    rf"(?P<open><)\s*/?\s*(?:{_NAMES})\s*/?\s*(?P<close>>)"
    rf"|(?P<unclosed><)/?(?:{_NAMES})\b"  # with attributes, or closed in another passage
    r"|(?P<chat><)\|[^<>|\n]{1,40}\|(?P<end>>)"  # <|im_end|> and the like, whatever the tokenizer
    r"|(?P<square>\[)\s*/?\s*(?:hint|inst\b)"
)
_HARMLESS = {"<": "(", ">": ")", "[": "("}
_BLOCK = re.compile(r"<(search|answer)>(.*?)</\1>", re.DOTALL)
_STATE = re.compile(r"<think>(.*?)</think>", re.DOTALL)
_LEFT = re.compile(r"\[HINT: YOU HAVE (\d+) TURNS LEFT\]")


@dataclass(frozen=True)
class Action:
    """What an output asks for. A malformed output is an action too, not an exception."""

    kind: ActionKind
    argument: str  # the query, the answer text, what is done, or what is wrong with the output
    state: str = ""  # the internal state
    queries: tuple[str, ...] = ()  # of a search for several things at once

    @property
    def searches(self) -> tuple[str, ...]:
        """What a search looks for."""
        return self.queries or (self.argument,)


def parse(text: str) -> Action:
    """The action in one model output, ``text`` (decoded, up to its first closing tag)."""
    match = _OUTPUT.fullmatch(text.rstrip())
    if match is None:
        return Action("malformed", "the output must be <think> and then <search> or <answer>")
    kind: ActionKind = "search" if match["query"] is not None else "answer"
    argument = (match["query"] if kind == "search" else match["answer"]).strip()
    state = match["state"].strip()
    if any(tag in part for tag in TAGS for part in (argument, state)):
        return Action("malformed", "a tag stands inside another", state)
    if not argument:
        return Action("malformed", f"the {kind} is empty", state)
    return Action(kind, argument, state)


def parse_loosely(text: str) -> Action:
    """The first whole ``<search>`` or ``<answer>`` in ``text``, whatever stands around it.

    For models that were not trained here: an output without ``<think>`` is an action too.
    """
    state = _STATE.search(text)
    kept = state[1].strip() if state else ""
    block = _BLOCK.search(text)
    if block is None:
        return Action("malformed", "there is no whole <search> or <answer>", kept)
    kind: ActionKind = "search" if block[1] == "search" else "answer"
    argument = block[2].strip()
    if not argument:
        return Action("malformed", f"the {kind} is empty", kept)
    return Action(kind, argument, kept)


def split_answers(text: str) -> list[str]:
    """The sub-answers of an answer block, separated by semicolons (paper, section 3.3)."""
    return [part.strip() for part in text.split(";")]


def neutralize(text: str) -> str:
    """``text`` with everything that could act as a tag or a hint made harmless.

    ``</information>`` becomes ``(/information)``, ``<|im_end|>`` becomes ``(|im_end|)`` and
    ``[HINT`` becomes ``(HINT``: readable, and no longer able to close a block or to speak as the
    agent, the user or the environment. The same holds for what only looks like a tag
    (``agent.disguise``).
    """
    while suspect(text):  # removing one tag may join the halves of another
        seen, places = unmasked(text)
        found = [
            match.start(name)
            for match in _MARKS.finditer(seen)
            for name, group in match.groupdict().items()
            if group is not None
        ]
        if not found:
            break
        for at in sorted(found, reverse=True):
            start, end = places[at]
            text = f"{text[:start]}{_HARMLESS[seen[at]]}{text[end:]}"
    return text


def hint(turns_left: int) -> str:
    """The line at the start of every info (paper, section 3.1)."""
    return f"[HINT: YOU HAVE {turns_left} TURNS LEFT]"


def turns_left(info: str) -> int | None:
    """What the hint in ``info`` says; None without one. No page can write a hint."""
    found = _LEFT.search(info)
    return int(found[1]) if found else None


CORRECTION = "Malformed: think, then search or answer."  # the info after a malformed output
NOTHING_FOUND = "No page found."  # the info of a search without a result


def label(number: int) -> str:
    """The name of a question in the prompt and in states."""
    return f"Q{number}"


def prompt_text(questions: list[str], kind: PromptKind, first: int = 1) -> str:
    """The task prompt: what to do, then the numbered questions, joined by semicolons.

    The wording tells the agent whether its state is its memory (``mem1``) or its history
    stays in sight (``full``); small models tell the two apart by it. Numbers start at
    ``first``.
    """
    rule = {"mem1": "Only your last notes stay.", "full": "All your notes stay."}[kind]
    span = f"{label(first)} to {label(first + len(questions) - 1)}"
    joined = " ; ".join(
        f"{label(number)}: {neutralize(question)}"
        for number, question in enumerate(questions, start=first)
    )
    return f"Answer {span}. {rule} {joined} ."
