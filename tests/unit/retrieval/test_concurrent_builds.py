"""Two processes that build one dense index at the same time: one writes it, whole."""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

from mem1.config_retrieval import Retrieval
from mem1.provenance import file_digest, tree_digest, write_json
from mem1.records import Passage, write_jsonl
from mem1.retrieval import dense, vectors
from tests.unit.retrieval.encoders import HashEncoder
from tests.unit.retrieval.servers import ROOT
from tests.unit.retrieval.test_dense import section

COUNT = 200


def start(folder: Path, output: str, shard: str = "1-of-1.npy") -> subprocess.Popen[str]:
    """A build of the index of what is in ``folder``."""
    command = [sys.executable, "-m", "mem1.build_index", "--config", f"{folder}/retrieval.json"]
    command += ["--passages", f"{folder}/passages.jsonl", "--vectors", f"{folder}/{shard}"]
    return subprocess.Popen(
        [*command, "--output-dir", f"{folder}/{output}"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit status, and the last line of complaint."""
    errors = process.communicate(timeout=300)[1]
    return process.returncode, (errors.splitlines() or [""])[-1]


def opened(pipe: Path, reader: subprocess.Popen[str]) -> int:
    """The writing end of ``pipe``, as soon as ``reader`` waits at the other one."""
    while True:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
        assert reader.poll() is None, reader.communicate()[1]
        time.sleep(0.01)


def test_of_two_builds_into_one_folder_one_is_refused_and_the_other_is_whole(
    tmp_path: Path,
) -> None:
    pages = [Passage(id=f"p{i}", title=f"Page {i}", text=f"n{i:05}") for i in range(COUNT)]
    write_jsonl(tmp_path / "passages.jsonl", pages)
    chosen = section(kind="hnsw", build_width=200)
    settings = Retrieval(kind="dense", k=3, k1=1.5, b=0.75, dense=chosen)
    write_json(tmp_path / "retrieval.json", settings.model_dump(mode="json"))
    shard = tmp_path / "1-of-1.npy"
    vectors.encode_shard(HashEncoder(width=64), tmp_path / "passages.jsonl", 1, 1, shard)
    slow = tmp_path / "slow.npy"  # the same vectors, whose manifest comes when the test says so
    slow.symlink_to(shard)
    manifest = vectors.manifest_path(shard).read_bytes()
    os.mkfifo(vectors.manifest_path(slow))

    first = start(tmp_path, "index", slow.name)
    pipe = opened(vectors.manifest_path(slow), first)  # it has the lock, and is at work
    try:
        status, complaint = ended(start(tmp_path, "index"))
        assert not (tmp_path / "index").exists()
        os.write(pipe, manifest)
    finally:
        os.close(pipe)
    assert status == 2
    assert "Another process is writing" in complaint
    assert ended(first) == (0, "")
    assert ended(start(tmp_path, "alone")) == (0, "")
    assert tree_digest(tmp_path / "index") == tree_digest(tmp_path / "alone")
    found = dense.load(
        chosen, tmp_path / "index", tmp_path / "passages.jsonl", encoder=HashEncoder(width=64)
    )
    assert found.search(["n00007"], 1)[0][0].passage.id == "p7"
    assert found.passages.corpus == file_digest(tmp_path / "passages.jsonl")
    assert not list(tmp_path.glob(".*.tmp-*"))
