"""JSON over HTTP that outlasts a server which is slow, restarting, or half gone.

A request is sent again when the connection fails, the answer does not come in time, breaks
off or is no JSON, or the server says that the fault is its own (5xx) or that it is busy (408,
429). Waits double, up to a limit, with jitter from a named stream. All else is an error at
once. Each attempt has a connection of its own, so none is left over from a server that has
died; redirects are not followed, because they would carry headers to another host.
"""

import http.client
import json
import logging
import re
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from mem1.errors import InputError
from mem1.seeding import stream

LATER = frozenset({408, 429})  # refusals that say nothing against the request

_HALF = re.compile("[\ud800-\udfff]")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for; together about three minutes if it refuses at once."""

    attempts: int = 12
    timeout: float = 60.0  # seconds for a connection, and for each piece of an answer
    first: float = 0.25  # seconds before the second attempt
    longest: float = 30.0  # seconds between two attempts, at most

    def wait(self, failures: int, jitter: Random) -> float:
        """Seconds to wait after so many failures: half of it fixed, half of it random."""
        return min(self.longest, self.first * 2 ** (failures - 1)) * (0.5 + jitter.random() / 2)


@dataclass(frozen=True)
class Reply:
    """A good answer."""

    value: Any
    headers: Mapping[str, str]  # names in lower case


class RefusedError(InputError):
    """The server refused the request itself; sending it again would change nothing."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class _Failure(Exception):  # noqa: N818 - never leaves this module
    """One attempt that may be repeated."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any, **names: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirects)


def call(
    url: str,
    body: Any = None,
    *,
    headers: Mapping[str, str] | None = None,
    patience: Patience,
    fix: str,
) -> Reply:
    """POST ``body`` as JSON to ``url``, or GET it where there is none.

    Args:
        url: http or https; it may stand in messages, so it holds no secret.
        body: JSON value, or None.
        headers: sent along; their values never stand in a message.
        patience: how often and how long.
        fix: what the user can do if it does not work, for the message.

    Raises:
        RefusedError: the server refuses the request (4xx, or a redirect).
        InputError: no good answer after all attempts.
    """
    data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
    # Of `Bearer KEY` the key alone: a server that complains of it repeats just that.
    secrets = [value.split()[-1] for value in (headers or {}).values() if value.strip()]
    sent = {"Accept": "application/json", **(headers or {})}
    if data is not None:
        sent["Content-Type"] = "application/json"
    jitter = stream(0, "retry", url, data or b"")
    for failures in range(1, patience.attempts + 1):
        try:
            return _attempt(url, data, sent, patience.timeout, secrets, fix)
        except _Failure as failure:
            reason = str(failure)
        if failures < patience.attempts:
            seconds = patience.wait(failures, jitter)
            _log.warning("%s: %s; attempt %d in %.1f s", url, reason, failures + 1, seconds)
            time.sleep(seconds)
    raise InputError(f"{url} gave no answer in {patience.attempts} attempts ({reason}): {fix}.")


def _attempt(
    url: str,
    data: bytes | None,
    headers: dict[str, str],
    timeout: float,
    secrets: list[str],
    fix: str,
) -> Reply:
    request = urllib.request.Request(url, data, headers)
    try:
        with _opener.open(request, timeout=timeout) as response:
            text = response.read()
            names = {name.lower(): value for name, value in response.headers.items()}
    except urllib.error.HTTPError as error:
        with error:
            said = _said(error, secrets)
        if error.code >= 500 or error.code in LATER:
            raise _Failure(f"status {error.code}{said}") from None
        raise RefusedError(
            f"{url} refuses the request (status {error.code}{said}): {fix}.", error.code
        ) from None
    except (http.client.InvalidURL, UnicodeError) as error:  # such as two dots in a row
        raise InputError(f"{url} is no address ({error}): {fix}.") from None
    except urllib.error.URLError as error:
        raise _Failure(f"no connection: {error.reason}") from None
    except TimeoutError:
        raise _Failure(f"no answer within {timeout:g} s") from None
    except (http.client.HTTPException, OSError) as error:
        raise _Failure(f"the answer broke off: {type(error).__name__}") from None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise _Failure("the answer is no JSON") from None
    return Reply(_whole(value) if b"\\u" in text else value, names)


def _whole(value: Any) -> Any:
    """``value`` with U+FFFD for each half of a surrogate pair.

    Services that cut texts by UTF-16 units send such halves (``"\\ud83d"``), and nothing after
    this could encode them.
    """
    if isinstance(value, str):
        return _HALF.sub("\ufffd", value)
    if isinstance(value, list):
        return [_whole(one) for one in value]
    if isinstance(value, dict):
        return {_whole(name): _whole(one) for name, one in value.items()}
    return value


def _said(error: urllib.error.HTTPError, secrets: list[str]) -> str:
    """The beginning of what the server said, without anything secret that it repeats."""
    try:
        text = error.read(4096).decode("utf-8", "replace")
    except (http.client.HTTPException, OSError):
        return ""
    for secret in secrets:
        text = text.replace(secret, "(secret)")
    text = " ".join(text.split())[:200]
    return f", {text}" if text else ""
