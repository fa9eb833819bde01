"""The forms of shoppers: an instruction in place of questions, an action as the answer.

An output is ``<think> state </think> <answer> search[words] </answer>``, or ``click[button]``
there; an info is the hint and the page. ``shop`` tells the agent in two sentences that its state
is its memory, ``shop-full`` that its history stays in sight; ``shop-instruct`` has the structure
of the paper's prompt for WebShop, for real models.

Departures from the paper: one block, ``<think>``, is both reasoning and memory, as for questions,
where its prompt for WebShop has a block ``<summary>`` as well; an action that is none costs a turn,
where its code ends the trajectory with -1.
"""

from collections.abc import Sequence

from mem1.agent import protocol
from mem1.agent.formats.base import Format, Result
from mem1.agent.protocol import Action, PromptKind
from mem1.agent.text import Codec
from mem1.config_systems import PromptFormat
from mem1.envs.webshop import generate
from mem1.records import Task
from mem1.tasks.atlas_schema import pools
from mem1.tasks.tokenizer import atlas_vocabulary, pieces

CORRECTION = "Malformed: think, then answer with one action."
REFUSED = "Not possible here."  # what stands before the page again
WORDS = "tried none open missing"  # of states, beside those of pages


class _Shopping(Format):
    """What the forms of shoppers share."""

    refused = REFUSED  # what follows an action that the page does not take
    nothing_found = ""

    def info(self, turns_left: int, results: Sequence[Result]) -> str:
        """Shops have pages and no passages."""
        raise NotImplementedError("a shop shows pages: use notice")

    def parse(self, text: str) -> Action:
        """The action in one output. Never raises."""
        return _acting(protocol.parse(text))


def _acting(action: Action) -> Action:
    """``action`` where answers are what is done, and there is nothing to search but the shop."""
    if action.kind == "answer":
        return Action("act", action.argument, action.state)
    if action.kind == "search":
        return Action("malformed", "an action stands in <answer>", action.state)
    return action


class ShopShort(_Shopping):
    """Form ``shop`` or ``shop-full``: no chat template."""

    correction = CORRECTION

    def __init__(self, name: PromptFormat, rule: str) -> None:
        self.name = name
        self._rule = rule

    def prompt(self, task: Task, codec: Codec) -> list[int]:
        """The ids of the prompt as it is, whatever template the tokenizer has."""
        return codec.encode(self.request([_instruction(task, codec)], task.first))

    def request(self, questions: Sequence[str], first: int) -> str:
        """What to do, and the instruction."""
        return f"Buy what is asked for. {self._rule} {questions[0]} ."

    def notice(self, turns_left: int, sentence: str) -> str:
        """The hint and ``sentence``."""
        parts = [protocol.INFO, protocol.hint(turns_left), sentence, protocol.END_INFO]
        return " ".join(part for part in parts if part)


SHOP: dict[PromptKind, ShopShort] = {
    "mem1": ShopShort("shop", "Only your last notes stay."),
    "full": ShopShort("shop-full", "All your notes stay."),
}


def vocabulary() -> list[str]:
    """Every word that prompts, compact pages, hints and states can hold, at the place of its id.

    The vocabulary of Atlas with other words in the places of names: all words of pages but marks
    and digits, and whatever else Atlas does not have. So a model that was trained on Atlas knows
    the forms of turns, and the shop's words as words that are found and copied.
    """
    prompts = [form.request([""], 1) for form in SHOP.values()]
    said = pieces([*prompts, CORRECTION, REFUSED, protocol.hint(1), WORDS])
    shown = pieces(generate.vocabulary())
    known = dict.fromkeys(atlas_vocabulary())
    first, last = pools()
    places = [name for pool in (*first.values(), last) for name in pool]
    renamed = [word for word in said if word not in known]
    renamed += [word for word in shown if word.isalnum() and len(word) > 1 and word not in renamed]
    renamed += [word for word in shown if word not in known and word not in renamed]
    if len(renamed) > len(places):
        raise ValueError(f"{len(renamed)} words of the shop for {len(places)} names of Atlas")
    moved = {word: f"{word}_" for word in renamed if word in known}  # their own places stay empty
    taken = dict(zip(places, renamed, strict=False))
    return [taken.get(word, moved.get(word, word)) for word in known]


_TASK = """You are shopping on a website. You are given an instruction, and you reach the product \
that fits it best by searching, by clicking, and in the end by buying.

There are two kinds of actions:
- search[words] looks for products, wherever there is a search bar;
- click[button] presses a button of the page, opens a product or chooses an option; its text must \
be that of something on the page.

At each step you see the instruction, your last summary with the action you chose, and the page \
that it led to, between <information> and </information>, with the actions that are possible there.

At each step, do this:
1. Reason about the page, and write a new, complete and concise summary between <think> and \
</think>. It is your only lasting memory of earlier pages: keep which products you have looked at, \
how well they fit, and which options are chosen.
2. Then write one action between <answer> and </answer>.

Rules:
- Each step is <think> ... </think> <answer> ... </answer>, and nothing else.
- Never write <information> yourself.
- An action that the page does not have changes nothing and costs a turn.
- Choose the options that the instruction asks for, then click[buy now]. That ends the task.
- Each page says how many turns you have left: buy before they are used up.

The shop opens with its search bar.

Instruction: {instruction}
"""


class ShopInstruct(_Shopping):
    """Form ``shop-instruct``."""

    name = "shop-instruct"
    correction = (
        "That was no valid step. Write <think> and your summary, and then one action in <answer>, "
        "each with its closing tag."
    )
    refused = "This action is not possible on this page, which is shown again."

    def prompt(self, task: Task, codec: Codec) -> list[int]:
        """The ids of the instruction, as a message of the user."""
        return codec.chat(self.request([_instruction(task, codec)], task.first), self.system)

    def request(self, questions: Sequence[str], first: int) -> str:
        """What to do, and the instruction."""
        return _TASK.format(instruction=questions[0])

    def parse(self, text: str) -> Action:
        """The first whole answer, whatever stands around it."""
        return _acting(protocol.parse_loosely(text))

    def notice(self, turns_left: int, sentence: str) -> str:
        """The hint, and ``sentence`` on lines of its own."""
        return f"\n{protocol.INFO}\n{protocol.hint(turns_left)}\n{sentence}\n{protocol.END_INFO}\n"


def _instruction(task: Task, codec: Codec) -> str:
    if task.goal is None:
        raise ValueError(f"task {task.id} has no goal")
    return protocol.neutralize(codec.plain(task.goal.instruction))
