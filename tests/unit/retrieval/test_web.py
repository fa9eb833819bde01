"""Web search against a stand-in that speaks Serper's JSON; no request leaves the machine."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from mem1.config_retrieval import Retrieval
from mem1.errors import InputError
from mem1.records import Passage
from mem1.retrieval.open import open_retriever
from mem1.retrieval.web import KEY, WebRetriever
from tests.unit.retrieval.servers import QUICK, SETTINGS, STEADY, indexed, scripted, send, served

SECRET = "sk-0123456789"
RESULT = {"title": "York", "link": "https://a.invalid/york", "snippet": "A city."}


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, SECRET)


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the stand-in for the web over a few pages."""
    folder = tmp_path_factory.mktemp("web")
    indexed(folder)
    with served(folder, "--web-stand-in") as server:
        yield f"{server.url}/search"


def found(answer: Any, results: int = 10, k: int = 10) -> list[Passage]:
    """What one search finds where the API answers so."""
    with scripted(lambda handler, body: send(handler, answer)) as url:
        return [hit.passage for hit in WebRetriever(url, results, QUICK).search(["york"], k)[0]]


def test_the_request_is_the_one_that_serper_documents() -> None:
    asked = []

    def keep(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        asked.append((handler.headers["X-API-KEY"], handler.command, json.loads(body)))
        send(handler, {"organic": []})

    with scripted(keep) as url:
        WebRetriever(url, 10, QUICK).search(["who is Ann?"], 3)
    assert asked == [(SECRET, "POST", {"q": "who is Ann?", "num": 10})]


def test_a_result_is_a_passage_with_title_snippet_and_address() -> None:
    assert found({"organic": [RESULT]}) == [
        Passage(id="https://a.invalid/york", title="York", text="A city. https://a.invalid/york")
    ]


def test_results_keep_their_order_and_are_cut_to_k() -> None:
    organic = [{**RESULT, "link": f"https://a.invalid/{n}"} for n in (3, 1, 2)]
    assert [p.id[-1] for p in found({"organic": organic}, k=2)] == ["3", "1"]


def test_a_result_that_is_there_twice_has_its_first_place() -> None:
    organic = [{**RESULT, "link": f"https://a.invalid/{n}"} for n in (3, 1, 3)]
    assert [p.id[-1] for p in found({"organic": organic})] == ["3", "1"]


@pytest.mark.parametrize(
    ("organic", "texts"),
    [
        ([{"link": "https://a.invalid"}], ["https://a.invalid"]),
        ([{"title": "no link", "snippet": "x"}], []),
        ([RESULT, {**RESULT, "snippet": "again"}], ["A city. https://a.invalid/york"]),
        ([{**RESULT, "snippet": None}], ["https://a.invalid/york"]),
        (["odd"], []),
        ([{**RESULT, "snippet": "cut \ud83d"}], ["cut \ufffd https://a.invalid/york"]),
    ],
)
def test_odd_results_do_no_harm(organic: list[Any], texts: list[str]) -> None:
    assert [p.text for p in found({"organic": organic})] == texts


def test_no_results_are_an_empty_list() -> None:
    assert found({"searchParameters": {}}) == []


def test_an_empty_query_is_not_sent() -> None:
    with scripted(lambda handler, body: send(handler, {}, 400)) as url:
        assert WebRetriever(url, 10, QUICK).search(["", " \n"], 3) == [[], []]


@pytest.mark.parametrize("answer", [[], {"organic": "odd"}])
def test_another_format_is_an_error(answer: Any) -> None:
    with pytest.raises(InputError, match="Serper's format"):
        found(answer)


def refuse(handler: BaseHTTPRequestHandler) -> None:
    send(handler, {"message": f"Unauthorized {handler.headers['X-API-KEY']}"}, 403)


def fail(handler: BaseHTTPRequestHandler) -> None:
    send(handler, {"message": f"oops {handler.headers['X-API-KEY']}"}, 500)


@pytest.mark.parametrize("answer", [refuse, fail])
def test_the_key_stands_in_no_message_and_no_log(
    answer: Callable[[BaseHTTPRequestHandler], None], caplog: pytest.LogCaptureFixture
) -> None:
    with scripted(lambda handler, body: answer(handler)) as url:
        retriever = WebRetriever(url, 10, QUICK)
        with pytest.raises(InputError, match="check SERPER_API_KEY") as caught:
            retriever.search(["york"], 3)
    assert SECRET not in f"{caught.value!r} {caught.value.__cause__!r} {caplog.text} {retriever!r}"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(("value", "message"), [("", "set the env"), ("a\nb", "holds characters")])
def test_a_key_that_is_missing_or_damaged_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, value: str, message: str
) -> None:
    monkeypatch.setenv(KEY, value)
    with pytest.raises(InputError, match=message) as caught:
        WebRetriever("http://a.invalid", 10)
    assert "a\nb" not in str(caught.value)


def test_the_digest_knows_nothing_of_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    first = WebRetriever("http://a.invalid", 10).digest
    monkeypatch.setenv(KEY, "another")
    assert WebRetriever("http://a.invalid", 10).digest == first
    assert WebRetriever("http://a.invalid", 5).digest != first


def test_the_stand_in_finds_pages_of_a_world(stand_in: str) -> None:
    [hits, nothing] = WebRetriever(stand_in, 10, STEADY).search(["Ann Lee", "zzz"], 3)
    assert hits[0].passage == Passage(
        id="https://stand-in.invalid/p1",
        title="Ann Lee",
        text="Ann Lee founded the company Velmora in York. https://stand-in.invalid/p1",
    )
    assert nothing == []


def test_recorded_web_answers_are_replayed_without_key_or_network(
    stand_in: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def settings(mode: str) -> Retrieval:
        web = {"url": stand_in, "results": 10}
        return Retrieval.model_validate(
            {**SETTINGS.model_dump(), "kind": "web", "web": web, "cache": mode}
        )

    kept = tmp_path / "c.sqlite"
    first = open_retriever(settings("record"), None, tmp_path, cache=kept).search(["Ann"], 3)
    assert SECRET.encode() not in b"".join(p.read_bytes() for p in tmp_path.iterdir())
    monkeypatch.delenv(KEY)
    assert (
        open_retriever(settings("replay"), None, tmp_path, cache=kept).search(["Ann"], 3) == first
    )


def test_more_passages_than_results_are_refused() -> None:
    web = {"url": "http://a.invalid", "results": 2}
    with pytest.raises(ValueError, match=r"k is 3 and web\.results 2"):
        Retrieval.model_validate({**SETTINGS.model_dump(), "kind": "web", "web": web})


@pytest.mark.parametrize(
    "url", ["a.invalid", "file:///etc/passwd", "http://me:secret@a", "http:// a"]
)
def test_an_address_is_plain_http(url: str) -> None:
    with pytest.raises(ValueError, match="url"):
        Retrieval.model_validate({**SETTINGS.model_dump(), "url": url})
