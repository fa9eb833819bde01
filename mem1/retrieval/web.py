"""Web search through Serper's JSON API: what the paper calls online web-QA.

    POST {"q": "...", "num": 10} with the header X-API-KEY
    -> {"organic": [{"title": "...", "link": "https://...", "snippet": "..."}]}

Each result becomes a passage with title, snippet and URL; no page is fetched, as in the
paper. The web changes, so a digest cannot stand for what is found: record the answers
(``retrieval.cache``) to have the same ones again.

The key comes from the environment variable SERPER_API_KEY, and goes into a header of the
request and nowhere else.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mem1 import keys
from mem1.errors import InputError
from mem1.provenance import json_digest
from mem1.records import Passage
from mem1.retrieval.base import Hit
from mem1.retrieval.transport import Patience, call

KEY = "SERPER_API_KEY"
TOGETHER = 8  # requests under way at a time

_FIX = f"check {KEY}, what is left of your quota, and retrieval.web.url"


class WebRetriever:
    """Searches the web, one request for each query."""

    def __init__(
        self, url: str, results: int, patience: Patience | None = None, key: str | None = None
    ) -> None:
        """Prepare to ask the API at ``url`` for so many ``results`` a query.

        ``key`` is for a server that is not Serper's; theirs is in SERPER_API_KEY.

        Raises:
            InputError: SERPER_API_KEY is not set, or can be no key.
        """
        key = keys.read(KEY) if key is None else key
        if not key:
            raise InputError(
                f"Web search needs a key: set the environment variable {KEY}, or replay recorded "
                f"answers (retrieval.cache: replay)."
            )
        self._url = url
        self._results = results
        self._patience = patience or Patience()
        self._headers = {"X-API-KEY": key}
        self.digest = json_digest({"web": url, "results": results})

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """At most ``k`` results for each query, in the order of the search engine.

        Raises:
            ValueError: ``k`` is not positive.
            InputError: the API refuses a request, or does not answer.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, not {k}")
        with ThreadPoolExecutor(TOGETHER) as pool:
            return [found[:k] for found in pool.map(self._ask, queries)]

    def _ask(self, query: str) -> list[Hit]:
        if not query.strip():
            return []  # the API refuses it
        body = {"q": query, "num": self._results}
        reply = call(self._url, body, headers=self._headers, patience=self._patience, fix=_FIX)
        found = reply.value.get("organic", []) if isinstance(reply.value, dict) else None
        if not isinstance(found, list):
            raise InputError(f"{self._url} does not speak Serper's format: correct it.")
        passages: dict[str, Passage] = {}
        for passage in map(_passage, found):
            if passage.id:
                passages.setdefault(passage.id, passage)  # the first is the best of equal ones
        best_first = list(passages.values())[: self._results]
        return [Hit(passage, -float(rank)) for rank, passage in enumerate(best_first)]


def _passage(item: Any) -> Passage:
    """A result as a passage; one without a link has no id."""
    fields = item if isinstance(item, dict) else {}
    title, link, snippet = (str(fields.get(name) or "") for name in ("title", "link", "snippet"))
    return Passage(id=link, title=title, text=f"{snippet} {link}".strip())
