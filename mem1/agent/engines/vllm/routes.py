"""The route by which a training gives new weights to a server of vLLM. It runs inside vLLM.

vLLM has routes for that, but only together with others that let anyone on the machine run
anything in the server, and without asking for its key. So this is a middleware
(``--middleware``) with one route, which asks for the key:

    POST /v1/mem1/weights  {"do": "load", "path": ..., "version": ...}

puts what is under way off with ``abort``, takes the weights, forgets all keys and values, and
stamps what is sampled from then on with ``version``. The other values of ``do`` are vLLM's
own calls, for weights that travel from GPU to GPU and for GPUs that are shared:
``init_weight_transfer_engine``, ``start_weight_update``, ``update_weights``,
``finish_weight_update``, ``sleep``, ``wake_up``, and ``count`` for the number of workers.
"""

import asyncio
import json
import os
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

PATH = "/v1/mem1/weights"

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class WeightRoute:
    """ASGI middleware around vLLM's application."""

    def __init__(self, app: Callable[[Message, Receive, Send], Awaitable[None]]) -> None:
        self._app = app
        self._key = os.environ.get("VLLM_API_KEY", "").encode()
        self._lock = asyncio.Lock()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer what is sent to the route, and pass everything else on."""
        if scope["type"] != "http" or scope["path"] != PATH:
            await self._app(scope, receive, send)
            return
        try:
            status, answer = await self._answer(scope, receive)
        except Exception as error:  # of vLLM: its caller is told, and decides
            status, answer = 500, {"error": f"{type(error).__name__}: {error}"}
        body = json.dumps(answer).encode()
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Message, receive: Receive) -> tuple[int, dict[str, Any]]:
        given = dict(scope["headers"]).get(b"authorization", b"")
        if self._key and not secrets.compare_digest(given, b"Bearer " + self._key):
            return 401, {"error": "Unauthorized"}
        if scope["method"] != "POST":
            return 405, {"error": "POST weights here."}
        request = json.loads(await _read(receive))
        async with self._lock:
            return await _do(scope["app"].state.engine_client, request)


async def _do(engine: Any, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Carry out ``request`` with vLLM's client of its engine."""
    do, version = request.get("do"), request.get("version")
    if do == "load":
        await engine.pause_generation(mode="abort", clear_cache=True)
        await engine.collective_rpc("mem1_load_file", args=(request["path"],))
        await _stamp(engine, str(version))
    elif do == "init_weight_transfer_engine":
        await engine.collective_rpc(do, kwargs={"init_info": request["info"]})
    elif do == "start_weight_update":
        await engine.pause_generation(mode="abort", clear_cache=True)
        await engine.collective_rpc(do)
    elif do == "update_weights":
        await engine.collective_rpc(do, kwargs={"update_info": request["info"]})
    elif do == "finish_weight_update":
        await engine.collective_rpc(do)
        await engine.collective_rpc("mem1_pack_heads")
        await _stamp(engine, str(version))
    elif do == "count":
        return 200, {"workers": engine.vllm_config.parallel_config.world_size}
    elif do == "sleep":
        await engine.sleep(level=1)
    elif do == "wake_up":
        await engine.wake_up()
    else:
        return 422, {"error": f"There is nothing called {do!r} to do."}
    return 200, {"done": do, "version": await engine.get_weight_version()}


async def _stamp(engine: Any, version: str) -> None:
    """Go on with the weights that are ``version``."""
    if not await engine.reset_prefix_cache():
        raise RuntimeError("vLLM keeps keys and values of old weights")
    await engine.update_weight_version(version)
    await engine.resume_generation()


async def _read(receive: Receive) -> bytes:
    """The body of a request."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("the request broke off")
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body
