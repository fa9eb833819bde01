"""A model that learns under DeepSpeed ZeRO-3: weights, gradients and optimizer in parts.

Each process holds its part of everything and gathers a layer when it is needed. The module
behaves like ``PlainTrainee``: the same calls, the same state. Its checkpoints hold whole
tensors, so a run can go on with another number of processes.

Losses are sums over sampled tokens divided by their number in the whole step, of which each
process has a share; DeepSpeed averages over processes, so they are multiplied by their count.
"""

import logging
import os
import socket
import warnings
from collections.abc import Iterator
from typing import Any, TypeVar

import torch

if not torch.cuda.is_available():
    os.environ.setdefault("DS_ACCELERATOR", "cpu")  # DeepSpeed would look for one, and warn

import deepspeed
from deepspeed.utils import (
    safe_get_full_fp32_param,
    safe_get_full_optimizer_state,
    safe_set_local_fp32_param,
    safe_set_local_optimizer_state,
)
from torch import Tensor, distributed

from mem1.config_learning import Optimizer
from mem1.train.limits import REDUCE_BUCKET
from mem1.train.processes import Processes
from mem1.train.trainee import Trainee, adamw, refuse_infinite
from mem1.train.weights import Shape, buckets

MOMENTS = ("exp_avg", "exp_avg_sq")

M = TypeVar("M", bound=torch.nn.Module, covariant=True)
N = TypeVar("N", bound=torch.nn.Module)


def start(processes: Processes) -> None:
    """Join the other processes; a process that was started alone is its own group."""
    if distributed.is_initialized():
        return
    if "WORLD_SIZE" not in os.environ:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        alone = {"RANK": 0, "LOCAL_RANK": 0, "WORLD_SIZE": 1, "MASTER_PORT": port}
        os.environ.update({name: str(value) for name, value in alone.items()})
        os.environ["MASTER_ADDR"] = "127.0.0.1"
    # DeepSpeed warns of its own calls, a hundred in a step, and of modules whose results are
    # no tensors: they have no weights themselves, those within them do return tensors.
    warnings.filterwarnings("ignore", category=FutureWarning, module="torch.distributed")
    logging.getLogger("DeepSpeed").setLevel(logging.ERROR)
    # Shared-memory collectives would compile C++ first, or fail where there is no compiler.
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    if processes.device.type == "cuda":
        torch.cuda.set_device(processes.device)
    deepspeed.init_distributed(verbose=False)


def _engine(
    model: torch.nn.Module,
    processes: Processes,
    half: bool,
    further: dict[str, Any] | None = None,
    optimizer: torch.optim.Optimizer | None = None,
) -> Any:
    """``model``, given away, as DeepSpeed runs it in parts, with ``further`` settings."""
    config = {
        "train_batch_size": processes.count,
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,  # ``ZeroTrainee.backward`` says where a step ends
        "zero_optimization": {"stage": 3, "reduce_bucket_size": REDUCE_BUCKET},
        "bf16": {"enabled": half},
        "steps_per_print": 10**9,
        **(further or {}),
    }
    buffers = {name: value.to(processes.device, copy=True) for name, value in model.named_buffers()}
    engine: Any = deepspeed.initialize(model=model, optimizer=optimizer, config=config)[0]
    for name, value in buffers.items():  # bfloat16 would round the frequencies of positions
        owner, _, own_name = name.rpartition(".")
        setattr(model.get_submodule(owner), own_name, value)
    return engine


def frozen(model: N, processes: Processes, half: bool = False) -> N:
    """``model`` in parts for forward passes only, in which all processes take part together.

    It is given away. With ``half`` its weights become bfloat16.
    """
    engine: N = _engine(model, processes, half)
    return engine


class ZeroTrainee(Trainee[M]):
    """A model and its AdamW in parts; all methods are called by all processes together."""

    def __init__(
        self, model: M, settings: Optimizer, processes: Processes, half: bool = False
    ) -> None:
        """``model`` is given away: its weights become parts.

        With ``half`` they are bfloat16, and the optimizer has its own in fp32.
        """
        self._processes = processes
        self._names: dict[str, Any] = dict(model.named_parameters())  # DeepSpeed's, with more
        self._peak = settings.lr
        learning = {
            "gradient_clipping": settings.clip,
            "zero_allow_untested_optimizer": True,
            "zero_force_ds_cpu_optimizer": False,  # that one needs a compiler
        }
        self._engine = _engine(model, processes, half, learning, adamw(model, settings))

    @property
    def module(self) -> M:
        """What is called for a forward pass."""
        return self._engine

    def backward(self, loss: Tensor, last: bool) -> None:
        """Add the gradient of ``loss``; ``last`` is the last one before ``update``."""
        self._engine.set_gradient_accumulation_boundary(last)
        self._engine.backward(loss * self._processes.count)

    def update(self, factor: float) -> float:
        """Clip, step at ``factor`` of the peak rate, and clear; the norm before clipping.

        Raises:
            StoppedError: the norm is no finite number; the weights in memory are lost.
        """
        for group in self._engine.optimizer.param_groups:
            group["lr"] = self._peak * factor
        self._engine.step()
        norm = float(self._engine.get_global_grad_norm())
        refuse_infinite(norm)
        return norm

    @torch.no_grad()
    def copy_to(self, model: torch.nn.Module) -> None:
        """Make the weights of ``model``, a whole one of the same kind, exactly these."""
        whole = dict(model.named_parameters())
        for name, weight in self.weights():
            whole[name].copy_(weight)

    def shapes(self) -> list[Shape]:
        """What ``weights`` gives, without gathering anything."""
        return [Shape(n, p.dtype, tuple(p.ds_shape)) for n, p in self._names.items()]

    def weights(self) -> Iterator[tuple[str, Tensor]]:
        """Each parameter whole, gathered in buckets; called by all processes together."""
        for bucket in buckets(self.shapes()):
            parts = [self._names[one.name] for one in bucket]
            with deepspeed.zero.GatheredParameters(parts, modifier_rank=None):
                for one, parameter in zip(bucket, parts, strict=True):
                    yield one.name, parameter.detach()

    def state(self) -> dict[str, Any]:
        """Weights and optimizer as whole tensors, the same in every process."""
        inner = self._engine.optimizer.optimizer
        taken = [float(state["step"]) for state in inner.state.values()]
        moments = {}
        for name, parameter in self._names.items() if taken else ():
            whole = {key: safe_get_full_optimizer_state(parameter, key).cpu() for key in MOMENTS}
            moments[name] = whole
        weights = {n: safe_get_full_fp32_param(p).cpu() for n, p in self._names.items()}
        return {"weights": weights, "moments": moments, "taken": taken[0] if taken else 0.0}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what ``state`` returned, here or in another number of processes."""
        optimizer = self._engine.optimizer
        if state["moments"]:
            for flat in optimizer.fp32_partitioned_groups_flat:
                optimizer.optimizer.state[flat] = {
                    "step": torch.tensor(state["taken"]),
                    **{key: torch.zeros_like(flat) for key in MOMENTS},
                }
        with deepspeed.zero.GatheredParameters([*self._names.values()], modifier_rank=0):
            for name, parameter in self._names.items():
                parameter.data.copy_(state["weights"][name])
        for name, parameter in self._names.items():
            safe_set_local_fp32_param(parameter, self._part(state["weights"][name], parameter))
            for key in MOMENTS if state["moments"] else ():
                part = self._part(state["moments"][name][key], parameter)
                safe_set_local_optimizer_state(parameter, part, key)

    def _part(self, whole: Tensor, parameter: Any) -> Tensor:
        """This process's part of ``whole``: the last one can end with padding."""
        size = parameter.ds_tensor.numel()
        flat = whole.flatten()
        padded = torch.nn.functional.pad(flat, (0, size * self._processes.count - len(flat)))
        return padded[self._processes.rank * size :][:size].to(parameter.ds_tensor.device)
