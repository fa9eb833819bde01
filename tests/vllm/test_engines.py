"""vLLM acts as the model does in process, in its process and behind a server."""

from collections.abc import Sequence

import pytest
import torch

from mem1.agent import continuous
from mem1.agent import rollout as loop
from mem1.agent.engines.base import Output, Sampling
from mem1.agent.engines.hf import HFEngine
from mem1.agent.engines.http import HTTPEngine
from mem1.agent.engines.vllm.base import LostError
from mem1.agent.engines.vllm.process import NAME, ServerProcess
from mem1.agent.text import Codec
from mem1.config_systems import Server
from mem1.errors import InputError
from mem1.records import Trajectory
from mem1.train.model import load_model
from tests.unit.agent.engines.openai_server import BASE
from tests.unit.agent.engines.test_http import play
from tests.vllm.conftest import MOST

Base = tuple[Codec, HFEngine]


@pytest.fixture(scope="module")
def expected(base: Base) -> list[Trajectory]:
    codec, hf = base
    return play(hf, codec)


def assert_same(played: Sequence[Trajectory], expected: Sequence[Trajectory]) -> None:
    assert sum(one.end == "answered" for one in expected) >= 3  # they are worth comparing
    for one, other in zip(played, expected, strict=True):
        assert (one.task_id, one.end, one.answers) == (other.task_id, other.end, other.answers)
        for turn, same in zip(one.turns, other.turns, strict=True):
            assert (turn.context, turn.output) == (same.context, same.output)
            assert turn.text == same.text
            assert turn.logprobs == pytest.approx(same.logprobs, abs=1e-4)


def test_greedy_trajectories_are_those_of_the_model(engine, base: Base, expected) -> None:
    assert_same(play(engine, base[0]), expected)


def test_greedy_trajectories_are_the_same_at_their_own_pace(
    engine, base: Base, expected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.unit.agent.engines.test_http.rollout", continuous.rollout)
    assert continuous.rollout is not loop.rollout
    assert_same(play(engine, base[0]), expected)


def test_openai_api_of_the_server_gives_the_same(
    server: ServerProcess, base: Base, expected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY_OF_THE_TEST", server.key)
    where = Server(
        url=f"{server.root}/v1", model=NAME, api="tokens", tokenizer=str(BASE),
        key="KEY_OF_THE_TEST",
    )  # fmt: skip
    assert_same(play(HTTPEngine(where, base[0]), base[0]), expected)


def prompts(codec: Codec) -> list[list[int]]:
    return [codec.encode(f"Answer Q1 to Q{n}." * (1 + n % 4)) for n in range(1, 9)]


def test_what_is_sampled_depends_on_the_seed_alone(engine, base: Base) -> None:
    contexts, sampling = prompts(base[0]), Sampling(1.0, 30)
    whole = engine.generate(contexts, sampling, range(8))
    alone = [engine.generate([one], sampling, [i])[0] for i, one in enumerate(contexts)]
    assert whole == alone  # to the last bit of the log-probabilities
    assert whole[0].ids != engine.generate(contexts[:1], sampling, [99])[0].ids


def test_more_contexts_than_are_read_at_once_come_out_the_same(engine, base: Base) -> None:
    contexts = [[5 + (97 * i + n) % 1500 for n in range(1100)] for i in range(16)]
    sampling = Sampling(1.0, 8)
    whole = engine.generate(contexts, sampling, range(16))
    assert whole[15] == engine.generate(contexts[15:], sampling, [15])[0]


def test_logprobs_are_those_of_the_model(engine, base: Base) -> None:
    model, _ = load_model(BASE)
    contexts = prompts(base[0])
    outputs: list[Output] = engine.generate(contexts, Sampling(1.0, 30), range(8))
    for context, output in zip(contexts, outputs, strict=True):
        with torch.inference_mode():
            logits = model(torch.tensor([context + output.ids])).logits[0, len(context) - 1 : -1]
        said = logits.log_softmax(-1)[torch.arange(len(output.ids)), output.ids]
        assert output.logprobs == pytest.approx(said.tolist(), abs=1e-4)


@pytest.mark.parametrize("stop", [("</search>",), ("</answer>", "</search>"), ("Q1", "Q")])
def test_stop_cuts_ids_and_logprobs_together(engine, base: Base, stop: tuple[str, ...]) -> None:
    codec, hf = base
    contexts = prompts(codec)
    sampling = Sampling(0.0, 60, stop)
    outputs = engine.generate(contexts, sampling, range(8))
    same = hf.generate(contexts, sampling, range(8))
    assert [(one.ids, one.text) for one in outputs] == [(one.ids, one.text) for one in same]
    assert all(len(one.ids) == len(one.logprobs) for one in outputs)


def test_a_context_that_is_too_long_names_the_setting(engine) -> None:
    with pytest.raises(InputError, match=r"4090 tokens .* raise agent\.max_context"):
        engine.generate([[5] * (MOST - 6)], Sampling(1.0, 16), [1])


def test_a_request_that_vllm_refuses_is_one_sentence_and_the_others_go_on(engine) -> None:
    with pytest.raises(InputError, match="refuses"):
        engine.generate([[]], Sampling(1.0, 4), [1])
    engine.generate([[5, 6, 7]], Sampling(1.0, 4), [1])


def test_weights_of_another_version_are_noticed(engine) -> None:
    engine.version, kept = "another training's", engine.version
    with pytest.raises(LostError, match="the newest are another training's"):
        engine.generate([[5, 6, 7]], Sampling(1.0, 4), [1])
    engine.version = kept
    engine.generate([[5, 6, 7]], Sampling(1.0, 4), [1])
