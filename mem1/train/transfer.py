"""Weights from GPU to GPU, by vLLM's own means: nccl between GPUs, ipc on shared ones.

None of this was ever run: there was no GPU. It is written against vLLM 0.32, whose trainer side
(``vllm.distributed.weight_transfer``) has to be installed in the training's environment, and
whose calls a server takes at ``engines.vllm.routes``. After each update the training compares
log-probabilities all the same, so weights that do not arrive are noticed.
"""

import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from mem1.agent.engines.vllm.served import ServedVLLM
from mem1.errors import InputError
from mem1.train.processes import Processes
from mem1.train.weights import Shape

Weights = Callable[[], Iterable[tuple[str, Tensor]]]


class Carrier(Protocol):
    """A way from the trainer's GPUs to those of a server."""

    def give(self, shapes: Sequence[Shape], weights: Weights, version: str) -> None:
        """Send what ``weights`` returns, which is what ``shapes`` says; all processes together."""
        ...


def gpu_carrier(
    transfer: Literal["file", "nccl", "ipc"], engine: ServedVLLM, processes: Processes
) -> Carrier | None:
    """The carrier that the setting ``vllm.transfer`` names; None for a file."""
    return None if transfer == "file" else _Vllms(transfer, engine, processes)


class _Vllms:
    """vLLM's trainer side of a transfer. It meets the server at the first update."""

    def __init__(
        self, backend: Literal["nccl", "ipc"], engine: ServedVLLM, processes: Processes
    ) -> None:
        self._backend = backend
        self._client = _Client(engine)
        self._processes = processes
        self._sender: Any = None
        self._source: Any = None

    def give(self, shapes: Sequence[Shape], weights: Weights, version: str) -> None:
        """See ``Carrier``."""
        if self._sender is None:
            self._sender = self._met(shapes)
        self._source.weights = weights
        self._client.version = version
        self._sender.send_weights()

    def _met(self, shapes: Sequence[Shape]) -> Any:
        """The sender of this process, which has met the server's workers."""
        try:
            from vllm.distributed.weight_transfer import base, ipc_engine, nccl_engine
        except ImportError as error:
            raise InputError(
                f"vllm.transfer is {self._backend}, and vLLM is not installed here: install the "
                f"extra vllm, or use transfer: file."
            ) from error
        self._source = _source(base, shapes)
        rank = self._processes.rank
        if self._backend == "ipc":
            info = ipc_engine.IPCTrainerInitInfo(rank=rank, packed=True)
            kind = ipc_engine.IPCTrainerWeightTransferEngine
        else:
            info = nccl_engine.NCCLTrainerInitInfo(
                master_address="127.0.0.1",
                master_port=self._port(),
                world_size=1 + self._client.workers(),
                rank=rank,
            )
            kind = nccl_engine.NCCLTrainerWeightTransferEngine
        return kind.trainer_init(info, client=self._client, source=self._source)

    def _port(self) -> int:
        with socket.create_server(("127.0.0.1", 0)) as free:
            return int(self._processes.gather(free.getsockname()[1])[0])


class _Client:
    """vLLM's ``VLLMWeightSyncClient``: its calls of a server, at our route."""

    def __init__(self, engine: ServedVLLM) -> None:
        self._engine = engine
        self.version = ""

    def workers(self) -> int:
        """GPUs of the server."""
        return self._engine.workers()

    def init_weight_transfer_engine(self, init_info: dict[str, Any]) -> None:
        """Meet the trainer."""
        self._engine.control("init_weight_transfer_engine", info=init_info)

    def start_weight_update(self) -> None:
        """Put off what is under way."""
        self._engine.control("start_weight_update")

    def update_weights(self, update_info: Any) -> None:
        """Receive weights; handles of memory are pickled as vLLM's own client does."""
        from vllm.distributed.weight_transfer import clients

        info = clients._json_safe_update_payload(update_info)
        self._engine.control("update_weights", info=info)

    def finish_weight_update(self, weight_version: str | None = None) -> None:
        """Go on with them."""
        self._engine.control("finish_weight_update", version=weight_version or self.version)


def _source(base: Any, shapes: Sequence[Shape]) -> Any:
    """vLLM's ``WeightSource`` over ``shapes``; its ``weights`` are set before each update."""

    class Source(base.WeightSource):
        weights: Weights = staticmethod(lambda: ())

        def metadata(self) -> list[Any]:
            return [base.ParamMeta(one.name, one.dtype, one.shape) for one in shapes]

        def __iter__(self) -> Iterator[tuple[str, Tensor]]:
            with torch.no_grad():
                yield from self.weights()

    return Source()
