"""What the shop shows: a page is a list of nodes, which reads as text and says what to click.

Nodes are the visible pieces of text of the original's HTML, in order. Of its observation modes
there are ``text`` (pieces joined by [SEP]; a chosen option cannot be seen) and ``text_rich``
(a line each, buttons marked); ``compact`` is ours: no instruction, clickables in square
brackets as they are typed, chosen options at the end of their line.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from mem1.envs.webshop.catalogue import Product
from mem1.envs.webshop.reward import Reward

Mode = Literal["text", "text_rich", "compact"]
MODES: tuple[Mode, ...] = ("text", "text_rich", "compact")
NodeKind = Literal["instruction", "text", "button", "link", "option"]
SubPage = Literal["Description", "Features", "Reviews", "Attributes"]
SUB_PAGES: tuple[SubPage, ...] = ("Description", "Features", "Reviews", "Attributes")

SEARCH, BACK, PREVIOUS, NEXT, BUY = "Search", "Back to Search", "< Prev", "Next >", "Buy Now"
RATING = "Rating: N.A."


class Node(NamedTuple):
    """A visible piece of text. ``chosen``: an option that was clicked, a link that was visited."""

    kind: NodeKind
    text: str
    chosen: bool = False
    option: str = ""  # name of the option whose value this is


Page = Sequence[Node]
_SEARCH_BUTTON = Node("button", SEARCH)


def _text(*pieces: str) -> list[Node]:
    """Pieces as the original's HTML parser keeps them: nothing and blank lines are none."""
    return [
        Node("text", piece) for piece in pieces if piece.strip() or (piece and "\n" not in piece)
    ]


def _buttons(*labels: str) -> list[Node]:
    return [Node("button", label) for label in labels]


def _asked(instruction: str, label: str = "Instruction:") -> list[Node]:
    return [Node("instruction", label), Node("instruction", instruction)]


def search_page(instruction: str) -> Page:
    """Where an episode starts."""
    return [*_text("WebShop"), *_asked(instruction, "Instruction: "), *_buttons(SEARCH)]


def results_page(
    instruction: str, number: int, total: int, products: Iterable[Product], visited: frozenset[str]
) -> Page:
    """Page ``number`` (from 1) of ``total`` hits. It offers a next page even past the end."""
    nodes = [*_asked(instruction), *_buttons(BACK)]
    nodes += _text(f"Page {number} (Total results: {total})")
    nodes += _buttons(PREVIOUS, NEXT) if number > 1 else _buttons(NEXT)
    for product in products:
        nodes.append(Node("link", product.asin, product.asin in visited))
        nodes += _text(product.title, product.price_tag)
    return nodes


def item_page(
    instruction: str, product: Product, address: str, show_attributes: bool = False
) -> Page:
    """A product with its options; one is shown as chosen if ``address`` has it in quotes."""
    nodes = [*_asked(instruction), *_buttons(BACK, PREVIOUS)]
    for name, values in product.options:
        nodes += _text(name)
        nodes += [Node("option", value, f'"{value}"' in address, name) for value in values if value]
    nodes += _text(product.title, f"Price: {product.price_tag}", RATING)
    shown = SUB_PAGES if show_attributes else SUB_PAGES[:3]
    return [*nodes, *_buttons(*shown, BUY)]


def item_address(keywords: str, page: int, options: Sequence[tuple[str, str]]) -> str:
    """What the address of an item page says of search and options."""
    return f"{'+'.join(keywords.split(' '))}/{page}/{json.dumps(dict(options))}"


def sub_page(instruction: str, product: Product, name: SubPage) -> Page:
    """More about a product. There are never any reviews."""
    nodes = [*_asked(instruction), *_buttons(BACK, PREVIOUS)]
    if name == "Description":
        return nodes + _text(product.description)
    if name == "Features":
        return nodes + _text(*(f" {bullet}" for bullet in product.bullets))
    if name == "Attributes":
        attributes = (f" {attribute}" for attribute in product.attributes)
        return nodes + _text(*attributes, product.category, product.query, product.path)
    return nodes


def done_page(reward: Reward) -> Page:
    """The end. The original's page goes on with details that no browser shows."""
    thanks = "Thank you for shopping with us!"
    return _text(thanks, "Your score (min 0.0, max 1.0)", str(reward.value))


def clickables(page: Page) -> dict[str, Node]:
    """What can be clicked, by the text to click it with: buttons, links, then options.

    Where two share a text, the first keeps its place and the last is the one that is clicked.
    """
    found = {node.text.lower(): node for node in page if node.kind in ("button", "link")}
    return found | {node.text: node for node in page if node.kind == "option"}


def actions(page: Page) -> list[str]:
    """What can be done on ``page``, as MEM1's prompts list it; a search is named on its own."""
    return [
        "search[<content>]" if node == _SEARCH_BUTTON else f"click[{text}]"
        for text, node in clickables(page).items()
    ]


def render(page: Page, mode: Mode) -> str:
    """``page`` as the agent sees it."""
    if mode == "text":
        return " [SEP] ".join(node.text.strip() for node in page)
    return _rich(page) if mode == "text_rich" else _compact(page)


def _rich(page: Page) -> str:
    lines: list[str] = []
    for node in page:
        if node.kind in ("text", "instruction"):
            lines.append(node.text)
            continue
        mark = "clicked button" if node.chosen else "button"
        before = {"option": "  ", "link": "\n"}.get(node.kind, "")
        lines.append(f"{before}[{mark}] {node.text} [{mark}_]")
    chosen = [
        f"You have clicked {node.text}." for node in page if node.kind == "option" and node.chosen
    ]
    return "".join(f"{line}\n" for line in (*reversed(chosen), *lines))


def _compact(page: Page) -> str:
    lines: list[list[str]] = []
    before: NodeKind | None = None
    chosen: list[str] = []
    for node in page:
        if node.kind == "instruction" or node.text == RATING:
            continue
        if chosen and node.kind != "option":
            lines[-1] += ["chosen", *chosen]
            chosen = []
        if node.kind == "link" or (node.kind, before) not in _SAME_LINE:
            lines.append([])
        if node.kind == "option" and node.chosen:
            chosen.append(node.text)
        lines[-1].append(_typed(node))
        before = node.kind
    return "\n".join(" ".join(line) for line in lines)


_SAME_LINE = {
    ("text", "link"), ("text", "text"), ("option", "text"), ("option", "option"),
    ("button", "button"),
}  # fmt: skip


def _typed(node: Node) -> str:
    """``node`` as it is typed in an action, in brackets if it can be clicked."""
    if node.kind == "text":
        return " ".join(node.text.split())
    return f"{SEARCH.lower()}[words]" if node == _SEARCH_BUTTON else f"[{node.text.lower()}]"
