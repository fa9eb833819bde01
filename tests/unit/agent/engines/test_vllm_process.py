"""A server's processes end with the command that started it, however that ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mem1.agent.engines.vllm.arguments import engine_arguments
from mem1.agent.engines.vllm.process import ServerProcess
from mem1.config_vllm import Vllm
from mem1.errors import InputError

ROOT = Path(__file__).parents[4]
PRETENDED = Path(__file__).with_name("pretended_vllm.py")
SETTINGS = Vllm(
    python=str(PRETENDED), url=None, key=None, dtype="float32", max_num_seqs=8, block_size=32,
    kv_cache_bytes=1 << 20, gpu_memory=0.5, tensor_parallel=1, eager=True, sleep=False,
    transfer="file", probes=1, largest_gap=0.1, restarts=1, start_timeout=60, timeout=10,
)  # fmt: skip
PROCESSES = 4  # guard, server, its child, and that one's
COMMAND = """
import sys, time
from pathlib import Path
from tests.unit.agent.engines.test_vllm_process import started
server = started(Path(sys.argv[1]))
print("up", flush=True)
try:
    if sys.argv[2] == "fail":
        raise SystemExit(3)
    time.sleep(600 if sys.argv[2] == "wait" else 0)
finally:
    server.stop()
"""


def started(folder: Path, settings: Vllm = SETTINGS) -> ServerProcess:
    scratch = folder / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    model = engine_arguments(
        settings, scratch, max_tokens=64, temperature=1.0, weights=False, gpu=False
    )
    return ServerProcess(settings, model, folder / "vllm.log", scratch=scratch)


def of(folder: Path) -> list[int]:
    """Living processes whose environment names ``folder``, without this one."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                ours = str(folder).encode() in (entry / "environ").read_bytes()
            except OSError:
                continue
            if ours and state != "Z":
                found.append(int(entry.name))
    return found


def eventually(holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + 30
    while not holds() and time.monotonic() < until:
        time.sleep(0.05)
    return holds()


@pytest.fixture
def command(tmp_path: Path):
    started: list[subprocess.Popen[str]] = []

    def start(how: str, **more: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "MARK": str(tmp_path), "PYTHONPATH": str(ROOT), **more}
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, str(tmp_path), how],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # What runs in the background of a shell is deaf to Ctrl-C, and so is what it starts.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
    for left in of(tmp_path):  # of a test that failed
        os.kill(left, signal.SIGKILL)


@pytest.mark.parametrize(("how", "status"), [("succeed", 0), ("fail", 3)])
def test_nothing_is_left_when_the_command_ends(
    how: str, status: int, tmp_path: Path, command
) -> None:
    assert command(how).wait(60) == status
    assert of(tmp_path) == []


def test_nothing_is_left_after_ctrl_c(tmp_path: Path, command) -> None:
    process = command("wait")
    assert eventually(lambda: len(of(tmp_path)) == 1 + PROCESSES)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    assert process.wait(60) != 0
    assert of(tmp_path) == []


@pytest.mark.parametrize("pretend", ["", "deaf"])
def test_nothing_is_left_when_the_command_is_killed(pretend: str, tmp_path: Path, command) -> None:
    process = command("wait", PRETEND=pretend)
    assert eventually(lambda: len(of(tmp_path)) == 1 + PROCESSES)
    process.kill()
    process.wait()
    assert eventually(lambda: of(tmp_path) == [])
    assert not (tmp_path / "scratch").exists()  # files in memory would stay for ever


def test_nothing_is_left_when_the_guard_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARK", str(tmp_path))
    server = started(tmp_path)
    assert eventually(lambda: len(of(tmp_path)) == PROCESSES)
    assert server._guard is not None
    server._guard.kill()
    assert eventually(lambda: not server.alive)
    server.stop()
    assert eventually(lambda: of(tmp_path) == [])


def test_a_killed_server_is_noticed_and_can_be_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARK", str(tmp_path))
    server = started(tmp_path)
    first = set(of(tmp_path))
    [pid] = [pid for pid in first if "--port" in _command_line(pid) and _guarded(pid)]
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not server.alive)
    server.start()
    assert server.alive
    assert eventually(lambda: len(of(tmp_path)) == PROCESSES)
    assert first.isdisjoint(of(tmp_path))
    assert (tmp_path / "scratch").exists()  # what it starts from is still there
    server.stop()
    assert of(tmp_path) == []


def _command_line(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


def _guarded(pid: int) -> bool:
    return not any(part.endswith("guard.py") for part in _command_line(pid))


def test_a_server_that_does_not_start_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARK", str(tmp_path))
    monkeypatch.setenv("PRETEND", "fail")
    with pytest.raises(InputError, match=r"did not start \(ValueError: no room for a single block"):
        started(tmp_path)
    assert of(tmp_path) == []


def test_what_an_earlier_start_said_is_no_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARK", str(tmp_path))
    server = started(tmp_path)
    with open(tmp_path / "vllm.log", "a", encoding="utf-8") as log:
        log.write("RuntimeError: the engine has died\n")
    monkeypatch.setenv("PRETEND", "quiet")
    with pytest.raises(InputError, match=r"did not start \(it said nothing\)"):
        server.start()
    assert of(tmp_path) == []


def test_a_server_that_does_not_answer_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARK", str(tmp_path))
    monkeypatch.setenv("PRETEND", "sleep")
    with pytest.raises(InputError, match=r"did not answer within 1 s .*vllm\.start_timeout"):
        started(tmp_path, SETTINGS.model_copy(update={"start_timeout": 1}))
    assert of(tmp_path) == []


def test_a_python_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"/nowhere/python is no Python: correct vllm\.python"):
        started(tmp_path, SETTINGS.model_copy(update={"python": "/nowhere/python"}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kv_cache_bytes": None}, r"vllm\.kv_cache_bytes is null"),
        ({"block_size": 16}, r"vllm\.block_size is 16.*multiple of 32"),
        ({"transfer": "nccl"}, r"vllm\.transfer is nccl.*use transfer: file"),
        ({"tensor_parallel": 2}, r"vllm\.tensor_parallel is 2"),
    ],
)
def test_settings_that_need_a_gpu_are_refused(
    changes: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        started(tmp_path, SETTINGS.model_copy(update=changes))


def test_the_key_is_in_no_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARK", str(tmp_path))
    server = started(tmp_path)
    try:
        assert not any(server.key in part for pid in of(tmp_path) for part in _command_line(pid))
    finally:
        server.stop()
