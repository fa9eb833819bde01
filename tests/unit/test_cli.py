"""What a user can repair is one sentence and status 2, wherever in a command it happens."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from mem1 import cli, compose, make_tokenizer
from mem1.provenance import write_json
from mem1.records import Question, write_jsonl

ROOT = Path(__file__).parents[2]
TASKS = {
    "train_horizon": 2,
    "train_count": 1,
    "test_horizons": [2],
    "test_count": 1,
    "consecutive": False,
    "max_turns": {"2": 4},
}

A_FILE = "a file where a folder is needed: name another place."


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """What ``compose`` reads, and an empty folder and file to be taken for each other."""
    rows = [Question(id=n, text=f"{n}?", golds=[n], source="s") for n in ("a", "b")]
    write_jsonl(tmp_path / "questions.jsonl", rows)
    write_json(tmp_path / "tasks.json", TASKS)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    return tmp_path


def refused(
    main: object, arguments: Sequence[object], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> str:  # fmt: skip
    """The sentence of a command that does not work so."""
    monkeypatch.setattr(sys, "argv", ["command", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        cli.run(main)  # type: ignore[arg-type]
    assert caught.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    return line.removeprefix("error: ")


@pytest.mark.parametrize(
    ("option", "name", "sentence"),
    [
        ("--questions", "folder", "folder is a folder: name a file."),
        ("--config", "folder", "folder is a folder: name a file."),
        ("--output", "folder", "folder is a folder: name a file."),
        ("--config", "file/x.json", f"file/x.json is, or lies below, {A_FILE}"),
        ("--output", "file/deep/x.jsonl", f"file/deep is, or lies below, {A_FILE}"),
        ("--output", "file/x.jsonl", f"file is {A_FILE}"),
    ],
)
def test_a_place_of_another_kind_is_named(
    files: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    option: str,
    name: str,
    sentence: str,
) -> None:
    given: dict[str, object] = {
        "--config": files / "tasks.json",
        "--questions": files / "questions.jsonl",
        "--output": files / "test.jsonl",
        "--seed": 0,
        "--split": "test",
        "--horizon": 2,
    }
    given[option] = files / name
    line = refused(compose.main, [x for pair in given.items() for x in pair], monkeypatch, capsys)
    assert line == f"{files}/{sentence}"
    assert not [path for path in files.iterdir() if ".tmp-" in path.name]


def test_a_file_in_the_place_of_a_folder_is_named(
    files: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(
        make_tokenizer.main, ["--atlas", "--output-dir", files / "file"], monkeypatch, capsys
    )
    assert line == f"{files}/file is, or lies below, {A_FILE}"
    assert (files / "file").read_bytes() == b""


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.EACCES, "x.json may not be read or written: change its permissions"),
        (errno.EROFS, "x.json may not be read or written"),
        (errno.ENAMETOOLONG, "x.json is too long a name: choose a shorter one."),
        (errno.ENOSPC, "The disk is full (x.json): free some space."),
    ],
)
def test_what_the_system_refuses_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int, message: str
) -> None:
    def main(argv: Sequence[str]) -> None:
        raise OSError(number, os.strerror(number), "x.json")

    assert refused(main, [], monkeypatch, capsys).startswith(message)


def test_a_full_disk_without_a_name_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def main(argv: Sequence[str]) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    assert refused(main, [], monkeypatch, capsys).startswith("The disk is full (an output)")


def test_a_reader_that_leaves_early_is_no_fault() -> None:
    program = "from mem1 import cli; cli.run(lambda words: print('x' * 10**6))"
    line = [sys.executable, "-c", program]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    process.stdout.close()
    assert process.communicate()[1] == b""
    assert process.returncode == 128 + signal.SIGPIPE


def test_other_faults_keep_their_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def main(argv: Sequence[str]) -> None:
        subprocess.run(["no-such-program-as-this"], check=True)

    monkeypatch.setattr(sys, "argv", ["command"])
    with pytest.raises(FileNotFoundError):
        cli.run(main)


# When the second process is done, a thread of its group waits to let go of a tensor: Python does
# not give way to it (within 100 s) before its end, and there it may not have it any more.
IN_A_GROUP = """
import ctypes, sys, time, torch
from torch import distributed
from mem1 import cli
from mem1.errors import InputError

class Slow:
    def __del__(self, sleep=time.sleep):
        sleep(1)

def main(words):
    rank, store, fails = int(words[0]), words[1], words[2] == "True"
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    distributed.barrier()
    print("done", flush=True)
    time.sleep(1 - rank)
    distributed.all_reduce(torch.ones(1000), async_op=True)
    sys.setswitchinterval(100)
    ctypes.PyDLL(None).sleep(3)
    if fails:
        raise InputError("This is wrong.")

slow = Slow()
cli.run(main)
"""


@pytest.mark.parametrize("fails", [False, True])
def test_the_end_of_python_does_not_abort_a_process_of_a_group(fails: bool, tmp_path: Path) -> None:
    words = [f"file://{tmp_path}/store", str(fails)]
    first, second = [
        subprocess.Popen(
            [sys.executable, "-c", IN_A_GROUP, rank, *words],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in ("0", "1")
    ]  # fmt: skip
    said, complaint = second.communicate(timeout=120)
    first.communicate(timeout=120)
    assert (said, second.returncode) == ("done\n", 2 if fails else 0)
    assert complaint == ("error: This is wrong.\n" if fails else "")
