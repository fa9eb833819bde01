"""What every retriever offers, whatever is behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mem1.records import Passage


@dataclass(frozen=True)
class Hit:
    """One retrieved passage; a higher ``score`` is better, comparable within one query."""

    passage: Passage
    score: float


class Retriever(Protocol):
    """Anything that finds passages for queries."""

    @property
    def digest(self) -> str:
        """sha256 of all that decides a result: corpus, settings and implementation."""
        ...

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """At most ``k`` hits for each query, best first, in the order of ``queries``.

        The result for a query does not depend on the other queries of the call.
        """
        ...
