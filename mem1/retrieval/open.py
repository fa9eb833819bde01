"""The retriever that the settings name, whatever is behind it."""

import argparse
import os
from pathlib import Path

from mem1 import cli
from mem1.config_retrieval import Retrieval
from mem1.errors import InputError
from mem1.provenance import write_json
from mem1.retrieval.base import Retriever
from mem1.stages import TrainingRun


def open_retriever(
    settings: Retrieval | None,
    index_dir: Path | None,
    passages_path: Path,
    threads: int = 1,
    cache: Path | None = None,
    cache_digest: str | None = None,
) -> Retriever:
    """The retriever of ``settings``: kept answers, a server, the web, or an index.

    Args:
        settings: the frozen section; None: BM25, whose index knows all that a search needs.
        index_dir: what ``mem1.build_index`` wrote with these settings, where they need it.
        passages_path: the passages (JSONL) that it was built from.
        threads: of an encoder and of the search in its index; BM25 has one.
        cache: database of answers, where the settings record or replay.
        cache_digest: replay only: of the retriever whose answers to give, if it has several.

    Raises:
        InputError: something is missing, changed, or was made for other settings or passages.
    """
    if settings is None or settings.cache == "off":
        return _asked(settings, index_dir, passages_path, threads)
    from mem1.retrieval.cache import Cache, Recording, Replay

    if cache is None:
        raise InputError(f"retrieval.cache is {settings.cache}: name the database with --cache.")
    if settings.cache == "replay":
        return Replay(cache, cache_digest)
    retriever = _asked(settings, index_dir, passages_path, threads)
    return Recording(retriever, Cache(cache, "record"))


def open_for(
    arguments: argparse.Namespace, settings: Retrieval | None, passages_path: Path
) -> Retriever:
    """The retriever of a command that has the arguments of ``cli.add_retrieval``.

    Raises:
        InputError: see ``open_retriever``.
    """
    index: Path | None = arguments.index
    cache: Path | None = arguments.cache
    folder = os.environ.get("MEM1_RETRIEVAL_CACHE")
    if cache is None and folder and index is not None:
        cache = Path(folder, f"{index.name}.sqlite")
    return open_retriever(
        settings, index, passages_path, arguments.threads, cache, arguments.cache_digest
    )


def open_for_training(arguments: argparse.Namespace, passages_path: Path) -> tuple[Retriever, Path]:
    """The retriever of a training command, and the file or folder that identifies it.

    That is the index, or, where none is searched, a file with the digest of the retriever: a
    training goes on only if it is the same one.

    Raises:
        InputError: see ``open_retriever``.
    """
    settings = cli.read_section(arguments.config, TrainingRun).retrieval
    retriever = open_for(arguments, settings, passages_path)
    if settings.searches_index:
        return retriever, arguments.index
    path = arguments.output_dir / "retriever.json"
    write_json(path, {"digest": retriever.digest})
    return retriever, path


def _asked(
    settings: Retrieval | None, index_dir: Path | None, passages_path: Path, threads: int
) -> Retriever:
    """The retriever itself, without anything that keeps its answers."""
    if settings is not None and settings.web is not None and settings.kind == "web":
        from mem1.retrieval.web import WebRetriever

        return WebRetriever(settings.web.url, settings.web.results)
    if settings is not None and settings.url is not None:
        from mem1.retrieval import passages
        from mem1.retrieval.client import HTTPRetriever

        if not isinstance(settings.url, str):
            raise InputError("retrieval.url names servers by split: give a command one address.")
        remote = HTTPRetriever(settings.url, settings.corpus)
        if remote.passages and passages.holding(passages_path, remote.passages) is None:
            raise InputError(
                f"{settings.url} searches other passages than those in {passages_path}: serve "
                f"these, or correct retrieval.url."
            )
        return remote
    if index_dir is None:
        raise InputError("These settings search in an index: name its folder with --index.")
    if settings is None or settings.dense is None or settings.kind == "bm25":
        from mem1.retrieval import bm25

        return bm25.load(index_dir, passages_path)
    if settings.kind == "dense":
        from mem1.retrieval import dense

        return dense.load(settings.dense, index_dir, passages_path, threads)
    from mem1.retrieval import hybrid

    return hybrid.load(settings, index_dir, passages_path, threads)
