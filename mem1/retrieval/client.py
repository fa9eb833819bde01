"""A retriever behind HTTP: any server of the format in ``retrieval.wire``.

What goes wrong on the way is an error that ends the command, or it is repaired by asking
again; it never becomes a result, so the agent cannot read it. Servers of this project say
who they are (``GET /health``), so a search over HTTP has the digest it would have in process,
and a server that comes back with another index, or searches other passages, is noticed.
"""

from collections.abc import Sequence
from typing import Any

from mem1 import keys
from mem1.errors import InputError
from mem1.provenance import json_digest
from mem1.retrieval import wire
from mem1.retrieval.base import Hit
from mem1.retrieval.transport import Patience, RefusedError, Reply, call

AT_ONCE = 64  # queries of one request: below what servers accept

_FIX = "start the server (python -m mem1.serve_retriever), or correct retrieval.url"


class HTTPRetriever:
    """Searches at a server.

    ``digest`` is that of the retriever behind it, and ``passages`` that of what it searches in
    (``retrieval.passages.corpus_digest``), where the server says so.
    """

    def __init__(
        self, url: str, corpus: str | None = None, patience: Patience | None = None
    ) -> None:
        """Ask the server at ``url`` who it is.

        Args:
            url: address of the server, without ``/retrieve``.
            corpus: name of what a server that does not say who it is searches in.
            patience: how long to wait for the server.

        A server that wants a token gets the one in MEM1_RETRIEVER_TOKEN.

        Raises:
            InputError: no server answers, or it does not say who it is and has no ``corpus``.
        """
        self._url = url.rstrip("/").removesuffix("/retrieve")
        self._patience = patience or Patience()
        token = keys.read(keys.RETRIEVER_TOKEN)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._known = True
        self.passages: str | None = None
        self.digest = self._identity(corpus)

    def _identity(self, corpus: str | None) -> str:
        try:
            said = self._call("health").value
        except RefusedError as error:
            if error.status not in {404, 405}:
                raise
            said = {}
        said = said if isinstance(said, dict) else {}
        digest, passages = said.get("digest"), said.get("corpus")
        if isinstance(digest, str) and digest:
            self.passages = passages if isinstance(passages, str) else None
            return digest
        self._known = False
        if corpus is None:
            raise InputError(
                f"{self._url} does not say which passages it searches: name them in "
                f"retrieval.corpus."
            )
        return json_digest({"url": self._url, "corpus": corpus})

    def _call(self, route: str, body: Any = None) -> Reply:
        url = f"{self._url}/{route}"
        try:
            return call(url, body, headers=self._headers, patience=self._patience, fix=_FIX)
        except RefusedError as error:
            if error.status != 401:
                raise
            raise InputError(
                f"{self._url} wants another token: set the environment variable "
                f"{keys.RETRIEVER_TOKEN} to that of the server."
            ) from error

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """At most ``k`` hits for each query, best first.

        Raises:
            ValueError: ``k`` is not positive.
            InputError: the server does not answer, refuses, or is another one than before.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        found: list[list[Hit]] = []
        for start in range(0, len(queries), AT_ONCE):
            found += self._ask(list(queries[start : start + AT_ONCE]), k)
        return found

    def _ask(self, queries: list[str], k: int) -> list[list[Hit]]:
        url = f"{self._url}/retrieve"
        body = {"queries": queries, "topk": k, "return_scores": True}
        reply = self._call("retrieve", body)
        answered = reply.headers.get(wire.DIGEST_HEADER, self.digest)
        if self._known and answered != self.digest:
            raise InputError(
                f"{self._url} searches another index than when this command started "
                f"({answered[:12]} instead of {self.digest[:12]}): serve the same one, or start "
                f"again."
            )
        try:
            return wire.hits_of(reply.value, len(queries), k)
        except ValueError as error:
            raise InputError(
                f"{url} does not speak the format of Search-R1's retrieval server ({error}): "
                f"correct retrieval.url."
            ) from error
