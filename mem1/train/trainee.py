"""A model that learns: its gradients, its optimizers, and how fast.

Trainings know a ``Trainee`` only. ``PlainTrainee`` is torch in one process; ``ZeroTrainee``
(``train.zero``) is DeepSpeed ZeRO-3 in one or several.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor
from torch.optim import Optimizer

from mem1 import config_learning
from mem1.errors import StoppedError
from mem1.train.weights import Shape

M = TypeVar("M", bound=torch.nn.Module, covariant=True)


class Trainee(Protocol[M]):
    """A model and its optimizers, wherever their numbers are."""

    @property
    def module(self) -> M:
        """What is called for a forward pass."""
        ...

    def backward(self, loss: Tensor, last: bool) -> None:
        """Add the gradient of ``loss``; ``last`` is the last one before ``update``."""
        ...

    def update(self, factor: float) -> float:
        """Clip the gradients, step at ``factor`` of the peak rates, and clear.

        Returns:
            The norm of the gradient before clipping.

        Raises:
            StoppedError: it is no finite number.
        """
        ...

    def shapes(self) -> list[Shape]:
        """What ``weights`` gives, without gathering anything."""
        ...

    def weights(self) -> Iterator[tuple[str, Tensor]]:
        """Each parameter whole, by its name in the module, one after another.

        All processes go through them together. A tensor is good until the next one.
        """
        ...

    def state(self) -> dict[str, Any]:
        """Everything that this process has to continue from."""
        ...

    def restore(self, states: Sequence[dict[str, Any]]) -> None:
        """Continue from what ``state`` returned in each process."""
        ...


class PlainTrainee(Trainee[M]):
    """A model in this process."""

    def __init__(self, model: M, optimizers: Sequence[Optimizer], clip: float) -> None:
        """``clip`` is the largest norm of the gradient over all parameters."""
        self._model = model
        self._optimizers = optimizers
        self._clip = clip

    @property
    def module(self) -> M:
        """What is called for a forward pass."""
        return self._model

    def backward(self, loss: Tensor, last: bool) -> None:
        """Add the gradient of ``loss``."""
        loss.backward()

    def update(self, factor: float) -> float:
        """As the protocol says; the weights are as they were if it raises."""
        norm = float(torch.nn.utils.clip_grad_norm_(self._model.parameters(), self._clip))
        refuse_infinite(norm)
        for optimizer in self._optimizers:
            peaks = [group["lr"] for group in optimizer.param_groups]
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["lr"] = peak * factor
            optimizer.step()
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["lr"] = peak
            optimizer.zero_grad(set_to_none=True)
        return norm

    def shapes(self) -> list[Shape]:
        """What ``weights`` gives."""
        return [Shape(n, p.dtype, tuple(p.shape)) for n, p in self._model.named_parameters()]

    def weights(self) -> Iterator[tuple[str, Tensor]]:
        """Each parameter by its name."""
        yield from ((name, value.detach()) for name, value in self._model.named_parameters())

    def state(self) -> dict[str, Any]:
        """Everything to continue from."""
        return {
            "model": self._model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
        }

    def restore(self, states: Sequence[dict[str, Any]]) -> None:
        """Continue from what ``state`` returned, here or in the one process that there was."""
        [state] = states
        self._model.load_state_dict(state["model"])
        for optimizer, saved in zip(self._optimizers, state["optimizers"], strict=True):
            own = [{k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups]
            optimizer.load_state_dict(saved)
            for group, settings in zip(optimizer.param_groups, own, strict=True):
                group.update(settings)  # accepted with another learning rate, it goes on with that


def refuse_infinite(norm: float) -> None:
    """Stop where the norm of a gradient is no finite number.

    Raises:
        StoppedError: it is not.
    """
    if not math.isfinite(norm):
        raise StoppedError(
            f"the gradient's norm is {norm}: lower the learning rate or the KL weight, and "
            f"start again"
        )


def rate(step: int, steps: int, settings: config_learning.Optimizer) -> float:
    """Factor on the peak learning rate at ``step`` (from 0): linear warm-up, then cosine."""
    warm = min(1.0, (step + 1) / (settings.warmup + 1))
    progress = min(1.0, step / max(1, steps - 1))
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    return warm * (settings.final_lr + (1 - settings.final_lr) * cosine)


def adamw(model: torch.nn.Module, settings: config_learning.Optimizer) -> Optimizer:
    """AdamW over all parameters, with the betas of the field's language models."""
    return torch.optim.AdamW(
        model.parameters(), lr=settings.lr, betas=(0.9, 0.95), weight_decay=settings.weight_decay
    )
