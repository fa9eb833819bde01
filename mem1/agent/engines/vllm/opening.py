"""vLLM with the weights of a folder, for commands that only decode."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from tqdm import tqdm

from mem1.agent.engines.base import Engine
from mem1.agent.engines.vllm import process
from mem1.agent.engines.vllm.arguments import engine_arguments
from mem1.agent.engines.vllm.served import Address, ServedVLLM
from mem1.agent.text import Codec
from mem1.config_vllm import Vllm
from mem1.retrieval.transport import Patience


@contextmanager
def opened(
    settings: Vllm,
    folder: Path,
    codec: Codec,
    *,
    served: bool,
    max_tokens: int,
    temperature: float,
    threads: int,
    name: str,
    beside: Path | None,
) -> Iterator[Engine]:
    """An engine with the model in ``folder``; it ends with the block.

    Args:
        settings: the section.
        folder: weights, shape and tokenizer.
        codec: its tokenizer.
        served: whether it is a server, which can have an environment of its own.
        max_tokens: of a context with its output (``agent.max_context``).
        temperature: of what will be sampled.
        threads: of its computations.
        name: of the server's log.
        beside: output of the command, beside which that log is written where there is no folder
            of logs.

    Raises:
        InputError: vLLM is not there, or does not start.
    """
    gpu = torch.cuda.is_available()
    model = engine_arguments(
        settings, folder, max_tokens=max_tokens, temperature=temperature, weights=True, gpu=gpu
    )
    if not served:
        from mem1.agent.engines.vllm.local import VLLMEngine

        engine = VLLMEngine(settings, model, codec, threads=threads)
        try:
            yield engine
        finally:
            engine.close()
        return
    log = process.log_of(name, beside.parent if beside is not None else Path())
    server = process.ServerProcess(settings, model, log, threads=threads, gpu=gpu)
    try:
        yield OwnServer(server, settings, codec, max_tokens)
    finally:
        server.stop()


class OwnServer(ServedVLLM):
    """A server of this command, which starts it again when it is lost; its weights stay the same.

    Args:
        server: that runs.
        settings: the section.
        codec: the tokenizer of its model.
        most_tokens: that it takes, of a context with its output.
    """

    def __init__(
        self, server: process.ServerProcess, settings: Vllm, codec: Codec, most_tokens: int
    ) -> None:
        self.restarts = settings.restarts
        self._server = server
        self._most_tokens = most_tokens
        self._patience = Patience(attempts=3, timeout=settings.timeout)
        super().__init__(self._where(), codec)

    def revive(self, reason: str) -> None:
        """Start the server again.

        Raises:
            InputError: it does not start.
        """
        tqdm.write(f"{reason} The server of vLLM is started again.", file=sys.stderr)
        self._server.start()
        self.address = self._where()

    def _where(self) -> Address:
        root, headers = self._server.root, self._server.headers
        return Address(root, headers, process.NAME, self._most_tokens, self._patience)
