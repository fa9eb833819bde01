"""A model that learns under DeepSpeed ZeRO-3: weights, gradients and optimizer in parts.

Each process holds its part of everything and gathers a layer when it is needed. The module
behaves like ``PlainTrainee``: the same calls. Its state is in parts, too: each process keeps
its own, and a run can go on with another number of processes (``train.shards``).

Losses are sums over sampled tokens divided by their number in the whole step, of which each
process has a share; DeepSpeed averages over processes, so they are multiplied by their count.
"""

import logging
import os
import socket
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import torch

if not torch.cuda.is_available():
    os.environ.setdefault("DS_ACCELERATOR", "cpu")  # DeepSpeed would look for one, and warn

import deepspeed
from deepspeed.utils import (
    safe_get_local_fp32_param,
    safe_get_local_optimizer_state,
    safe_set_local_fp32_param,
    safe_set_local_optimizer_state,
)
from torch import Tensor, distributed

from mem1.config_learning import Optimizer
from mem1.train.limits import REDUCE_BUCKET
from mem1.train.processes import Processes
from mem1.train.shards import assembled, share
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
        """This process's part of weights and optimizer, flat, without padding.

        Nothing is gathered and nothing copied: the tensors are good until the next ``update``.
        """
        inner = self._engine.optimizer.optimizer
        taken = [float(state["step"]) for state in inner.state.values()]
        moments = {}
        for name, parameter in self._names.items() if taken else ():
            parts = {key: safe_get_local_optimizer_state(parameter, key) for key in MOMENTS}
            moments[name] = {key: self._stripped(part, parameter) for key, part in parts.items()}
        weights = {
            name: self._stripped(safe_get_local_fp32_param(parameter), parameter)
            for name, parameter in self._names.items()
        }
        return {"weights": weights, "moments": moments, "taken": taken[0] if taken else 0.0}

    @torch.no_grad()
    def restore(self, states: Sequence[dict[str, Any]]) -> None:
        """Continue from what ``state`` returned in each process, as many as there were.

        Each process reads the numbers that it will have, one parameter after another. They
        go to the optimizer and to this process's part of the module's weights, from which
        DeepSpeed gathers a layer when it is needed; whole copies are dropped, small ones too,
        which it keeps.
        """
        optimizer, moments = self._engine.optimizer, states[0]["moments"]
        if moments:
            for flat in optimizer.fp32_partitioned_groups_flat:
                optimizer.optimizer.state[flat] = {
                    "step": torch.tensor(states[0]["taken"]),
                    **{key: torch.zeros_like(flat) for key in MOMENTS},
                }
        for name, parameter in self._names.items():
            parameter.partition()
            part = self._padded([one["weights"][name] for one in states], parameter)
            parameter.ds_tensor.copy_(part)
            safe_set_local_fp32_param(parameter, part)
            for key in MOMENTS if moments else ():
                part = self._padded([one["moments"][name][key] for one in states], parameter)
                safe_set_local_optimizer_state(parameter, part, key)

    def _share(self, parameter: Any) -> range:
        return share(parameter.ds_numel, self._processes.count, self._processes.rank)

    def _stripped(self, part: Tensor, parameter: Any) -> Tensor:
        """``part`` of ``parameter`` in this process without the padding at its end."""
        return part.detach()[: len(self._share(parameter))]

    def _padded(self, parts: Sequence[Tensor], parameter: Any) -> Tensor:
        """This process's part of what is in ``parts``, as long as DeepSpeed has it."""
        own = assembled(parts, parameter.ds_numel, self._share(parameter))
        size = parameter.ds_tensor.numel()
        padded = torch.nn.functional.pad(own, (0, size - len(own)))
        return padded.to(parameter.ds_tensor.device)
