"""A server of vLLM, from its start to its end, by the command that needs it.

The server listens on 127.0.0.1, takes requests with a random key only, and writes to a log. A
guard (``engines.guard``) stands between: it ends the server and all its processes when the
command ends, however that happens.
"""

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mem1
from mem1.agent.engines import guard
from mem1.agent.engines.vllm import arguments
from mem1.config_vllm import Vllm
from mem1.errors import InputError
from mem1.retrieval.transport import Patience, RefusedError, call

NAME = "mem1"  # that the server knows its model by
_ROOT = str(Path(mem1.__file__).resolve().parents[1])
_ASK = Patience(attempts=1, timeout=10.0)


class ServerProcess:
    """A server, and the guard that is its parent.

    Args:
        settings: the section.
        model: arguments of vLLM's engine (``arguments.engine_arguments``).
        log: file that it writes to; it is begun anew.
        threads: of its computations.
        gpu: whether it runs on GPUs.
        scratch: folder that is removed if this process is killed.

    Raises:
        InputError: there is no vLLM where the settings say, or it does not start.
    """

    def __init__(
        self,
        settings: Vllm,
        model: dict[str, Any],
        log: Path,
        *,
        threads: int = 1,
        gpu: bool = False,
        scratch: Path | None = None,
    ) -> None:
        arguments.check_settings(settings, gpu)
        self._settings = settings
        self._model = model
        self._log = log
        self._python = _python(settings)
        self._scratch = scratch
        self._variables = arguments.environment(settings, threads, gpu)
        self._guard: subprocess.Popen[bytes] | None = None
        self.key = secrets.token_hex(16)
        self.root = ""
        self._began = 0  # where the log of the newest start begins
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"")
        self.start()

    @property
    def headers(self) -> dict[str, str]:
        """What a request must bring."""
        return {"Authorization": f"Bearer {self.key}"}

    @property
    def alive(self) -> bool:
        """Whether its processes are there."""
        return self._guard is not None and not _ended(self._guard)

    def start(self) -> None:
        """Start it, anew if it ran before, and wait until it answers.

        Raises:
            InputError: it ends, or does not answer in time; the message has the end of its log.
        """
        self.stop()
        port = _free_port()
        self.root = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-I", guard.__file__]
        if self._scratch is not None:
            command += ["--remove", str(self._scratch)]
        command += arguments.server_command(self._python, port, self._model, NAME)
        paths = [_ROOT, os.environ.get("PYTHONPATH", "")]
        variables = {
            **os.environ,
            **self._variables,
            "VLLM_API_KEY": self.key,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "PYTHONUNBUFFERED": "1",
        }
        with open(self._log, "ab") as log:
            self._began = log.tell()
            self._guard = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=variables,
                start_new_session=True,  # Ctrl-C is for the command, which then ends the server
            )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it and all its processes; nothing happens if they have ended."""
        running, self._guard = self._guard, None
        if running is None:
            return
        assert running.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            running.stdin.write(b".")
            running.stdin.close()
        until = time.monotonic() + 2 * guard.GRACE + 5
        while not _ended(running) and time.monotonic() < until:
            time.sleep(0.02)
        # A guard that was killed itself leaves the session that it began.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()

    def _wait(self) -> None:
        assert self._guard is not None
        until = time.monotonic() + self._settings.start_timeout
        while time.monotonic() < until:
            if _ended(self._guard):
                raise InputError(
                    f"The server of vLLM did not start ({self._end_of_log()}): correct the section "
                    f"vllm; its log is {self._log}."
                )
            try:
                call(f"{self.root}/v1/models", headers=self.headers, patience=_ASK, fix="")
            except RefusedError as error:
                raise InputError(
                    f"{error} Another server has taken its port: start again."
                ) from error
            except InputError:
                time.sleep(0.25)
                continue
            said = call(f"{self.root}/version", patience=_ASK, fix="look at its log").value
            arguments.check_version(str(said.get("version")), self._python)
            return
        raise InputError(
            f"The server of vLLM did not answer within {self._settings.start_timeout:g} s "
            f"({self._end_of_log()}): raise vllm.start_timeout; its log is {self._log}."
        )

    def _end_of_log(self) -> str:
        """What it said last since its start that reads like an error, or its last line."""
        said = self._log.read_bytes()[self._began :]
        lines = said.decode("utf-8", errors="replace").splitlines()
        told = [line.strip() for line in lines if line.strip()]
        errors = [line for line in told if "Error" in line]
        return " ".join((errors or told or ["it said nothing"])[-1].split())[-400:]


def log_of(name: str, beside: Path) -> Path:
    """Where the server of ``name`` writes: the workflow's folder of logs, or ``beside``."""
    logs = os.environ.get("MEM1_LOG_DIR")
    return Path(logs, "vllm", f"{name}.log") if logs else beside / "vllm.log"


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A new folder, in memory where files can be in it; it is gone afterwards."""
    memory = Path("/dev/shm")
    usable = memory.is_dir() and os.access(memory, os.W_OK)
    with tempfile.TemporaryDirectory(
        prefix="mem1-vllm-", dir=memory if usable else None, ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


def _python(settings: Vllm) -> str:
    """The Python of the server.

    Raises:
        InputError: it does not exist, or none is named and this one has no vLLM.
    """
    named = settings.python or os.environ.get("MEM1_VLLM_PYTHON")
    if named:
        if shutil.which(named) is None:
            raise InputError(
                f"{named} is no Python: correct vllm.python, or the environment variable "
                f"MEM1_VLLM_PYTHON."
            )
        return named
    if importlib.util.find_spec("vllm") is None:
        raise InputError(
            "vLLM is not installed here: install the extra vllm, or name the Python of its "
            "environment in vllm.python or the environment variable MEM1_VLLM_PYTHON."
        )
    return sys.executable


def _ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has ended. It is not let go of, so that its number stays its own."""
    flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
    return os.waitid(os.P_PID, process.pid, flags) is not None


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
