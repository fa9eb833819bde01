"""New weights in a running engine: what it says afterwards is what the model says."""

from pathlib import Path

import pytest
import torch

from mem1.agent.engines.base import Sampling
from mem1.agent.engines.hf import HFEngine
from mem1.agent.engines.vllm.base import LostError
from mem1.agent.engines.vllm.process import ServerProcess
from mem1.retrieval.transport import Patience, RefusedError, call
from mem1.train.forward import Actor
from mem1.train.model import load_model
from mem1.train.placement import by_checkpoint, shapes
from mem1.train.players import plain
from mem1.train.weights import write
from tests.unit.agent.engines.openai_server import BASE
from tests.unit.train.conftest import OPTIMIZER
from tests.vllm.test_engines import Base, prompts

SAMPLING = Sampling(0.0, 24)


def changed(seed: int):
    """The base model with noise on all weights, as a policy."""
    model, codec = load_model(BASE)
    noise = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.02 * torch.randn(weight.shape, generator=noise)
    assert model.config.tie_word_embeddings
    return plain(Actor(model), OPTIMIZER), HFEngine(model, codec)


def test_greedy_tokens_and_logprobs_are_those_of_the_new_weights(
    engine, base: Base, tmp_path: Path
) -> None:
    contexts = prompts(base[0])
    before = engine.generate(contexts, SAMPLING, range(8))
    for seed in (1, 2):  # a second update is loaded over the first
        policy, there = changed(seed)
        path = tmp_path / "weights.safetensors"
        write(path, shapes(policy), by_checkpoint(policy))
        served = hasattr(engine, "address")
        engine.load(str(path) if served else by_checkpoint(policy), f"v{seed} {tmp_path.name}")
        outputs = engine.generate(contexts, SAMPLING, range(8))  # the same prompts: no old keys
        expected = there.generate(contexts, SAMPLING, range(8))
        assert [one.ids for one in outputs] == [one.ids for one in expected]
        for one, other in zip(outputs, expected, strict=True):
            assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)
        assert [one.ids for one in outputs] != [one.ids for one in before]


def test_weights_that_do_not_fit_are_refused(engine, tmp_path: Path) -> None:
    served = hasattr(engine, "address")
    with pytest.raises((LostError, ValueError, RuntimeError, FileNotFoundError)):
        engine.load(str(tmp_path / "nothing") if served else [], "none")


def test_the_route_asks_for_the_key(server: ServerProcess) -> None:
    for headers in ({}, {"Authorization": "Bearer guess"}):
        with pytest.raises(RefusedError, match="status 401"):
            call(
                f"{server.root}/v1/mem1/weights", {"do": "sleep"}, headers=headers,
                patience=Patience(attempts=1), fix="",
            )  # fmt: skip
