"""Kept answers: asked once, the same for all processes, replayed without anything else."""

import multiprocessing
import os
import signal
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from mem1.config_retrieval import Retrieval
from mem1.errors import InputError
from mem1.records import Passage
from mem1.retrieval.base import Hit
from mem1.retrieval.cache import Cache, Recording, Replay
from mem1.retrieval.open import open_retriever
from tests.unit.retrieval.servers import SETTINGS, indexed

NOWHERE = Path("nowhere")


class Changing:
    """Finds something else each time it is asked, and counts; like the web."""

    def __init__(self, digest: str = "web", name: str = "") -> None:
        self.digest = digest
        self.asked: list[str] = []
        self._name = name

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        self.asked += queries
        text = f"{self._name} {len(self.asked)}"
        return [
            [Hit(Passage(id=q, title=q, text=text), 0.1 + n) for n in range(k)] for q in queries
        ]


def recording(path: Path, retriever: Changing) -> Recording:
    return Recording(retriever, Cache(path, "record"))


def test_a_query_is_asked_once_and_then_replayed(tmp_path: Path) -> None:
    web = Changing()
    first = recording(tmp_path / "c.sqlite", web).search(["a", "b", "a"], 2)
    again = recording(tmp_path / "c.sqlite", web).search(["b", "a"], 2)
    assert web.asked == ["a", "b"]
    assert again == [first[1], first[0]]
    assert Replay(tmp_path / "c.sqlite").search(["a", "b"], 2) == first[:2]


def test_answers_depend_on_the_number_of_passages_and_on_the_retriever(tmp_path: Path) -> None:
    web, other = Changing(), Changing("other")
    kept = recording(tmp_path / "c.sqlite", web)
    assert [len(kept.search(["a"], k)[0]) for k in (1, 2)] == [1, 2]
    recording(tmp_path / "c.sqlite", other).search(["a"], 1)
    assert (web.asked, other.asked) == (["a", "a"], ["a"])


ODD = ["", " ", "a\x00b", "a\x00c", "</search>", "' OR 1=1 --", "\u2028é\U0001f600", "x" * 100_000]


def test_any_text_is_a_query(tmp_path: Path) -> None:
    kept = recording(tmp_path / "c.sqlite", Changing())
    first = [kept.search([query], 1)[0] for query in ODD]
    assert Replay(tmp_path / "c.sqlite").search(ODD, 1) == first
    assert [hits[0].passage.id for hits in first] == ODD


def test_nothing_found_is_kept_too(tmp_path: Path) -> None:
    retriever = indexed(tmp_path)
    assert Recording(retriever, Cache(tmp_path / "c", "record")).search(["zzz"], 3) == [[]]
    assert Replay(tmp_path / "c").search(["zzz"], 3) == [[]]


def test_a_replay_is_what_was_found_to_the_last_bit(tmp_path: Path) -> None:
    retriever = indexed(tmp_path)
    queries = ["York", "Ann", "company glass"]
    Recording(retriever, Cache(tmp_path / "c", "record")).search(queries, 3)
    replay = Replay(tmp_path / "c")
    assert replay.digest == retriever.digest
    assert replay.search(queries, 3) == retriever.search(queries, 3)


def test_a_replay_fails_on_a_query_that_was_not_recorded_and_names_it(tmp_path: Path) -> None:
    recording(tmp_path / "c.sqlite", Changing()).search(["a"], 2)
    with pytest.raises(InputError, match=r"no answer to 'who is\?' with k 2: record it"):
        Replay(tmp_path / "c.sqlite").search(["a", "who is?"], 2)
    with pytest.raises(InputError, match="no answer to 'a' with k 3"):
        Replay(tmp_path / "c.sqlite").search(["a"], 3)


def test_a_replay_of_several_retrievers_is_told_which(tmp_path: Path) -> None:
    for name in ("one", "two"):
        recording(tmp_path / "c", Changing(name, name)).search(["a"], 1)
    with pytest.raises(InputError, match="answers of 2 retrievers"):
        Replay(tmp_path / "c")
    assert Replay(tmp_path / "c", "two").search(["a"], 1)[0][0].passage.text == "two 1"
    with pytest.raises(InputError, match="no answers of three"):
        Replay(tmp_path / "c", "three")


def test_a_replay_needs_no_right_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "kept"
    cache = Cache(folder / "c", "record")
    Recording(Changing(), cache).search(["a"], 1)
    cache.close()
    (folder / "c").chmod(0o400)
    folder.chmod(0o500)
    # Nothing is forbidden to root: it is told all the same, and the file is opened as for others.
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    try:
        assert len(Replay(folder / "c").search(["a"], 1)) == 1
    finally:
        folder.chmod(0o700)


def test_answers_that_a_killed_recording_left_in_its_log_are_not_overlooked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(tmp_path / "c", "record")
    Recording(Changing(), cache).search(["a"], 1)  # and not closed
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    with pytest.raises(InputError, match=r"has answers in c-wal .* copy both to one that can"):
        Replay(tmp_path / "c")
    cache.close()


@pytest.mark.parametrize("mode", ["record", "replay"])
def test_a_file_that_is_no_database_of_answers_is_named_and_left_alone(
    tmp_path: Path, mode: str
) -> None:
    (tmp_path / "text").write_text("not a database " * 99)
    with sqlite3.connect(tmp_path / "other") as other:
        other.execute("CREATE TABLE runs (id INTEGER)")
    other.close()
    for name in ("text", "other"):
        with pytest.raises(InputError, match=f"{name} cannot be used as a database of answers"):
            Cache(tmp_path / name, "record" if mode == "record" else "replay")
    assert (tmp_path / "text").read_text().startswith("not a database")


def test_a_damaged_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "c"
    kept = Cache(path, "record")
    hit = Hit(Passage(id="p", title="", text="x" * 900), 1.0)
    kept.add("web", 1, [(str(number), [hit]) for number in range(99)])
    kept.close()
    whole = path.read_bytes()
    half = len(whole) // 2  # what is looked at when it is opened is in the first
    path.write_bytes(whole[:half] + b"\xff" * half)
    with pytest.raises(InputError, match="c is damaged"):
        Replay(path)


def test_there_must_be_something_to_replay(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist: record it first"):
        Replay(tmp_path / "none")
    Cache(tmp_path / "empty", "record").close()
    with pytest.raises(InputError, match="holds no answers"):
        Replay(tmp_path / "empty")


def test_a_failed_search_keeps_nothing(tmp_path: Path) -> None:
    class Failing(Changing):
        def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
            raise InputError("the web is down")

    with pytest.raises(InputError, match="the web is down"):
        recording(tmp_path / "c", Failing()).search(["a"], 1)
    assert Cache(tmp_path / "c", "record").retrievers() == []


def write(
    path: Path, name: str, seen: "multiprocessing.Queue[list[str]]", searches: int = 60
) -> None:
    """A process that searches a web of its own, two queries at a time, and reports."""
    kept = recording(path, Changing(name=name))
    found = [kept.search([str(n), str(n + 1)], 1) for n in range(searches)]
    seen.put([hits[0].passage.text for pair in found for hits in pair])


def test_processes_that_write_at_a_time_all_see_what_will_be_replayed(tmp_path: Path) -> None:
    spawned = multiprocessing.get_context("spawn")
    seen: multiprocessing.Queue[list[str]] = spawned.Queue()
    names = ["a", "b", "c", "d"]
    writers = [
        spawned.Process(target=write, args=(tmp_path / "c.sqlite", name, seen)) for name in names
    ]
    for writer in writers:
        writer.start()
    texts = [seen.get(timeout=120) for _ in writers]
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0] * len(names)
    queries = [str(m) for n in range(60) for m in (n, n + 1)]
    replayed = [hits[0].passage.text for hits in Replay(tmp_path / "c.sqlite").search(queries, 1)]
    assert texts == [replayed] * len(names)


def holds_answers(path: Path) -> bool:
    try:
        Replay(path)
    except InputError:
        return False
    return True


def test_a_writer_that_is_killed_leaves_a_database_that_works(tmp_path: Path) -> None:
    spawned = multiprocessing.get_context("spawn")
    path = tmp_path / "c.sqlite"
    seen: multiprocessing.Queue[list[str]] = spawned.Queue()  # gone, the writer could not start
    writer = spawned.Process(target=write, args=(path, "a", seen, 10**6))
    writer.start()
    while not holds_answers(path):
        assert writer.is_alive()
        time.sleep(0.005)
    writer.kill()
    writer.join()
    assert writer.exitcode == -signal.SIGKILL
    kept = recording(path, Changing(name="b"))
    assert kept.search(["new"], 1)[0][0].passage.text == "b 1"
    assert Replay(path).search(["new"], 1) == kept.search(["new"], 1)
    assert Replay(path).search(["0"], 1)[0][0].passage.text.startswith("a ")


def settings(**changes: object) -> Retrieval:
    return Retrieval.model_validate({**SETTINGS.model_dump(), **changes})


def test_the_settings_open_a_recording_and_a_replay_without_index(tmp_path: Path) -> None:
    retriever = indexed(tmp_path)
    passages = tmp_path / "passages.jsonl"
    for cache in ("off", "record"):
        opened = open_retriever(
            settings(cache=cache), tmp_path / "index", passages, cache=tmp_path / "c"
        )
        assert opened.search(["York"], 3) == retriever.search(["York"], 3)
    replay = open_retriever(settings(cache="replay"), None, NOWHERE, cache=tmp_path / "c")
    assert replay.search(["York"], 3) == retriever.search(["York"], 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"cache": "record"}, "--cache"), ({"cache": "replay"}, "--cache"), ({}, "--index")],
)
def test_the_settings_ask_for_the_files_they_need(changes: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_retriever(settings(**changes), None, NOWHERE)


def test_a_plain_off_in_yaml_is_off() -> None:
    assert settings(cache=False).cache == "off"
