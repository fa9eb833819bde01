"""Which frozen sections the settings of retrieval are in."""

from pathlib import Path

import pytest

from mem1 import config, config_files, stages
from mem1.config_retrieval import Retrieval
from mem1.errors import InputError

CONFIG = Path(__file__).parents[3] / "config"


@pytest.fixture(scope="module")
def mini() -> config.Config:
    return config_files.load(CONFIG / "config.yaml")


def changed(values: config.Config, retrieval: dict) -> config.Config:
    return config_files.parse(config_files.merge(values.model_dump(), {"retrieval": retrieval}))


def differing(before: config.Config, after: config.Config) -> set[str]:
    names = ["retrieval", "base", "encoder", "run-sft-mem1", "run-rl-mem1", "eval-mem1-rl"]
    return {n for n in names if stages.frozen(before, n) != stages.frozen(after, n)}


def test_a_frozen_section_of_bm25_is_what_it_was_before_there_were_other_kinds(mini):
    written = stages.frozen(mini, "retrieval").model_dump(mode="json")
    assert written == {"k": 3, "k1": 1.5, "b": 0.75}


def test_dense_settings_concern_no_stage_that_uses_bm25(mini):
    after = changed(mini, {"dense": {"index": {"kind": "hnsw"}}, "hybrid": {"constant": 10}})
    assert differing(mini, after) == set()


def test_another_encoder_concerns_the_vectors_only_where_bm25_is_used(mini):
    assert differing(mini, changed(mini, {"dense": {"encoder": {"batch": 8}}})) == {"encoder"}


def test_another_index_encodes_nothing_again(mini):
    before = changed(mini, {"kind": "dense"})
    after = changed(before, {"dense": {"index": {"kind": "hnsw"}}})
    assert differing(before, after) == {"retrieval", "run-sft-mem1", "run-rl-mem1", "eval-mem1-rl"}


def test_the_base_model_makes_its_own_index(mini):
    assert "base" not in differing(mini, changed(mini, {"kind": "hybrid"}))


def test_constants_of_the_fusion_do_not_concern_kind_dense(mini):
    before = changed(mini, {"kind": "dense"})
    assert differing(before, changed(before, {"hybrid": {"constant": 10}})) == set()


@pytest.mark.parametrize(("kind", "section"), [("dense", "dense"), ("hybrid", "hybrid")])
def test_a_kind_without_its_section_is_refused(mini, kind, section):
    with pytest.raises(InputError, match=f"kind {kind} needs the section {section}"):
        changed(mini, {"kind": kind, section: None})


def test_a_comparison_needs_both_sections(mini):
    sample = config_files.load(CONFIG / "config.yaml", CONFIG / "sample.yaml")
    assert stages.frozen(sample, "retrieval_report").kind == "hybrid"
    with pytest.raises(InputError, match=r"retrieval_report\.k is null"):
        stages.frozen(mini, "retrieval_report")
    with pytest.raises(InputError, match="one of them is null"):
        stages.frozen(changed(sample, {"hybrid": None}), "retrieval_report")


URLS = {"train": "http://127.0.0.1:1", "test": "http://127.0.0.1:2"}


def test_each_split_searches_at_its_own_server(mini):
    both = changed(mini, {"url": URLS})
    assert stages.frozen(both, "run-rl-mem1").retrieval.url == URLS["train"]
    assert stages.frozen(both, "eval-mem1-rl").retrieval.url == URLS["test"]
    assert stages.frozen(both, "retrieval") == stages.frozen(mini, "retrieval")


def test_another_server_for_tests_repeats_no_training(mini):
    moved = changed(mini, {"url": {**URLS, "test": "http://127.0.0.1:3"}})
    assert differing(changed(mini, {"url": URLS}), moved) == {"eval-mem1-rl"}


def test_a_split_without_a_server_is_searched_in_process(mini):
    half = changed(mini, {"url": {"test": URLS["test"]}})
    assert [half.retrieval.at(split).searches_index for split in ("train", "test")] == [True, False]
    assert stages.frozen(half, "run-rl-mem1") == stages.frozen(mini, "run-rl-mem1")


@pytest.mark.parametrize("url", [{"dev": URLS["test"]}, {"test": "127.0.0.1"}])
def test_a_split_or_address_that_is_none_is_refused(mini, url):
    with pytest.raises(InputError, match=r"retrieval\.url"):
        changed(mini, {"url": url})


def test_every_kind_survives_its_file(mini):
    for kind in ("bm25", "dense", "hybrid"):
        section = stages.frozen(changed(mini, {"kind": kind}), "retrieval")
        assert Retrieval.model_validate_json(section.model_dump_json()) == section
