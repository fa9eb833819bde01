"""What vLLM's workers do beside their own: take new weights. It runs inside vLLM.

vLLM mixes the class into its worker (``--worker-extension-cls``). Names that begin with
``mem1_`` are called by ``collective_rpc``.

vLLM's own ``reload_weights`` loads layer by layer and packs each layer's matrix again. On a CPU
the head of a model with tied embeddings keeps the packed copy of the old embedding, and what it
says is silently wrong; so the heads are packed once more here.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from torch import Tensor

Named = Iterable[tuple[str, Tensor]]


class Weights:
    """New weights for the model of a worker."""

    reload_weights: Any  # of vLLM's worker
    model_runner: Any

    def mem1_load_file(self, path: str) -> None:
        """Take the weights in the safetensors file ``path``, one tensor at a time."""
        from safetensors import safe_open

        with safe_open(path, framework="pt", device="cpu") as file:
            self.mem1_load((name, file.get_tensor(name)) for name in file.keys())  # noqa: SIM118

    def mem1_load(self, weights: Named) -> None:
        """Take ``weights``, by the names of the checkpoint.

        Raises:
            ValueError: none came.
        """
        counted = _Counted(weights)
        self.reload_weights(weights_iterator=counted, is_checkpoint_format=True)
        if counted.count == 0:
            raise ValueError("an update without weights")
        self.mem1_pack_heads()

    def mem1_pack_heads(self) -> None:
        """Pack the matrices of heads again, on a CPU."""
        from vllm.model_executor.layers.vocab_parallel_embedding import VocabParallelEmbedding
        from vllm.platforms import current_platform

        if not current_platform.is_cpu():
            return
        for module in self.model_runner.model.modules():
            if isinstance(module, VocabParallelEmbedding):  # heads are among them
                module.quant_method.process_weights_after_loading(module)


class _Counted:
    """``weights``, and how many there were."""

    def __init__(self, weights: Named) -> None:
        self._weights = weights
        self.count = 0

    def __iter__(self) -> Iterator[tuple[str, Tensor]]:
        for one in self._weights:
            self.count += 1
            yield one
