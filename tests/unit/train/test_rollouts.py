"""An engine with weights of its own: given new ones, compared, and brought back when it is lost."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from mem1.agent.engines.base import Output, Sampling
from mem1.agent.engines.hf import HFEngine
from mem1.agent.engines.vllm.base import LostError, check_weights
from mem1.agent.text import Codec
from mem1.config_vllm import Vllm
from mem1.errors import InputError, StoppedError
from mem1.train.collector import check_placement
from mem1.train.forward import Actor
from mem1.train.model import new_model
from mem1.train.placement import by_checkpoint
from mem1.train.players import plain
from mem1.train.processes import ALONE
from mem1.train.rollouts import WithVllm
from tests.unit.train.conftest import MODEL, OPTIMIZER, RL

SETTINGS = Vllm(
    python=None, url=None, key=None, dtype="float32", max_num_seqs=8, block_size=32,
    kv_cache_bytes=1 << 20, gpu_memory=0.5, tensor_parallel=1, eager=True, sleep=False,
    transfer="file", probes=2, largest_gap=1e-3, restarts=2, start_timeout=60, timeout=10,
)  # fmt: skip
SAMPLING = Sampling(1.0, 12)
PROBES = [[5, 6, 7], [8, 9]]


class Apart:
    """A placement whose model is a copy; it can be lost, and forget to take weights."""

    def __init__(self, codec: Codec, takes: bool = True) -> None:
        self.model = new_model(MODEL, codec.size, 7)  # not the policy's
        self._hf = HFEngine(self.model, codec)
        self._takes = takes
        self.given: list[str] = []
        self.revived = 0
        self.has = "default"
        self.engine = self

    def generate(
        self, contexts: Sequence[Sequence[int]], sampling: Sampling, seeds: Sequence[int]
    ) -> list[Output]:
        check_weights([self.has], self.given[-1])
        return self._hf.generate(contexts, sampling, seeds)

    @torch.no_grad()
    def give(self, policy, version: str) -> None:
        mine = dict(self.model.named_parameters())
        for name, value in by_checkpoint(policy):
            if self._takes:
                mine[name].copy_(value)
        self.has = version
        self.given.append(version)

    def revive(self, reason: str) -> None:
        self.revived += 1

    def rest(self, resting: bool) -> None:
        raise AssertionError("there is no GPU")


@pytest.fixture
def make(words: Codec):
    def make(takes: bool = True):
        policy = plain(Actor(new_model(MODEL, words.size, 0)), OPTIMIZER)
        placement = Apart(words, takes)
        return placement, WithVllm(placement, policy, SETTINGS, ALONE, PROBES, SAMPLING, 0)

    return make


def played(engine) -> list[Output]:
    return engine.generate(PROBES, SAMPLING, [1, 2])


def test_engine_gets_the_weights_before_each_collection(make) -> None:
    placement, rollouts = make()
    for number in (1, 2):
        rollouts.collect(played)
        assert rollouts.measures()["probe_gap_max"] < 1e-5
        assert len(placement.given) == number
    assert len({*placement.given}) == 2


def test_weights_that_do_not_arrive_stop_the_training(make) -> None:
    _, rollouts = make(takes=False)
    with pytest.raises(StoppedError, match=r"differ by .* nats .* update 1, and vllm\.largest_gap"):
        rollouts.collect(played)


def test_a_stale_engine_is_given_the_weights_again_and_the_collection_repeated(make) -> None:
    placement, rollouts = make()
    expected = rollouts.collect(played)
    lost = iter([True, True])

    def play(engine) -> list[Output]:
        engine.generate(PROBES[:1], SAMPLING, [1])
        if next(lost, False):
            placement.has = "default"  # somebody has started it again
        return played(engine)

    assert [one.ids for one in rollouts.collect(play)] == [one.ids for one in expected]
    assert placement.revived == 2
    assert rollouts.measures()["machine/restarts"] == 2


def test_an_engine_that_is_lost_for_good_is_one_sentence(make) -> None:
    placement, rollouts = make()

    def play(engine) -> None:
        raise LostError("it is gone.")

    with pytest.raises(LostError, match=r"it is gone, also after 2 new starts \(vllm\.restarts\)"):
        rollouts.collect(play)
    assert placement.revived == 2


def test_the_trainer_gives_its_memory_back_before_an_engine_wakes(
    words: Codec, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    placement = Apart(words)
    monkeypatch.setattr(placement, "rest", lambda on: seen.append("sleep" if on else "wake"))
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: seen.append("free"))
    policy = plain(Actor(new_model(MODEL, words.size, 0)), OPTIMIZER)
    rollouts = WithVllm(placement, policy, SETTINGS, ALONE, PROBES, SAMPLING, 0, sleeps=True)
    rollouts.collect(played)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    rollouts._rest(False)
    assert seen == ["sleep", "free", "wake"]


def test_an_engine_in_process_is_not_shared_out_over_gpus() -> None:
    settings = SETTINGS.model_copy(update={"tensor_parallel": 2})
    rl = RL.model_copy(update={"rollout": "vllm"})
    with pytest.raises(InputError, match=r"vllm\.tensor_parallel is 2, .* use 1, or"):
        check_placement(rl, settings, ALONE)


@pytest.mark.parametrize(
    ("url", "refused"),
    [(None, True), ("http://localhost:8000/v1", True), ("http://node-7:8000/v1", False)],
)
def test_a_server_on_one_of_several_machines_is_reached_from_there_only(
    url: str | None, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    settings = SETTINGS.model_copy(update={"url": url})
    rl = RL.model_copy(update={"rollout": "vllm-server"})
    check_placement(rl, settings, replace(ALONE, count=2))  # all on this machine
    four = replace(ALONE, count=4)
    if refused:
        with pytest.raises(InputError, match="on several machines"):
            check_placement(rl, settings, four)
    else:
        check_placement(rl, settings, four)
