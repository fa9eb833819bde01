"""A served model acts as it does in process, and a server that fails ends in one sentence."""

import json
import time
from http.server import BaseHTTPRequestHandler
from random import Random
from typing import Any

import pytest

from mem1.agent import context
from mem1.agent.engines.base import Engine, Sampling
from mem1.agent.engines.hf import HFEngine
from mem1.agent.engines.http import HTTPEngine, with_stop
from mem1.agent.formats.short import SHORT
from mem1.agent.rollout import rollout
from mem1.agent.text import Codec
from mem1.config import Agent, World
from mem1.config_retrieval import Retrieval
from mem1.config_systems import Api, Server
from mem1.envs.search import SearchEnvironment
from mem1.errors import InputError
from mem1.records import Trajectory
from mem1.retrieval import bm25
from mem1.retrieval.transport import Patience
from mem1.tasks import atlas
from mem1.train.demonstrations import mixed_tasks
from mem1.train.model import load_model
from tests.unit.agent.engines.openai_server import BASE, Served
from tests.unit.retrieval.servers import Respond, scripted, send

AGENT = Agent(max_context=4096, max_new_tokens=192, max_info=192, truncate_budget=400)
QUICK = Patience(attempts=3, timeout=60, first=0.01, longest=0.02)
ASKED = ([[5, 6, 7]], Sampling(0.0, 8), [1])
WORLD = atlas.generate(World(entities_per_type=8, hops={1: 0.5, 2: 0.5}), 7, "test")
TASKS = mixed_tasks(WORLD.questions, [1, 2], {1: 6, 2: 8}, Random(0), count=4)


def server_at(url: str, api: Api = "tokens", **more: Any) -> Server:
    return Server(url=url, model="base", api=api, tokenizer=str(BASE), **more)


def play(engine: Engine, codec: Codec) -> list[Trajectory]:
    retriever = bm25.in_memory(WORLD.passages, Retrieval(k=3, k1=1.5, b=0.75))
    return rollout(
        TASKS,
        engine,
        context.policy("mem1", AGENT),
        SearchEnvironment(retriever, 3, AGENT, codec),
        codec,
        AGENT,
        Sampling(0.0, AGENT.max_new_tokens),
        prompt=SHORT["mem1"],
        system="base",
        seed=0,
        progress=False,
    )


@pytest.fixture(scope="module")
def in_process() -> tuple[Codec, list[Trajectory]]:
    model, codec = load_model(BASE)
    return codec, play(HFEngine(model, codec), codec)


@pytest.mark.parametrize("api", ["tokens", "text", "chat"])
def test_greedy_trajectories_are_those_in_process(
    api: Api, base_server: Served, in_process: tuple[Codec, list[Trajectory]]
) -> None:
    codec, expected = in_process
    prompts = [SHORT["mem1"].prompt(task, codec) for task in TASKS]
    played = play(HTTPEngine(server_at(base_server.url, api), codec, prompts), codec)

    assert sum(one.end == "answered" for one in expected) >= 3  # they are worth comparing
    for one, other in zip(played, expected, strict=True):
        assert [t.context for t in one.turns] == [t.context for t in other.turns]
        assert [t.output for t in one.turns] == [t.output for t in other.turns]
        assert (one.end, one.answers) == (other.end, other.answers)
        for turn, same in zip(one.turns, other.turns, strict=True):
            given = same.logprobs if api == "tokens" else []
            assert turn.logprobs == pytest.approx(given, abs=1e-4)


def answer(text: str = "", reason: str = "stop", **more: Any) -> dict[str, Any]:
    return {"choices": [{"text": text, "finish_reason": reason, **more}]}


def stall(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    time.sleep(1)


def break_off(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    send(handler, answer("red"), cut=5)


def saying(value: Any, status: int = 200) -> Respond:
    return lambda handler, body: send(handler, value, status)


@pytest.mark.parametrize(
    ("respond", "sentence"),
    [
        (saying(b"<html>"), r"gave no answer in 3 attempts \(the answer is no JSON\): start the"),
        (saying({"error": "down"}, 503), r"gave no answer in 3 attempts \(status 503"),
        (break_off, r"gave no answer in 3 attempts \(the answer broke off"),
        (saying({"error": "too long"}, 400), r"refuses the request \(status 400.*too long"),
        (saying({"result": []}), r"does not speak OpenAI's API \(choices: Field required\)"),
        (saying({"choices": []}), r"does not speak OpenAI's API \(choices: "),
        (saying([1]), r"does not speak OpenAI's API \(the answer: "),
        (saying(answer(token_ids=[-1])), r"does not speak OpenAI's API \(choices.0.token_ids.0"),
        (saying(answer("red", "abort")), r"ended an answer for another reason .*\(abort\): see"),
        (saying(answer("red", "error")), r"ended an answer for another reason .*\(error\): see"),
    ],
)
def test_a_server_that_misbehaves_is_named_in_one_sentence(
    respond: Respond, sentence: str, words: Codec
) -> None:
    with scripted(respond) as url:
        engine = HTTPEngine(server_at(url), words, patience=QUICK)
        with pytest.raises(InputError, match=rf"^{url}/completions {sentence}"):
            engine.generate(*ASKED)


def test_a_server_that_never_answers_is_named_with_the_time_that_it_had(words: Codec) -> None:
    patience = Patience(attempts=2, timeout=0.3, first=0.01, longest=0.02)
    with scripted(stall) as url:
        engine = HTTPEngine(server_at(url), words, patience=patience)
        said = rf"^{url}/completions gave no answer in 2 attempts \(no answer within 0.3 s\)"
        with pytest.raises(InputError, match=said):
            engine.generate(*ASKED)


def test_one_failure_ends_a_call_whatever_waits_behind_it(words: Codec) -> None:
    asked = []

    def refuse(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        asked.append(body)
        send(handler, {}, 400)

    with scripted(refuse) as url:
        engine = HTTPEngine(server_at(url, concurrency=2), words, patience=QUICK)
        with pytest.raises(InputError, match="refuses the request"):
            engine.generate([[5]] * 50, Sampling(0.0, 8), list(range(50)))
    assert len(asked) < 10


@pytest.mark.parametrize("status", [429, 500])
def test_a_server_that_recovers_is_asked_again(status: int, words: Codec) -> None:
    left = [status, status]

    def recover(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        send(handler, answer("red"), left.pop() if left else 200)

    with scripted(recover) as url:
        [output] = HTTPEngine(server_at(url), words, patience=QUICK).generate(*ASKED)
    assert (output.text, output.logprobs) == ("red", [])


def sent(monkeypatch: pytest.MonkeyPatch, words: Codec, **server: Any) -> tuple[Any, Any]:
    """The headers and the body of a request."""
    seen: list[tuple[Any, Any]] = []

    def keep(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        seen.append((handler.headers, json.loads(body)))
        send(handler, answer("red"))

    with scripted(keep) as url:
        HTTPEngine(server_at(url, **server), words).generate(*ASKED)
    return seen[0]


def test_the_key_goes_into_a_header_and_into_no_message(
    monkeypatch: pytest.MonkeyPatch, words: Codec
) -> None:
    monkeypatch.setenv("SOME_KEY", "sk-secret")
    assert sent(monkeypatch, words, key="SOME_KEY")[0]["Authorization"] == "Bearer sk-secret"
    with (
        scripted(saying({"error": "Incorrect key sk-secret."}, 401)) as url,
        pytest.raises(InputError, match="status 401") as raised,
    ):
        HTTPEngine(server_at(url, key="SOME_KEY"), words).generate(*ASKED)
    assert "sk-secret" not in str(raised.value)


def test_a_key_that_is_not_set_is_asked_for(monkeypatch: pytest.MonkeyPatch, words: Codec) -> None:
    monkeypatch.delenv("SOME_KEY", raising=False)
    with pytest.raises(InputError, match="set the environment variable SOME_KEY"):
        HTTPEngine(server_at("http://127.0.0.1:1", key="SOME_KEY"), words)


@pytest.mark.parametrize("api", ["text", "chat"])
def test_servers_of_others_are_sent_nothing_that_is_not_standard(
    api: Api, monkeypatch: pytest.MonkeyPatch, words: Codec
) -> None:
    body = sent(monkeypatch, words, api=api)[1]
    asked = {"model", "max_tokens", "temperature", "top_p", "seed", "stop"}
    assert body.keys() == asked | {"prompt" if api == "text" else "messages"}
    assert len(body["stop"]) <= 4


def test_ids_and_logprobs_are_cut_together_behind_the_stop_string(words: Codec) -> None:
    ids = words.encode("<think> red </think> <search> Ada </search> Bo is")
    values = [-float(i) for i in range(len(ids))]
    given = answer("what the server cut", token_ids=ids, logprobs={"token_logprobs": values})
    with scripted(saying(given)) as url:
        engine = HTTPEngine(server_at(url), words)
        [output] = engine.generate(*ASKED)
        [warm] = engine.generate(ASKED[0], Sampling(0.5, 8), [1])
    assert output.ids == ids[:-2]
    assert output.logprobs == values[:-2]
    assert output.text == "<think> red </think> <search> Ada </search>"
    assert warm.logprobs == []  # the server's are those at temperature 1


def test_markup_of_the_tokenizer_in_a_text_is_only_text(words: Codec) -> None:
    with scripted(saying(answer("red <eos> blue", "length"))) as url:
        [output] = HTTPEngine(server_at(url, "text"), words).generate(*ASKED)
    assert words.eos not in output.ids


STOPS = ("</search>", "</answer>")


@pytest.mark.parametrize(
    ("text", "reason", "whole"),
    [
        ("<search> red", None, "<search> red</search>"),
        ("<answer> a <search> red", None, "<answer> a <search> red</search>"),
        ("<search> a <answer> red", None, "<search> a <answer> red</answer>"),
        ("<search> red", "</answer>", "<search> red</answer>"),
        ("<search> red </search>", None, "<search> red </search>"),
        ("the model ended by itself", None, "the model ended by itself"),
        ("by a token", 7, "by a token"),
    ],
)
def test_the_stop_string_is_put_back(text: str, reason: int | str | None, whole: str) -> None:
    assert with_stop(text, reason, STOPS) == whole
