"""Requests that no client would send: thousands of them, and bytes that are no request at all."""

import errno
import json
import socket
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.unit.retrieval.servers import Served, alive, ask, indexed, served


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("fuzz")
    indexed(folder)
    with served(folder) as running:
        yield running


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
ALMOST = st.fixed_dictionaries(
    {"queries": st.lists(st.text(max_size=50), max_size=4) | JSON},
    optional={"topk": st.integers(-2, 120) | JSON, "return_scores": st.booleans() | JSON},
)
BODIES = st.binary(max_size=60) | (ALMOST | JSON).map(lambda v: json.dumps(v).encode())


def fuzz(server: Served, body: bytes, path: str, method: str) -> None:
    status, answer = ask(server, body, path, method)
    assert status == 200 or (400 <= status < 500 and list(answer) == ["error"])


PATHS = st.sampled_from(["/retrieve"] * 6 + ["/health", "/", "/retrieve/", "/%00", "//", "/search"])
METHODS = st.sampled_from(["POST"] * 6 + ["GET", "PUT", "DELETE", "OPTIONS"])
SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=2000, deadline=None, suppress_health_check=SHARED)
@given(body=BODIES, path=PATHS, method=METHODS)
@example(body=b'{"queries": [], "topk": 1}', path="/retrieve", method="POST")
def test_no_request_is_answered_with_a_fault_of_the_server(
    server: Served, body: bytes, path: str, method: str
) -> None:
    fuzz(server, body, path, method)


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None, suppress_health_check=SHARED)
@given(body=BODIES, path=PATHS, method=METHODS)
def test_no_request_of_ten_thousand_is_answered_with_a_fault_of_the_server(
    server: Served, body: bytes, path: str, method: str
) -> None:
    fuzz(server, body, path, method)


@settings(max_examples=200, deadline=None, suppress_health_check=SHARED)
@given(noise=st.binary(min_size=1, max_size=200))
@example(noise=b"POST /retrieve HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{")
@example(noise=b"POST /retrieve HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n")
@example(noise=b"POST /retrieve HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
@example(noise=b"GET /health HTTP/1.1\r\nA: " + b"a" * 2**17 + b"\r\n\r\n")
def test_no_noise_stops_it(server: Served, noise: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        try:
            connection.sendall(noise)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(2**16)
        except OSError as error:  # it hung up before all of the noise was there, at any line
            if error.errno not in {errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN}:
                raise
            answer = b""
    assert not answer.startswith(b"HTTP/1.1 5")
    assert server.process.poll() is None
    assert alive(server)
