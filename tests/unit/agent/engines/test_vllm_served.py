"""A server of vLLM that puts off, is another one, or fails; answers are written by the test."""

from typing import Any

import pytest

from mem1.agent.engines.base import Sampling
from mem1.agent.engines.vllm.base import MOST_ABORTS, LostError
from mem1.agent.engines.vllm.served import Address, ServedVLLM
from mem1.agent.text import Codec
from mem1.errors import InputError
from mem1.retrieval.transport import Patience
from mem1.tasks import tokenizer
from tests.unit.retrieval.servers import Respond, scripted, send

CODEC = Codec(tokenizer.word_level())
QUICK = Patience(attempts=2, timeout=60, first=0.01, longest=0.02)
SAMPLING = Sampling(1.0, 8)
IDS = CODEC.encode("<search> Answer </search> Answer Q1")


def answer(ids: list[int] = IDS, reason: str = "stop", version: str = "default") -> Respond:
    choice = {
        "index": 0,
        "finish_reason": reason,
        "token_ids": ids,
        "logprobs": {"content": [{"token_id": i, "logprob": -float(i)} for i in ids]},
        "weight_versions": [{"version": version, "start": 0, "end": len(ids)}] if ids else [],
    }
    return lambda handler, body: send(handler, {"choices": [choice]})


def ask(*responds: Respond) -> tuple[Any, int]:
    """The output, and how often the server was asked."""
    left = list(responds)
    with scripted(lambda handler, body: left.pop(0)(handler, body)) as url:
        engine = ServedVLLM(Address(url, {}, "mem1", 64, QUICK), CODEC)
        [output] = engine.generate([[5, 6]], SAMPLING, [1])
        return output, len(responds) - len(left)


def test_ids_and_logprobs_end_with_the_stop_tag() -> None:
    output, _ = ask(answer())
    assert output.text == "<search> Answer </search>"
    assert output.ids == IDS[: len(output.ids)]
    assert output.logprobs == [-float(i) for i in output.ids]


def test_what_was_put_off_is_asked_for_again() -> None:
    output, asked = ask(answer([], "abort"), answer(IDS[:2], "abort"), answer())
    assert asked == 3
    assert output.text == "<search> Answer </search>"


def test_what_is_put_off_for_ever_is_one_sentence() -> None:
    with pytest.raises(LostError, match=f"aborted a request {MOST_ABORTS} times in a row"):
        ask(*[answer([], "abort")] * MOST_ABORTS)


@pytest.mark.parametrize("version", ["old", "default.2"])
def test_output_of_other_weights_is_void(version: str) -> None:
    with pytest.raises(LostError, match=f"with the weights {version}, and the newest are default"):
        ask(answer(version=version))


def test_a_server_that_is_gone_is_lost_and_not_wrong() -> None:
    engine = ServedVLLM(Address("http://127.0.0.1:9", {}, "mem1", 64, QUICK), CODEC)
    with pytest.raises(LostError, match="gave no answer in 2 attempts"):
        engine.generate([[5, 6]], SAMPLING, [1])


def test_an_answer_of_something_else_names_the_setting() -> None:
    with pytest.raises(InputError, match=r"does not answer as vLLM does: correct vllm\.url"):
        ask(lambda handler, body: send(handler, {"choices": []}))
