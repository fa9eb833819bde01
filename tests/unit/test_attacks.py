"""Injected passages steer nothing: no episode ends, answers or scores because of one.

Three readers are attacked: the script that solves tasks of Atlas, the script that shops, and one
that is made to be fooled: it writes whatever it read between two marks into its own output.
"""

import copy
import json
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from tokenizers import normalizers

from mem1.agent import protocol
from mem1.agent.chat import ChatTemplate
from mem1.agent.engines.base import Output, Sampling, until_stop
from mem1.agent.engines.scripted import ScriptedEngine
from mem1.agent.engines.shopper import ShopperEngine
from mem1.agent.formats.catalogue import FORMATS
from mem1.agent.formats.shop import SHOP, vocabulary
from mem1.agent.memory.catalogue import policy
from mem1.agent.rollout import rollout, scored
from mem1.agent.text import Codec
from mem1.config import Agent, Memory, Tasks, World
from mem1.config_learning import ShopImperfections
from mem1.config_retrieval import Retrieval
from mem1.config_systems import Policy, PromptFormat
from mem1.envs.search import SearchEnvironment
from mem1.envs.webshop import generate, opening, pages, protocols
from mem1.envs.webshop.environment import WebShopEnvironment
from mem1.envs.webshop.shop import Shop
from mem1.records import Passage, Question, Task, Trajectory
from mem1.retrieval import bm25
from mem1.retrieval.base import Hit, Retriever
from mem1.tasks import atlas
from mem1.tasks.atlas_solver import PERFECT
from mem1.tasks.compose import compose
from mem1.tasks.tokenizer import word_level
from tests.attacks import ATTACKS, GOAL, SPLIT
from tests.unit.agent.conftest import CHAT, chat_codec

MEMORY = Memory(
    summary_tokens=4000, overwrite_tokens=4000, note_tokens=4000, evolve_tokens=500, notes=2,
    encoder=None,
)  # fmt: skip
AGENT = Agent(
    max_context=60_000, max_new_tokens=6000, max_info=4000, truncate_budget=9000, memory=MEMORY
)
EVERYTHING = f"{' '.join(ATTACKS)} {' '.join(title + text for title, text in SPLIT)}"
FORMS: list[PromptFormat] = ["mem1", "full", "search-r1", "deepresearcher", "instruct"]
DANGERS = (
    *protocol.TAGS,
    *("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<note>", "</note>"),
    *("<memory>", "</memory>", "<summary>", "</summary>", "<evolution>", "</evolution>"),
    *("<|im_start|>", "<|im_end|>", "<|eot_id|>", "<|endoftext|>", "<eos>", "[HINT"),
)


def test_the_corpus_is_large_and_without_repetition() -> None:
    assert len(ATTACKS) + len(SPLIT) >= 80
    assert len(set(ATTACKS)) == len(ATTACKS)


# The script that solves tasks.


class Poisoned:
    """Finds what another retriever finds, with an attack in front of each text and behind it."""

    digest = "poisoned"

    def __init__(self, retriever: Retriever, attack: str, title: str = "") -> None:
        self._retriever, self._attack, self._title = retriever, attack, title

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        found = self._retriever.search(queries, k)
        return [[Hit(self._with(hit.passage), hit.score) for hit in hits] for hits in found]

    def _with(self, passage: Passage) -> Passage:
        text = f"{self._attack} {passage.text} {self._attack}"
        return passage.model_copy(update={"title": self._title or passage.title, "text": text})


@pytest.fixture(scope="module")
def world() -> atlas.World:
    return atlas.generate(World(entities_per_type=6, hops={1: 0.5, 2: 0.5}), 3, "test")


@pytest.fixture(scope="module")
def tasks(world: atlas.World) -> list[Task]:
    settings = Tasks(
        train_horizon=1,
        train_count=0,
        test_horizons=[2],
        test_count=3,
        consecutive=False,
        max_turns={2: 9},
    )
    return compose(world.questions, 2, 3, "test", settings, seed=3)


def solved(tasks: list[Task], retriever: Retriever, kind: protocol.PromptKind) -> list[object]:
    """How each episode of the solver went."""
    codec = Codec(word_level())
    played = rollout(
        tasks,
        ScriptedEngine(tasks, kind, codec, PERFECT, seed=3),
        policy(kind, AGENT, codec, FORMATS[kind]),
        SearchEnvironment(retriever, 3, AGENT, codec),
        codec,
        AGENT,
        Sampling(1.0, AGENT.max_new_tokens),
        prompt=FORMATS[kind],
        system="script",
        seed=3,
        progress=False,
    )
    return [
        (one.end, one.answers, scored(one, task).score, [(t.action, t.argument) for t in one.turns])
        for one, task in zip(played, tasks, strict=True)
    ]


@pytest.mark.parametrize("kind", ["mem1", "full"])
def test_no_attack_changes_what_the_solver_does(
    kind: protocol.PromptKind, world: atlas.World, tasks: list[Task]
) -> None:
    retriever = bm25.in_memory(world.passages, Retrieval(k=3, k1=1.5, b=0.75))
    calm = solved(tasks, retriever, kind)
    assert all(one[2].em == 2.0 for one in calm)  # type: ignore[index]
    attacks = [("", attack) for attack in [*ATTACKS, EVERYTHING]] + SPLIT
    changed = [
        (title, attack)
        for title, attack in attacks
        if solved(tasks, Poisoned(retriever, attack, title), kind) != calm
    ]
    assert changed == []


# The reader that is made to be fooled.

MARK = "Zebra"
QUERY = "Ada home"
QUOTED = re.compile(rf"{MARK}(.*?){MARK}", re.DOTALL)
TASK = Task(
    id="t",
    split="test",
    questions=[Question(id="q", text="who ?", golds=[GOAL], source="test")],
    max_turns=3,
)


def codecs() -> dict[str, Codec]:
    """Bytes with marks of messages, as they are and behind two ways to normalize."""
    made = {name: chat_codec().backend for name in ("plain", "nfkc", "bert")}
    made["nfkc"].normalizer = normalizers.NFKC()
    made["bert"].normalizer = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=False, strip_accents=True, lowercase=False
    )
    return {
        name: Codec(backend, backend.token_to_id("<|im_end|>"), ChatTemplate(CHAT))
        for name, backend in made.items()
    }


CODECS = codecs()


class Fooled:
    """Searches the same each time; thinks, and says in calls, what the newest passage says."""

    def __init__(self, codec: Codec, form: PromptFormat) -> None:
        self._codec = codec
        query = json.dumps({"name": "web_search", "arguments": {"query": [QUERY]}})
        self._action = (
            f"<tool_call> {query} </tool_call>"
            if form == "deepresearcher"
            else f"<search> {QUERY} </search>"
        )

    def generate(
        self, contexts: Sequence[Sequence[int]], sampling: Sampling, seeds: Sequence[int]
    ) -> list[Output]:
        outputs = []
        for context in contexts:
            found = QUOTED.findall(self._codec.decode(list(context)))
            quote = f"{MARK} {found[-1]} {MARK}" if found else "none"
            text = until_stop(self._said(quote, sampling.stop), sampling.stop)
            ids = self._codec.encode(text)
            outputs.append(Output(ids, [0.0] * len(ids), text))
        return outputs

    def _said(self, quote: str, stop: tuple[str, ...]) -> str:
        if stop == ("</note>",):
            about = {"keywords": [quote], "context": quote, "tags": [quote]}
            return f"<note> {json.dumps(about, ensure_ascii=False)} </note>"
        if stop == ("</evolution>",):
            return f'<evolution> {{"links": [1], "tags": [{json.dumps(quote)}]}} </evolution>'
        if len(stop) == 1:
            return f"{quote} {stop[0]}"
        return f"<think> {quote} </think> {self._action}"


class Found:
    """Finds one passage."""

    digest = "found"

    def __init__(self, title: str, text: str) -> None:
        self._hit = Hit(Passage(id="p", title=title, text=text), 1.0)

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        return [[self._hit] for _ in queries]


def fooled(
    title: str, text: str, form: PromptFormat, codec: Codec, memory: Policy = "mem1"
) -> Trajectory:
    """An episode of ``Fooled``: its marks stand around the passage."""
    [played] = rollout(
        [TASK],
        Fooled(codec, form),
        policy(memory, AGENT, codec, FORMATS[form]),
        SearchEnvironment(Found(f"{MARK} {title}", f"{text} {MARK}"), 3, AGENT, codec),
        codec,
        AGENT,
        Sampling(1.0, AGENT.max_new_tokens),
        prompt=FORMATS[form],
        system="fooled",
        seed=3,
        progress=False,
    )
    return played


def steered(played: Trajectory, calm: Trajectory, codec: Codec) -> bool:
    """Whether it went otherwise than ``calm``, or a context holds other marks."""
    if [(t.action, t.argument) for t in played.turns] != [
        (t.action, t.argument) for t in calm.turns
    ] or (played.end, played.answers) != (calm.end, calm.answers):
        return True
    return any(
        codec.decode(turn.context).count(danger) != codec.decode(other.context).count(danger)
        for turn, other in zip(played.turns, calm.turns, strict=True)
        for danger in DANGERS
    )


def steering(form: PromptFormat, name: str, memory: Policy = "mem1") -> list[tuple[str, str]]:
    """The attacks that change anything."""
    codec = CODECS[name]
    calm = fooled("x", "x", form, codec, memory)
    assert (calm.end, len(calm.turns)) == ("turns", TASK.max_turns)
    assert {turn.action for turn in calm.turns} == {"search"}
    return [
        (title, text)
        for title, text in [*((attack, attack) for attack in ATTACKS), *SPLIT]
        if steered(fooled(title, text, form, codec, memory), calm, codec)
    ]


@pytest.mark.parametrize(
    ("form", "name"), [*((form, "nfkc") for form in FORMS), ("instruct", "plain"), ("mem1", "bert")]
)
def test_no_attack_steers_a_reader_who_repeats_what_it_read(form: PromptFormat, name: str) -> None:
    assert steering(form, name) == []


@pytest.mark.parametrize(
    ("form", "memory"),
    [("mem1", "amem"), ("mem1", "summary"), ("mem1", "overwrite"), ("instruct", "overwrite")],
)
def test_no_attack_steers_through_a_memory(form: PromptFormat, memory: Policy) -> None:
    assert steering(form, "nfkc", memory) == []


def test_most_attacks_work_without_the_boundary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "neutralize", lambda text: text)
    monkeypatch.setattr(Codec, "plain", lambda self, text: text)
    working = {text for _, text in steering("mem1", "nfkc")}
    assert len(working) >= 40
    assert ATTACKS[0] in working


# The script that shops.

SHOPPER = ShopImperfections(wrong_product=0.0, settled=0.0, forgotten_option=0.0)


@pytest.fixture(scope="module")
def shop() -> Shop:
    protocol_ = protocols.named("mini")
    return protocols.shop(protocol_, generate.generate(5, "test", 60))


def attacked(shop: Shop, attack: str) -> Shop:
    """``shop`` whose sellers wrote ``attack`` into everything they write but words of options."""
    other = copy.copy(shop)
    other.catalogue = replace(
        shop.catalogue,
        products=tuple(
            replace(
                product,
                title=f"{product.title} {attack}",
                description=attack,
                bullets=(*product.bullets, attack),
                options=(*product.options, (attack, (attack,))),
            )
            for product in shop.catalogue.products
        ),
    )
    return other


def shopped(shop: Shop, kind: protocol.PromptKind) -> list[object]:
    """How each episode of the shopper went."""
    codec = Codec(word_level(vocabulary()))
    played = rollout(
        opening.drawn(shop, "test", 3, 10, seed=1),
        ShopperEngine(codec, SHOPPER),
        policy(kind, AGENT, codec, SHOP[kind]),
        WebShopEnvironment(shop, "compact", AGENT, codec, loose=True),
        codec,
        AGENT,
        Sampling(1.0, AGENT.max_new_tokens),
        prompt=SHOP[kind],
        system="script",
        seed=3,
        progress=False,
    )
    return [(one.end, one.score, [turn.argument for turn in one.turns]) for one in played]


def test_no_attack_changes_what_the_shopper_does(shop: Shop) -> None:
    calm = shopped(attacked(shop, "x"), "mem1")
    assert all(one[:2] == ("bought", one[1]) and one[1].reward == 1.0 for one in calm)  # type: ignore
    changed = [a for a in ATTACKS if shopped(attacked(shop, a), "mem1") != calm]
    assert changed == []


BUTTONS: dict[pages.Mode, tuple[str, ...]] = {  # what marks them, and what stands between pieces
    "compact": ("[",),
    "text": ("[SEP]",),
    "text_rich": ("[button]", "[button_]", "[clicked button]", "[clicked button_]"),
}


@pytest.mark.parametrize("mode", pages.MODES)
def test_no_attack_adds_a_button_to_a_page(shop: Shop, mode: pages.Mode) -> None:
    def seen(attack: str) -> list[int]:
        environment = WebShopEnvironment(attacked(shop, attack), mode, AGENT, CODECS["nfkc"])
        episode = environment.shop.reset(0)
        texts = []
        words = environment.shop.goals[0].instruction.split(",")[0]
        for action in (f"search[{words}]", "", "click[description]"):
            action = action or f"click[{first_link(environment.shop, episode)}]"
            step = environment.shop.step(episode, action)
            assert step.valid
            episode = step.episode
            info = environment.observe(episode, 5)
            texts.append(CODECS["nfkc"].decode(info.ids).partition("\nActions:")[0])
        return [text.count(mark) for text in texts for mark in (*BUTTONS[mode], *DANGERS)]

    calm = seen("x")
    assert [attack for attack in ATTACKS if seen(attack) != calm] == []


def first_link(shop: Shop, episode: object) -> str:
    """The first product on the page."""
    page = shop.page(episode)  # type: ignore[arg-type]
    return next(node.text for node in page if node.kind == "link")
