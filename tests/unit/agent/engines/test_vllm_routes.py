"""The route for weights in front of an application that the test writes."""

import asyncio
from typing import Any

import pytest

from mem1.agent.engines.vllm.routes import PATH, WeightRoute


@pytest.mark.parametrize("given", [b"", b"Bearer guess", b"Bearer \xe9", b"secret"])
def test_another_key_is_refused(given: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_API_KEY", "secret")
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "path": PATH, "method": "POST"}
    scope["headers"] = [(b"authorization", given)]
    asyncio.run(WeightRoute(None)(scope, None, send))
    assert sent[0]["status"] == 401
