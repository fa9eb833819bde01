"""The index that the settings name, whatever is in it."""

from collections.abc import Sequence
from pathlib import Path

from mem1 import config_retrieval, provenance
from mem1.errors import InputError
from mem1.records import Passage


def build(
    passages: Sequence[Passage],
    shards: Sequence[Path],
    settings: config_retrieval.Retrieval,
    output_dir: Path,
    threads: int = 1,
) -> None:
    """Index ``passages`` into ``output_dir``, whole or not at all.

    Args:
        passages: all of them.
        shards: their vectors, for kinds dense and hybrid; see ``retrieval.vectors``.
        settings: the frozen section.
        output_dir: folder that holds such an index or nothing.
        threads: of FAISS.

    Raises:
        InputError: unusable passages, shards or settings, or another process builds there.
    """
    with provenance.exclusive(output_dir):
        if settings.kind == "bm25":
            from mem1.retrieval import bm25

            return bm25.build(passages, settings, output_dir)
        if settings.dense is None:
            raise InputError(f"Kind {settings.kind} searches in no index: there is none to build.")
        if not shards:
            raise InputError(
                f"An index of kind {settings.kind} is made of vectors: encode the passages with "
                f"mem1.encode_passages and name them with --vectors."
            )
        if settings.kind == "dense":
            from mem1.retrieval import dense

            return dense.build(passages, shards, settings.dense, output_dir, threads)
        from mem1.retrieval import hybrid

        return hybrid.build(passages, shards, settings, output_dir, threads)
