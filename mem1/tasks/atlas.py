"""Atlas, the generated world: entities, facts, one page each, and 1- to 3-hop questions.

Deterministic in (seed, split). Worlds of different splits share the names and the types of
entities but not the facts, so that nothing can be answered from the weights. Stands in for
Wikipedia and the question sets of the paper (section 3.3), which need downloads.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from mem1.config import World as Settings
from mem1.records import Hop, Passage, Question
from mem1.retrieval.base import Retriever
from mem1.seeding import stream
from mem1.tasks.atlas_schema import RELATIONS, REMARKS, TYPES, Relation, names


@dataclass(frozen=True)
class World:
    """Pages and questions of one split."""

    passages: list[Passage]
    questions: list[Question]


def _facts(entities: dict[str, list[str]], random: Random) -> dict[tuple[str, str], str]:
    """One value for each (entity, relation), every value used about equally often."""
    facts: dict[tuple[str, str], str] = {}
    for relation in RELATIONS:
        values: list[str] = []
        for entity in entities[relation.domain]:
            if not values:
                values = random.sample(entities[relation.range], len(entities[relation.range]))
            facts[entity, relation.name] = values.pop()
    return facts


def _statement(entity: str, relation: Relation, value: str) -> str:
    return f"{entity} {relation.verb} {value}."


def _page(
    number: int, kind: str, entity: str, facts: dict[tuple[str, str], str], random: Random
) -> Passage:
    """A page of two or three sentences: what is known of the entity, in any order."""
    sentences = [
        _statement(entity, relation, facts[entity, relation.name])
        for relation in RELATIONS
        if relation.domain == kind
    ]
    random.shuffle(sentences)
    if random.random() < 0.3:
        sentences.insert(random.randint(0, len(sentences)), random.choice(REMARKS))
    text = " ".join(sentences)
    return Passage(id=f"atlas-{number}", title=entity, text=text)


def _chains(
    kind: str, entity: str, facts: dict[tuple[str, str], str], hops: int
) -> list[list[tuple[Relation, Hop]]]:
    """All chains of ``hops`` facts from ``entity`` that never meet an entity twice."""
    chains: list[list[tuple[Relation, Hop]]] = [[]]
    for _ in range(hops):
        longer = []
        for chain in chains:
            at, at_kind = (chain[-1][1].value, chain[-1][0].range) if chain else (entity, kind)
            seen = {entity, *(hop.value for _, hop in chain)}
            for relation in RELATIONS:
                if relation.domain != at_kind or facts[at, relation.name] in seen:
                    continue
                value = facts[at, relation.name]
                hop = Hop(
                    entity=at,
                    relation=relation.name,
                    value=value,
                    statement=_statement(at, relation, value),
                )
                longer.append([*chain, (relation, hop)])
        chains = longer
    return chains


def _wording(chain: Sequence[tuple[Relation, Hop]], random: Random) -> str:
    """A question for the last value of ``chain``, naming only its first entity."""
    phrase = chain[0][1].entity
    for relation, _ in chain[:-1]:
        phrase = f"the {relation.noun} {phrase}"
    return random.choice(chain[-1][0].questions).format(e=phrase)


def generate(settings: Settings, seed: int, split: str) -> World:
    """The world of ``split``: all pages, and as many questions as the shares of hops allow.

    Each question has one answer, a chain of facts that leads to it page by page, and a
    (start, relations) pair of its own.
    """
    random = stream(seed, "atlas", split)
    known = names(seed)
    entities = {kind: random.sample(known[kind], settings.entities_per_type) for kind in TYPES}
    facts = _facts(entities, random)
    passages = [
        _page(number, kind, entity, facts, random)
        for number, (kind, entity) in enumerate(
            (kind, entity) for kind in TYPES for entity in entities[kind]
        )
    ]
    shares = {hops: share for hops, share in settings.hops.items() if share > 0}
    pools = {
        hops: [
            chain
            for kind in TYPES
            for entity in entities[kind]
            for chain in _chains(kind, entity, facts, hops)
        ]
        for hops in shares
    }
    total = min(len(pools[hops]) / share for hops, share in shares.items())
    questions = []
    for hops, share in sorted(shares.items()):
        for number, chain in enumerate(random.sample(pools[hops], int(total * share))):
            questions.append(
                Question(
                    id=f"{split}-{hops}hop-{number}",
                    text=_wording(chain, random),
                    golds=[chain[-1][1].value],
                    source="atlas",
                    hops=hops,
                    chain=[hop for _, hop in chain],
                )
            )
    return World(passages, questions)


@dataclass(frozen=True)
class Conflicts:
    """How well search by name works in a world: shares of all searches a solver makes."""

    searches: int
    found: float  # the page that states the fact is among the results
    conflicting: float  # another result states the same relation of another entity


def conflicts(world: World, retriever: Retriever, k: int) -> Conflicts:
    """Search each entity of each chain by name and look at what else comes back."""
    verbs = {relation.name: relation.verb for relation in RELATIONS}
    hops = [hop for question in world.questions for hop in question.chain]
    results = retriever.search([hop.entity for hop in hops], k)
    found = conflicting = 0
    for hop, hits in zip(hops, results, strict=True):
        found += any(hop.statement in hit.passage.text for hit in hits)
        others = (hit.passage for hit in hits if hit.passage.title != hop.entity)
        conflicting += any(f" {verbs[hop.relation]} " in other.text for other in others)
    return Conflicts(len(hops), found / len(hops), conflicting / len(hops))
