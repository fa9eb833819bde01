"""A shop as the configuration names it, with the goals of a file, and tasks of its goals."""

from pathlib import Path

from mem1.agent.text import Codec
from mem1.config import Agent
from mem1.config_webshop import Shop as Settings
from mem1.envs.webshop import panel, protocols
from mem1.envs.webshop.environment import WebShopEnvironment
from mem1.envs.webshop.protocols import Split
from mem1.envs.webshop.shop import Shop
from mem1.errors import InputError
from mem1.records import Goal, Task
from mem1.seeding import stream


def opened(settings: Settings, split: str, seed: int, goals: Path | None = None) -> Shop:
    """The shop of ``split``, with the goals in the file ``goals`` or with those of ``seed``.

    Raises:
        InputError: the catalogue or the goals are missing, damaged, or do not belong together.
    """
    protocol = protocols.named(settings.protocol)
    catalogue = protocols.load(protocol, _folder(settings), _known(split), seed)
    found = None if goals is None else panel.read(goals, catalogue)
    return protocols.shop(protocol, catalogue, found, seed=seed)


def files(settings: Settings) -> list[Path]:
    """The files of the catalogue, as far as they are there; a generated one has none."""
    return protocols.files(protocols.named(settings.protocol), _folder(settings))


def environment(
    settings: Settings, goals: Path, split: str, seed: int, agent: Agent, codec: Codec
) -> WebShopEnvironment:
    """``opened`` for the agent loop. Raises as that does."""
    return around(settings, opened(settings, split, seed, goals), agent, codec)


def around(settings: Settings, shop: Shop, agent: Agent, codec: Codec) -> WebShopEnvironment:
    """``shop`` for the agent loop."""
    words = settings.protocol == "mini"  # a word-level tokenizer puts spaces everywhere
    return WebShopEnvironment(shop, settings.mode, agent, codec, loose=words)


def drawn(shop: Shop, split: str, count: int, max_turns: int, seed: int) -> list[Task]:
    """``count`` different goals of ``split`` as tasks.

    Raises:
        InputError: it has fewer.
    """
    indices = protocols.named(shop.panel.protocol).indices(_known(split), shop.panel)
    if count > len(indices):
        raise InputError(
            f"Protocol {shop.panel.protocol} has {len(indices)} goals for {split}, and "
            f"webshop.tasks asks for {count}: ask for fewer."
        )
    chosen = stream(seed, "webshop", "tasks", split).sample(indices, count)
    return [task(shop, index, split, max_turns) for index in chosen]


def task(shop: Shop, index: int, split: str, max_turns: int) -> Task:
    """The goal ``index`` of ``shop`` as a task."""
    goal = Goal(index=index, instruction=shop.goals[index].instruction)
    return Task(
        id=f"shop-{split}-{index}", split=split, questions=[], max_turns=max_turns, goal=goal
    )


def _folder(settings: Settings) -> Path | None:
    return None if settings.catalogue is None else Path(settings.catalogue)


def _known(split: str) -> Split:
    for known in ("train", "validation", "test"):
        if split == known:
            return known
    raise InputError(f"WebShop has no split {split!r}: use train, validation or test.")
