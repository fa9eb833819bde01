"""The HTTP side of a retriever: routes, limits, and a process that stops gracefully.

``application`` is a server of the format in ``retrieval.wire``. ``web_stand_in`` speaks
Serper's format over the same retriever: it stands in for the web in tests and where there is
none. What a client does wrong is answered with 4xx and ``{"error": "one sentence"}``. Either is
``guarded`` by a token where other machines can reach it.
"""

import ipaddress
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, StrictInt, StrictStr, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from mem1 import __version__
from mem1.errors import InputError
from mem1.retrieval import wire
from mem1.retrieval.base import Retriever
from mem1.retrieval.batching import Batcher

M = TypeVar("M", bound=BaseModel)

GRACE = 60  # seconds that requests under way may take after SIGTERM


@dataclass(frozen=True)
class Limits:
    """What one request may ask for, and how long requests are collected."""

    body: int = 16 * 2**20  # bytes
    queries: int = 512
    query: int = 32_768  # characters
    k: int = 100
    wait: float = 0.002  # seconds
    batch: int = 64  # queries of one call of the retriever, unless a request has more


class WebQuery(BaseModel):
    """A request to the stand-in for the web; Serper's other fields are ignored."""

    q: StrictStr = Field(min_length=1)
    num: StrictInt = Field(default=10, ge=1)


class _Refusal(Exception):  # noqa: N818 - becomes an answer
    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message


def application(
    retriever: Retriever,
    limits: Limits,
    k: int,
    passages: int | None,
    corpus: str | None = None,
) -> FastAPI:
    """A retrieval server.

    Args:
        retriever: what it searches with.
        limits: of each request.
        k: passages for a request that does not say how many.
        passages: how many there are, if known.
        corpus: their ``retrieval.passages.corpus_digest``, if known.
    """
    batcher = Batcher(retriever, limits.wait, limits.batch)
    app = _application(batcher)

    @app.get("/health")
    async def health() -> JSONResponse:
        return JSONResponse(
            {
                "status": "ok",
                "digest": retriever.digest,
                "passages": passages,
                "corpus": corpus,
                "version": __version__,
            }
        )

    @app.post("/retrieve")
    async def retrieve(request: Request) -> JSONResponse:
        query = await _read(request, wire.Query, limits.body)
        count = query.topk or k
        _check(query.queries, count, limits)
        hits = await batcher.search(query.queries, count) if query.queries else []
        return JSONResponse(
            wire.answer(hits, query.return_scores),
            headers={wire.DIGEST_HEADER: retriever.digest},
        )

    return app


def web_stand_in(retriever: Retriever, limits: Limits) -> FastAPI:
    """A stand-in for Serper's API that finds passages of ``retriever`` instead of web pages."""
    batcher = Batcher(retriever, limits.wait, limits.batch)
    app = _application(batcher)

    @app.post("/search")
    async def search(request: Request) -> JSONResponse:
        if not request.headers.get("x-api-key"):
            raise _Refusal(403, "Send a key in the header X-API-KEY.")
        query = await _read(request, WebQuery, limits.body)
        _check([query.q], query.num, limits)
        [hits] = await batcher.search([query.q], query.num)
        organic = [
            {
                "title": hit.passage.title,
                "link": f"https://stand-in.invalid/{quote(hit.passage.id, safe='')}",
                "snippet": hit.passage.text,
                "position": position,
            }
            for position, hit in enumerate(hits, start=1)
        ]
        return JSONResponse({"searchParameters": {"q": query.q}, "organic": organic})

    return app


def is_local(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def guarded(app: ASGIApp, token: str) -> ASGIApp:
    """``app`` for those who send ``token``: ``Authorization: Bearer``, or ``X-API-KEY``."""
    expected = token.encode()

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = dict(scope["headers"])
            given = headers.get(b"authorization", b"").removeprefix(b"Bearer ").strip()
            given = given or headers.get(b"x-api-key", b"")
            if not secrets.compare_digest(given, expected):
                refusal = JSONResponse({"error": "This server wants a token."}, 401)
                await refusal(scope, receive, send)
                return
        await app(scope, receive, send)

    return guard


def _application(batcher: Batcher) -> FastAPI:
    """An application without pages, whose errors are JSON of one form."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await batcher.close()

    async def refused(request: Request, error: Any) -> JSONResponse:
        return JSONResponse({"error": error.message}, error.status)

    async def misdirected(request: Request, error: Any) -> JSONResponse:
        return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)

    async def failed(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": f"The search failed ({type(error).__name__})."}, 500)

    handlers: dict[int | type[Exception], Callable[..., Any]] = {
        _Refusal: refused,
        HTTPException: misdirected,
        Exception: failed,
    }
    return FastAPI(
        lifespan=lifespan,
        exception_handlers=handlers,
        openapi_url=None,
        redirect_slashes=False,
    )


async def _read(request: Request, kind: type[M], most: int) -> M:
    """The body as ``kind``; what is too long is not read to its end."""
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > most:
                raise _Refusal(413, f"The request has more than {most} bytes: send fewer queries.")
    except ClientDisconnect:
        raise _Refusal(400, "The request broke off.") from None  # nobody reads it
    try:
        return kind.model_validate_json(bytes(body))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the body"
        raise _Refusal(422, f"{where}: {first['msg']}.") from None


def _check(queries: list[str], k: int, limits: Limits) -> None:
    if len(queries) > limits.queries:
        raise _Refusal(
            422, f"The request has {len(queries)} queries: send at most {limits.queries}."
        )
    longest = max(map(len, queries), default=0)
    if longest > limits.query:
        raise _Refusal(
            422, f"A query has {longest} characters: send at most {limits.query} characters."
        )
    if k > limits.k:
        raise _Refusal(422, f"The request asks for {k} passages: ask for at most {limits.k}.")


def serve(app: ASGIApp, host: str, port: int, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are answered first.

    Args:
        app: what to serve.
        host: address to listen at.
        port: port; 0 takes a free one.
        announce: called with the address, when it accepts connections.

    Raises:
        InputError: the address cannot be had.
    """
    try:
        listening = socket.create_server((host, port), backlog=2048)
    except (OSError, OverflowError) as error:
        raise InputError(
            f"Cannot listen at {host}:{port} ({error}): name another --host or --port."
        ) from error
    settings = uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_graceful_shutdown=GRACE, ws="none"
    )
    server = uvicorn.Server(settings)
    # The server takes over both signals, and raises them again when it has stopped: without
    # these handlers that would kill the process, and one that comes before would be too early.
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, server.handle_exit)
    announce(f"http://{host}:{listening.getsockname()[1]}")
    with listening:
        server.run(sockets=[listening])
