"""Where vLLM collects for a training: in its process, or in a server; and how it gets weights.

All methods are called by all processes of the training together. What fails in one of them
fails in all, so that none waits for another that is not coming.
"""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

from torch import Tensor

from mem1 import keys
from mem1.agent.engines.base import Engine
from mem1.agent.engines.vllm.base import LostError
from mem1.agent.engines.vllm.process import NAME, ServerProcess
from mem1.agent.engines.vllm.served import Address, ServedVLLM, reached
from mem1.agent.text import Codec
from mem1.config_vllm import Vllm
from mem1.errors import InputError
from mem1.retrieval.transport import Patience
from mem1.train import weights
from mem1.train.forward import Actor
from mem1.train.processes import Processes
from mem1.train.trainee import Trainee
from mem1.train.transfer import gpu_carrier

T = TypeVar("T")


class Placement(Protocol):
    """An engine, wherever it is."""

    @property
    def engine(self) -> Engine:
        """What decodes."""
        ...

    def give(self, policy: Trainee[Actor], version: str) -> None:
        """Give the engine the weights of ``policy``, as ``version``.

        Raises:
            LostError: it is gone.
        """
        ...

    def revive(self, reason: str) -> None:
        """Bring the engine back, which is lost for ``reason``; it has no weights then.

        Raises:
            InputError: that is not possible.
        """
        ...

    def rest(self, resting: bool) -> None:
        """Let the engine give memory back, or take it again."""
        ...


def together(processes: Processes, act: Callable[[], T]) -> T:
    """What ``act`` returns in this process.

    Raises:
        LostError: the engine is lost to one of the processes.
    """
    result: list[T] = []
    lost = None
    try:
        result.append(act())
    except LostError as error:
        lost = str(error)
    reasons = [reason for reason in processes.gather(lost) if reason is not None]
    if reasons:
        raise LostError(reasons[0])
    return result[0]


def by_checkpoint(policy: Trainee[Actor]) -> Iterator[tuple[str, Tensor]]:
    """The weights of ``policy`` by their names in a checkpoint, one after another."""
    for name, value in policy.weights():
        yield name.removeprefix("model."), value


def shapes(policy: Trainee[Actor]) -> list[weights.Shape]:
    """What ``by_checkpoint`` gives."""
    return [
        weights.Shape(one.name.removeprefix("model."), one.dtype, one.shape)
        for one in policy.shapes()
    ]


class InProcess:
    """An engine in this process. Each process of the training has one of its own."""

    def __init__(
        self,
        settings: Vllm,
        model: dict[str, Any],
        codec: Codec,
        threads: int,
        processes: Processes,
    ) -> None:
        from mem1.agent.engines.vllm.local import VLLMEngine

        self.engine = VLLMEngine(settings, model, codec, threads=threads, processes=processes.count)

    def give(self, policy: Trainee[Actor], version: str) -> None:
        """The engine reads the tensors themselves."""
        self.engine.load(by_checkpoint(policy), version)

    def revive(self, reason: str) -> None:
        """It cannot be lost, but to a mistake."""
        raise InputError(reason)

    def rest(self, resting: bool) -> None:
        """Sleep, or wake up."""
        if resting:
            self.engine.sleep()
        else:
            self.engine.wake()

    def close(self) -> None:
        """Stop it."""
        self.engine.close()


class Served:
    """A server, which the first process can start again, or one that somebody else started.

    Args:
        settings: the section.
        codec: the tokenizer of the model.
        processes: that train together.
        server: in the first process: the server, unless it is somebody else's (``vllm.url``).
        most_tokens: that it takes, of a context with its output.
        scratch: folder for weights on their way.
    """

    def __init__(
        self,
        settings: Vllm,
        codec: Codec,
        processes: Processes,
        server: ServerProcess | None,
        most_tokens: int,
        scratch: Path,
    ) -> None:
        self._settings = settings
        self._processes = processes
        self._server = server
        self._most_tokens = most_tokens
        self._scratch = scratch
        self._patience = Patience(attempts=3, timeout=settings.timeout)
        self.engine = ServedVLLM(self._address(), codec)
        self._carrier = gpu_carrier(settings.transfer, self.engine, processes)

    def _address(self) -> Address:
        """Where the server is, which the first process knows."""
        mine = None
        if self._server is not None:
            root, headers = self._server.root, self._server.headers
            mine = Address(root, headers, NAME, self._most_tokens, self._patience)
        elif self._processes.first:
            assert self._settings.url is not None
            headers = keys.header(self._settings.key)
            mine = reached(self._settings.url, headers, Patience(timeout=self._settings.timeout))
        address = self._processes.gather(mine)[0]
        assert address is not None
        return address

    def give(self, policy: Trainee[Actor], version: str) -> None:
        """Through a file in shared memory, or from GPU to GPU."""
        if self._carrier is not None:
            self._carrier.give(shapes(policy), lambda: by_checkpoint(policy), version)
            self.engine.version = version
            return
        path = self._scratch / f"weights-{secrets.token_hex(4)}.safetensors"
        try:
            if self._processes.first:
                weights.write(path, shapes(policy), by_checkpoint(policy))
            else:
                weights.drain(by_checkpoint(policy))

            def load() -> None:
                if self._processes.first:
                    self.engine.load(str(path), version)

            together(self._processes, load)
        finally:
            path.unlink(missing_ok=True)
        self.engine.version = version

    def revive(self, reason: str) -> None:
        """Start the server again, whatever is left of it; one of somebody else has to be there."""
        if self._server is not None:
            self._server.start()
        self.engine.address = self._address()
        self._carrier = gpu_carrier(self._settings.transfer, self.engine, self._processes)

    def rest(self, resting: bool) -> None:
        """Let the server sleep, or wake it up."""
        if self._processes.first:
            self.engine.control("sleep" if resting else "wake_up")
