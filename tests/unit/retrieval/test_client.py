"""The client: what it repairs by asking again, what it refuses, what it never makes a result."""

import json
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from itertools import count

import pytest

from mem1.errors import InputError
from mem1.records import Passage
from mem1.retrieval.base import Hit
from mem1.retrieval.client import AT_ONCE, HTTPRetriever
from mem1.retrieval.transport import LATER, Patience, RefusedError, call
from mem1.seeding import stream
from tests.unit.retrieval.servers import HASTY, QUICK, STEADY, Respond, say_nothing, scripted, send

DOCUMENT = {"id": "7", "contents": '"York"\nYork is a city.'}
YORK = Hit(Passage(id="7", title="York", text="York is a city."), 2.5)
GOOD = {"result": [[{"document": DOCUMENT, "score": 2.5}]]}


def foreign(respond: Respond) -> Respond:
    """A server that does not say who it is, and answers searches with ``respond``."""

    def answer(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        if handler.path == "/health":
            send(handler, {"detail": "Not Found"}, 404)
        else:
            respond(handler, body)

    return answer


def failing(fail: Callable[[BaseHTTPRequestHandler], None], times: int) -> Respond:
    """Fails so often, and then works."""
    number = count()

    def answer(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        if next(number) < times:
            fail(handler)
        else:
            send(handler, GOOD)

    return foreign(answer)


def break_off(handler: BaseHTTPRequestHandler) -> None:
    send(handler, GOOD, cut=10)


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


def be_broken(handler: BaseHTTPRequestHandler) -> None:
    send(handler, {"error": "oops"}, 500)


def be_busy(handler: BaseHTTPRequestHandler) -> None:
    send(handler, {"error": "later"}, 429)


def talk_html(handler: BaseHTTPRequestHandler) -> None:
    send(handler, b"<html>Bad gateway</html>")


FAILURES = [break_off, hang_up, say_nothing, be_broken, be_busy, talk_html]


@pytest.mark.parametrize("fail", FAILURES)
def test_what_goes_wrong_twice_is_asked_again(
    fail: Callable[[BaseHTTPRequestHandler], None],
) -> None:
    with scripted(failing(fail, 2)) as url:
        assert HTTPRetriever(url, "wiki", HASTY).search(["York"], 3) == [[YORK]]


@pytest.mark.parametrize("fail", FAILURES)
def test_what_stays_wrong_is_an_error_that_names_the_address_and_the_fix(
    fail: Callable[[BaseHTTPRequestHandler], None],
) -> None:
    with scripted(failing(fail, 99)) as url:
        retriever = HTTPRetriever(url, "wiki", QUICK)
        retriever._patience = replace(HASTY, attempts=4)  # only now that it knows the server
        with pytest.raises(InputError, match=r"no answer in 4 attempts.*serve_retriever") as caught:
            retriever.search(["York"], 3)
        assert f"{url}/retrieve" in str(caught.value)


def test_where_nobody_listens_the_error_says_so() -> None:
    with scripted(hang_up) as url:
        pass
    with pytest.raises(InputError, match="no connection"):
        HTTPRetriever(url, "wiki", QUICK)


@pytest.mark.parametrize("status", sorted({400, 403, 413, 422, 302} - LATER))
def test_a_refusal_is_an_error_at_once(status: int) -> None:
    asked = []

    def refuse(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        asked.append(body)
        send(handler, {"error": "no such thing"}, status)

    with scripted(foreign(refuse)) as url:
        with pytest.raises(RefusedError, match=f"status {status}, .*no such thing"):
            HTTPRetriever(url, "wiki", QUICK).search(["York"], 3)
        assert len(asked) == 1


def test_the_request_is_search_r1s() -> None:
    asked = []

    def keep(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        asked.append((handler.path, json.loads(body)))
        send(handler, GOOD)

    with scripted(foreign(keep)) as url:
        HTTPRetriever(f"{url}/retrieve", "wiki", QUICK).search(["Yörk"], 3)
    assert asked == [("/retrieve", {"queries": ["Yörk"], "topk": 3, "return_scores": True})]


def test_many_queries_are_several_requests() -> None:
    asked = []

    def keep(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        queries = json.loads(body)["queries"]
        asked.append(len(queries))
        found = [[{"document": {"id": q, "contents": q}, "score": 1.0}] for q in queries]
        send(handler, {"result": found})

    queries = [str(number) for number in range(AT_ONCE + 5)]
    with scripted(foreign(keep)) as url:
        found = HTTPRetriever(url, "wiki", QUICK).search(queries, 3)
    assert asked == [AT_ONCE, 5]
    assert [hits[0].passage.id for hits in found] == queries


def test_nothing_found_is_an_empty_list() -> None:
    def nothing(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        send(handler, {"result": [[]]})

    with scripted(foreign(nothing)) as url:
        retriever = HTTPRetriever(url, "wiki", QUICK)
        assert retriever.search(["York"], 3) == [[]]
        assert retriever.search([], 3) == []


def test_a_server_that_sends_more_is_cut_to_k() -> None:
    def many(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        send(handler, {"result": [[DOCUMENT, DOCUMENT, DOCUMENT]]})

    with scripted(foreign(many)) as url:
        found = HTTPRetriever(url, "wiki", QUICK).search(["York"], 2)
    assert found == [[Hit(YORK.passage, 0.0), Hit(YORK.passage, -1.0)]]


@pytest.mark.parametrize(
    "answer",
    [
        {"error": "index not loaded"},
        [],
        {"result": []},
        {"result": ["Error: the search failed"]},
        {"result": [["Error: the search failed"]]},
        {"result": [[{"document": "Error", "score": 1.0}]]},
        {"result": [[{"document": DOCUMENT, "score": "high"}]]},
        {"result": [[{"document": DOCUMENT, "score": float("nan")}]]},
        {"result": [[{"document": DOCUMENT, "score": 10**400}]]},
        {"result": [[{"document": {"id": "7"}, "score": 1.0}]]},
        {"result": [[{"document": {"contents": 5}, "score": 1.0}]]},
    ],
)
def test_an_answer_of_another_form_is_an_error_and_no_passage(answer: object) -> None:
    with scripted(foreign(lambda handler, body: send(handler, answer))) as url:
        retriever = HTTPRetriever(url, "wiki", QUICK)
        with pytest.raises(InputError, match="does not speak the format"):
            retriever.search(["York"], 3)


def test_half_a_character_in_an_answer_does_no_harm() -> None:
    cut = {
        "result": [
            [{"document": {"id": "7", "contents": "York\n\U0001f3f0 of \ud83c"}, "score": 1}]
        ]
    }
    with scripted(foreign(lambda handler, body: send(handler, cut))) as url:
        [[hit]] = HTTPRetriever(url, "wiki", QUICK).search(["York"], 3)
    assert hit.passage.text == "\U0001f3f0 of \ufffd"


@pytest.mark.parametrize("address", ["http://a..b", "http://127.0.0.1:port"])
def test_an_address_that_is_none_is_an_error_at_once(address: str) -> None:
    with pytest.raises(InputError, match=rf"{address}/health is no address .*retrieval\.url"):
        HTTPRetriever(address, "wiki", STEADY)


def test_a_server_that_does_not_say_who_it_is_needs_the_name_of_its_corpus() -> None:
    with scripted(foreign(lambda handler, body: send(handler, GOOD))) as url:
        one, other = (HTTPRetriever(url, name, QUICK).digest for name in ("wiki18", "wiki24"))
        assert one != other
        with pytest.raises(InputError, match=r"retrieval\.corpus"):
            HTTPRetriever(url, None, QUICK)


def test_waits_double_up_to_the_limit_and_come_from_a_named_seed() -> None:
    patience = Patience(first=1, longest=10)
    waits = [patience.wait(n, stream(0, "retry", "x")) for n in range(1, 7)]
    assert waits == [patience.wait(n, stream(0, "retry", "x")) for n in range(1, 7)]
    for wait, most in zip(waits, [1, 2, 4, 8, 10, 10], strict=True):
        assert most / 2 <= wait <= most


def test_headers_do_not_follow_a_redirect_and_never_stand_in_a_message() -> None:
    seen = []

    def redirect(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        seen.append(handler.headers["X-API-KEY"])
        text = f"not with {handler.headers['X-API-KEY']}".encode()
        handler.send_response(307)
        handler.send_header("Location", "/elsewhere")
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)

    with scripted(redirect) as url, pytest.raises(RefusedError, match="not with") as caught:
        call(url, {}, headers={"X-API-KEY": "s3cret"}, patience=QUICK, fix="x")
    assert "s3cret" not in str(caught.value)
    assert seen == ["s3cret"]
