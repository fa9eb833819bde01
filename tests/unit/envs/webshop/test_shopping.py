"""The agent loop in a generated shop, with a scripted shopper in place of a model."""

from random import Random

import pytest

from mem1.agent import context
from mem1.agent.engines.base import Sampling, certain
from mem1.agent.engines.shopper import ShopperEngine
from mem1.agent.formats.shop import REFUSED, SHOP, vocabulary
from mem1.agent.rollout import rollout, scored
from mem1.agent.text import Codec
from mem1.config import Agent
from mem1.config_learning import ShopImperfections
from mem1.envs.webshop import generate, opening
from mem1.envs.webshop.environment import WebShopEnvironment
from mem1.records import Trajectory, read_jsonl, write_jsonl
from mem1.tasks.tokenizer import UNKNOWN, atlas_vocabulary, word_level
from mem1.train.collect import rewards

AGENT = Agent(max_context=4096, max_new_tokens=96, max_info=192, truncate_budget=400)
PERFECT = ShopImperfections(wrong_product=0.0, settled=0.0, forgotten_option=0.0)
HASTY = ShopImperfections(wrong_product=0.2, settled=0.7, forgotten_option=0.2)


@pytest.fixture(scope="module")
def words() -> Codec:
    return Codec(word_level(vocabulary()))


class Says:
    """An engine that always writes the same."""

    def __init__(self, text: str, codec: Codec) -> None:
        self._text, self._codec = text, codec

    def generate(self, contexts, sampling, seeds):
        return [certain(self._text, self._codec, sampling) for _ in contexts]


def shopping(shop, words, policy="mem1", engine=None, count=40, turns=10, seed=0):
    form = SHOP["mem1" if policy == "mem1" else "full"]
    return rollout(
        opening.drawn(shop, "test", count, turns, seed=1),
        engine or ShopperEngine(words, PERFECT),
        context.policy(policy, AGENT),
        WebShopEnvironment(shop, "compact", AGENT, words, loose=True),
        words,
        AGENT,
        Sampling(1.0, AGENT.max_new_tokens),
        prompt=form,
        system="script",
        seed=seed,
        progress=False,
    )


@pytest.mark.parametrize("policy", ["mem1", "full", "truncate"])
def test_a_shopper_who_only_reads_its_context_earns_everything(mini, words, policy):
    played = shopping(mini, words, policy)
    assert {one.end for one in played} == {"bought"}
    assert rewards(played).tolist() == [1.0] * 40
    assert {one.score.em for one in played} == {1.0}


def test_every_word_of_shopping_is_in_the_vocabulary(mini, words):
    unknown = words.backend.token_to_id(UNKNOWN)
    for one in shopping(mini, words):
        assert all(unknown not in turn.context + turn.output + turn.info for turn in one.turns)


def test_the_words_take_the_places_of_names_alone():
    ours, theirs = vocabulary(), atlas_vocabulary()
    assert len(ours) == len(set(ours)) == len(theirs)
    for word in ("YOU", "TURNS", "5", "[", "stay"):
        assert ours.index(word) == theirs.index(word)
    assert set(generate.COLOURS) <= set(ours)


def test_mem1_forgets_the_pages_before_the_last(mini, words):
    one = max(shopping(mini, words), key=lambda one: len(one.turns))
    assert len(one.turns) > 5
    for before, turn in zip(one.turns, one.turns[1:], strict=False):
        assert turn.context == one.prompt + before.output + before.info


def test_full_history_needs_more(mini, words):
    peaks = [
        sum(len(one.turns[-1].context) for one in shopping(mini, words, policy))
        for policy in ("mem1", "full")
    ]
    assert peaks[1] > 2 * peaks[0]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("<think> a </think> <answer> click[no such thing] </answer>", "act"),
        ("<think> a </think> <search> mug </search>", "malformed"),
        ("buy", "malformed"),
    ],
)
def test_what_cannot_be_done_costs_turns_and_earns_nothing(mini, words, text, kind):
    for one in shopping(mini, words, engine=Says(text, words), count=3, turns=4):
        assert (one.end, one.score.reward, one.score.zero) == ("turns", 0.0, "format")
        assert [turn.action for turn in one.turns] == [kind] * 4
        assert (REFUSED in one.turns[0].info_text) == (kind == "act")
        assert "search[words]" in one.turns[2].info_text
        assert one.turns[3].info == []


def test_a_purchase_on_the_last_turn_counts(mini, words):
    needed = {one.task_id: len(one.turns) for one in shopping(mini, words)}
    for one in shopping(mini, words, turns=5):
        if needed[one.task_id] == 5:
            assert (one.end, one.score.reward) == ("bought", 1.0)


def test_mistakes_are_made_as_configured_and_the_same_each_time(mini, words):
    first, again = (shopping(mini, words, engine=ShopperEngine(words, HASTY)) for _ in range(2))
    assert [one.turns[-1].text for one in first] == [one.turns[-1].text for one in again]
    assert 0.5 < float(rewards(first).mean()) < 0.95


def test_records_of_shopping_keep_everything(mini, words, tmp_path):
    played = shopping(mini, words, count=5)
    write_jsonl(tmp_path / "1.jsonl", played)
    assert read_jsonl(tmp_path / "1.jsonl", Trajectory) == played
    assert [scored(one, task) for one, task in zip(
        played, opening.drawn(mini, "test", 5, 10, seed=1), strict=True
    )] == played  # fmt: skip


def test_questions_are_written_as_before():
    from mem1.records import Task
    from mem1.tasks.scoring import score

    assert "goal" not in Task(id="a", split="test", questions=[], max_turns=1).model_dump_json()
    assert "reward" not in score(["x"], [["x"]]).model_dump_json()


def test_tasks_are_drawn_without_repetition(mini):
    drawn = opening.drawn(mini, "test", 200, 10, seed=2)
    assert len({task.goal.index for task in drawn}) == 200
    assert drawn != opening.drawn(mini, "test", 200, 10, seed=3)
    chosen = Random(0).choice(drawn)
    assert chosen.goal.instruction == mini.goals[chosen.goal.index].instruction
