"""The generated world: unique facts, answerable questions, the same bytes from the same seed."""

from pathlib import Path

import pytest

from mem1 import make_world, records
from mem1.config import World as Settings
from mem1.config_retrieval import Retrieval
from mem1.provenance import json_digest, write_json
from mem1.retrieval import bm25
from mem1.tasks import atlas
from mem1.tasks.atlas_schema import POOL, RELATIONS, TYPES, names

SETTINGS = Settings(entities_per_type=24, hops={1: 0.4, 2: 0.4, 3: 0.2})
DIGEST = "d28d759644e30cd5b64b9c02fb7076f297d7118549d8c2e451a40196f82183d0"


@pytest.fixture(scope="module")
def world() -> atlas.World:
    return atlas.generate(SETTINGS, 7, "train")


def test_same_seed_same_bytes_on_every_machine(world: atlas.World) -> None:
    rows = [row.model_dump() for row in [*world.passages, *world.questions]]

    assert json_digest(rows) == DIGEST


def test_splits_share_names_but_not_facts(world: atlas.World) -> None:
    other = atlas.generate(Settings(entities_per_type=POOL, hops={1: 1.0}), 7, "test")
    whole = atlas.generate(Settings(entities_per_type=POOL, hops={1: 1.0}), 7, "train")

    def facts(w: atlas.World) -> set[str]:
        return {hop.statement for question in w.questions for hop in question.chain}

    assert {p.title for p in other.passages} == {p.title for p in whole.passages}
    shared = len(facts(other) & facts(whole)) / len(facts(whole))
    assert shared < 0.05  # by chance 1 in 60


def test_at_least_eight_types_each_with_relations_of_its_own() -> None:
    wordings = [r.verb for r in RELATIONS]

    assert len(TYPES) >= 8
    assert len(set(wordings)) == len(wordings)
    assert all(any(r.domain == kind for r in RELATIONS) for kind in TYPES)


def test_names_have_two_words_that_belong_to_one_entity() -> None:
    every = [name.split() for pool in names(7).values() for name in pool]
    words = [word for name in every for word in name]

    assert all(len(name) == 2 for name in every)
    assert len(set(words)) == len(words)


def test_other_seeds_pair_the_same_words_otherwise() -> None:
    first, second = ([name for pool in names(seed).values() for name in pool] for seed in (1, 2))

    assert {w for n in first for w in n.split()} == {w for n in second for w in n.split()}
    assert len(set(first) & set(second)) < 0.01 * len(first)


def test_questions_end_with_the_name_of_their_entity(world: atlas.World) -> None:
    assert all(q.text.endswith(f"{q.chain[0].entity}?") for q in world.questions)


def test_one_page_of_two_to_five_sentences_for_each_entity(world: atlas.World) -> None:
    titles = [passage.title for passage in world.passages]

    assert len(set(titles)) == len(titles) == 24 * len(TYPES)
    assert all(2 <= passage.text.count(".") <= 5 for passage in world.passages)


def test_each_question_is_answered_by_following_its_pages(world: atlas.World) -> None:
    pages = {passage.title: passage.text for passage in world.passages}
    for question in world.questions:
        assert question.chain[0].entity in question.text
        assert question.hops == len(question.chain)
        for hop, after in zip(question.chain, question.chain[1:], strict=False):
            assert hop.value == after.entity
        assert all(hop.statement in pages[hop.entity] for hop in question.chain)
        assert question.golds == [question.chain[-1].value]


def test_no_entity_has_two_values_of_a_relation(world: atlas.World) -> None:
    hops = {(hop.entity, hop.relation, hop.value) for q in world.questions for hop in q.chain}

    assert len({(entity, relation) for entity, relation, _ in hops}) == len(hops)


def test_questions_differ_in_start_or_relations(world: atlas.World) -> None:
    keys = {(q.chain[0].entity, *(hop.relation for hop in q.chain)) for q in world.questions}

    assert len(keys) == len(world.questions)


def test_shares_of_hops_are_kept(world: atlas.World) -> None:
    for hops, share in SETTINGS.hops.items():
        found = sum(q.hops == hops for q in world.questions) / len(world.questions)
        assert found == pytest.approx(share, abs=0.01)


def test_search_by_name_finds_the_page_and_no_conflicting_one(world: atlas.World) -> None:
    retriever = bm25.in_memory(world.passages, Retrieval(k=3, k1=1.5, b=0.75))

    measured = atlas.conflicts(world, retriever, 3)

    assert measured.found == 1.0
    assert measured.conflicting == 0.0


def test_a_world_that_is_made_again_has_no_manifest_on_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_json(tmp_path / "world.json", SETTINGS.model_dump(mode="json"))
    arguments = ["--config", f"{tmp_path}/world.json", "--split", "test"]
    arguments += ["--output-dir", f"{tmp_path}/test", "--seed"]
    make_world.main([*arguments, "0"])
    assert (tmp_path / "test" / "manifest.json").is_file()

    def stopped(path: Path, rows: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(records, "write_jsonl", stopped)
    with pytest.raises(KeyboardInterrupt):
        make_world.main([*arguments, "1"])
    assert not (tmp_path / "test" / "manifest.json").exists()
