"""FAISS over vectors of length 1: exact, as a graph, or compressed (Douze et al., 2024).

Vectors are added in their order, in blocks of a fixed size and by one thread unless more are
asked for, so the same vectors and settings give the same bytes. With several threads the graph
of ``hnsw`` depends on who comes first. An index that is searched is mapped from its file:
processes that search in one share its memory.
"""

from pathlib import Path
from typing import Any

import faiss
import numpy as np

from mem1 import config_retrieval
from mem1.errors import InputError
from mem1.retrieval.vectors import Vectors

BLOCK = 65_536  # vectors added together
CODE_BITS = 8  # of a part of a compressed vector


def build(vectors: Vectors, settings: config_retrieval.Faiss, path: Path, threads: int) -> None:
    """Write the index of ``vectors`` to ``path``.

    Raises:
        InputError: the settings do not fit the vectors.
    """
    faiss.omp_set_num_threads(threads)
    index = _empty(vectors, settings)
    if settings.kind == "ivfpq":
        index.train(_examples(vectors, settings.train_on))
    if settings.kind == "flat":
        _fill(index, vectors)
    else:
        for block in vectors.blocks(BLOCK):
            index.add(block)
    faiss.write_index(index, str(path))


def _fill(index: Any, vectors: Vectors) -> None:
    """Add ``vectors`` to an empty flat index, whose memory is had at once.

    ``add`` makes room by doubling: on the way it would take up to twice the size of the index.
    """
    count, width = len(vectors), vectors.width
    index.codes.resize(count * width * 4)
    index.ntotal = count
    rows = faiss.rev_swig_ptr(index.get_xb(), count * width).reshape(count, width)
    start = 0
    for block in vectors.blocks(BLOCK):
        rows[start : start + len(block)] = block
        start += len(block)


def _empty(vectors: Vectors, settings: config_retrieval.Faiss) -> Any:
    width = vectors.width
    if settings.kind == "flat":
        return faiss.IndexFlatIP(width)
    if settings.kind == "hnsw":
        index: Any = faiss.IndexHNSWFlat(width, settings.links, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = settings.build_width
        return index
    if width % settings.parts:
        raise InputError(
            f"retrieval.dense.index.parts is {settings.parts}, and vectors have {width} numbers: "
            f"use a divisor of {width}."
        )
    examples = min(settings.train_on, len(vectors))
    if examples < max(settings.cells, 2**CODE_BITS):
        raise InputError(
            f"{settings.cells} cells of codes of {CODE_BITS} bits cannot be learned from "
            f"{examples} vectors: use fewer cells, more passages, or kind flat."
        )
    cells = faiss.IndexFlatIP(width)
    index = faiss.IndexIVFPQ(
        cells, width, settings.cells, settings.parts, CODE_BITS, faiss.METRIC_INNER_PRODUCT
    )
    index.cp.min_points_per_centroid = 1  # fewer than 39 is a warning, and small corpora are fine
    index.pq.cp.min_points_per_centroid = 1
    return index


def _examples(vectors: Vectors, count: int) -> np.ndarray:
    """At most ``count`` rows, evenly spread over the corpus."""
    count = min(count, len(vectors))
    return vectors.rows(np.arange(count) * len(vectors) // count)


def load(path: Path, settings: config_retrieval.Faiss, threads: int) -> Any:
    """The index at ``path``, to be searched as ``settings`` say.

    Raises:
        InputError: it is no index.
    """
    faiss.omp_set_num_threads(threads)
    try:
        index: Any = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise InputError(f"{path} is no FAISS index: rebuild the index.") from error
    if settings.kind == "hnsw":
        index.hnsw.efSearch = settings.search_width
    if settings.kind == "ivfpq":
        index.nprobe = settings.probes
    return _on_gpus(index) if settings.kind != "hnsw" else index


def _on_gpus(index: Any) -> Any:
    """``index`` in the memory of all GPUs, shared among them; as it is where there is none.

    Needs a build of FAISS with GPU support (``faiss-gpu-cu12`` in place of ``faiss-cpu``), which
    was not at hand: this step was never run. Graphs (``hnsw``) have no form for GPUs.
    """
    if not hasattr(faiss, "index_cpu_to_all_gpus") or faiss.get_num_gpus() == 0:
        return index
    options = faiss.GpuMultipleClonerOptions()
    options.shard = True  # 21 million vectors of E5 are 65 GB: more than one device holds
    return faiss.index_cpu_to_all_gpus(index, options)
