"""Answers of a retriever, kept in a database: asked once, given again, replayed anywhere.

``record`` gives the kept answer to a query or asks and keeps; ``replay`` gives kept answers
only, and needs neither an index nor a network. Answers are kept under the digest of the
retriever, the query and ``k``. Several processes may write to one database (SQLite with a
write-ahead log, so on a local disk): the first answer to a query stays, and the others give
that one too, so that what was seen is what will be replayed.
"""

import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from mem1.errors import InputError
from mem1.records import Passage
from mem1.retrieval.base import Hit, Retriever

VERSION = 1
PATIENCE = 120  # seconds to wait for other writers

_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    retriever TEXT NOT NULL, query TEXT NOT NULL, k INTEGER NOT NULL, hits TEXT NOT NULL,
    PRIMARY KEY (retriever, query, k)
) WITHOUT ROWID
"""


class Cache:
    """The database at ``path``."""

    def __init__(self, path: Path, mode: Literal["record", "replay"]) -> None:
        """Open the database; to record, make it if there is none.

        Raises:
            InputError: there is nothing to replay, or it is no database of answers.
        """
        self._path = path
        self._lock = threading.Lock()
        if mode == "replay" and not path.is_file():
            raise InputError(f"{path} does not exist: record it first (retrieval.cache: record).")
        try:
            self._database = self._recording() if mode == "record" else self._reading()
            [[version]] = self._rows("PRAGMA user_version")
            self._rows("SELECT 1 FROM answers LIMIT 1")
        except sqlite3.Error as error:
            raise InputError(
                f"{path} cannot be used as a database of answers ({error}): name another file."
            ) from error
        if version != VERSION:
            raise InputError(f"{path} has another version ({version}): record it again.")

    def _recording(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(
            self._path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
        )
        # Turning the log on needs the file alone, and SQLite does not always wait for that.
        until = time.monotonic() + PATIENCE
        while True:
            try:
                database.execute("PRAGMA journal_mode=WAL")
                break
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > until:
                    raise
                time.sleep(0.01)
        database.execute("BEGIN IMMEDIATE")
        [version] = database.execute("PRAGMA user_version").fetchone()
        [tables] = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if version == 0 and tables == 0:
            database.execute(_SCHEMA)
            database.execute(f"PRAGMA user_version={VERSION}")
        database.execute("COMMIT")
        return database

    def _reading(self) -> sqlite3.Connection:
        address = self._path.absolute().as_uri() + "?mode=ro"
        if not os.access(self._path.parent, os.W_OK):
            log = self._path.with_name(f"{self._path.name}-wal")
            if log.is_file() and log.stat().st_size:
                raise InputError(
                    f"{self._path} has answers in {log.name} that nobody put in their place, and "
                    f"its folder cannot be written: copy both to one that can."
                )
            address += "&immutable=1"  # nobody can write there, and SQLite no log
        return sqlite3.connect(
            address, uri=True, timeout=PATIENCE, isolation_level=None, check_same_thread=False
        )

    def retrievers(self) -> list[str]:
        """Digests of the retrievers whose answers are kept.

        Raises:
            InputError: the database is damaged.
        """
        try:
            rows = self._rows("SELECT DISTINCT retriever FROM answers ORDER BY 1")
        except sqlite3.Error as error:
            raise self._damaged(error) from error
        return [digest for [digest] in rows]

    def get(self, digest: str, query: str, k: int) -> list[Hit] | None:
        """The kept answer, or None.

        Raises:
            InputError: the database is damaged.
        """
        try:
            rows = self._rows(
                "SELECT hits FROM answers WHERE retriever = ? AND query = ? AND k = ?",
                (digest, query, k),
            )
            return _hits(rows[0][0]) if rows else None
        except (sqlite3.Error, ValueError) as error:
            raise self._damaged(error) from error

    def add(self, digest: str, k: int, answers: Iterable[tuple[str, list[Hit]]]) -> None:
        """Keep answers to queries, all or none of them; those that are kept already stay.

        Raises:
            InputError: they cannot be written.
        """
        rows = [(digest, query, k, _text(hits)) for query, hits in answers]
        with self._lock:
            try:
                self._database.execute("BEGIN IMMEDIATE")
                self._database.executemany("INSERT OR IGNORE INTO answers VALUES (?,?,?,?)", rows)
                self._database.execute("COMMIT")
            except sqlite3.Error as error:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise InputError(
                    f"{self._path} cannot be written ({error}): free the disk, or name another "
                    f"file."
                ) from error

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def _rows(self, question: str, values: tuple[str | int, ...] = ()) -> list[tuple[Any, ...]]:
        """The answer of the database, one thread at a time."""
        with self._lock:
            return self._database.execute(question, values).fetchall()

    def _damaged(self, error: Exception) -> InputError:
        return InputError(f"{self._path} is damaged ({error}): record it again.")


def _text(hits: list[Hit]) -> str:
    rows = [[hit.passage.id, hit.passage.title, hit.passage.text, hit.score] for hit in hits]
    return json.dumps(rows, ensure_ascii=False)


def _hits(text: str) -> list[Hit]:
    return [Hit(Passage(id=i, title=t, text=x), float(s)) for i, t, x, s in json.loads(text)]


class Recording:
    """A retriever that is asked only what is not kept yet."""

    def __init__(self, retriever: Retriever, cache: Cache) -> None:
        self._retriever = retriever
        self._cache = cache
        self.digest = retriever.digest

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """What the retriever finds, or found when it was asked first.

        Raises:
            InputError: the retriever fails, or the database does.
        """
        kept = {query: self._cache.get(self.digest, query, k) for query in queries}
        missing = [query for query, hits in kept.items() if hits is None]
        if missing:
            found = self._retriever.search(missing, k)
            self._cache.add(self.digest, k, zip(missing, found, strict=True))
            # Another process may have been first: then its answer is the one that counts.
            kept |= {query: self._cache.get(self.digest, query, k) for query in missing}
        return [list(kept[query] or []) for query in queries]


class Replay:
    """Kept answers in the place of a retriever."""

    def __init__(self, path: Path, digest: str | None = None) -> None:
        """Replay the database at ``path``.

        Args:
            path: the database.
            digest: of the retriever whose answers to give; needed where there are several.

        Raises:
            InputError: there is nothing to replay, or not from one retriever.
        """
        self._path = path
        self._cache = Cache(path, "replay")
        kept = self._cache.retrievers()
        if digest is None and len(kept) > 1:
            raise InputError(
                f"{path} holds answers of {len(kept)} retrievers "
                f"({', '.join(name[:12] for name in kept)}): name one of them with "
                f"--cache-digest, or record into a file of its own."
            )
        if not kept:
            raise InputError(f"{path} holds no answers: record some (retrieval.cache: record).")
        self.digest = next((name for name in kept if digest and name.startswith(digest)), kept[0])
        if digest is not None and not self.digest.startswith(digest):
            raise InputError(f"{path} holds no answers of {digest}: it has {', '.join(kept)}.")

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """The kept answers.

        Raises:
            InputError: there is none for a query; the message names it.
        """
        found = []
        for query in queries:
            hits = self._cache.get(self.digest, query, k)
            if hits is None:
                raise InputError(
                    f"{self._path} holds no answer to {query!r} with k {k}: record it with "
                    f"retrieval.cache: record."
                )
            found.append(hits)
        return found
