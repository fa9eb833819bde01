"""What every training does around its steps: resume, count, log, save.

A training is a number of steps, each a function of the weights, the optimizers and the step
number alone. So a run that was killed goes on from its newest checkpoint and ends with the
same bytes as one that was not.
"""

import math
import resource
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import torch
from torch.optim import Optimizer
from tqdm import tqdm

from mem1 import config_learning
from mem1.errors import StoppedError
from mem1.records import StepMetrics, write_jsonl
from mem1.tracking import Live
from mem1.train.checkpoint import Checkpoints

METRICS = "metrics.jsonl"
MACHINE = "machine.jsonl"  # speeds and memory, which differ from run to run: never an output
MEASURED = "machine/"  # begins the names of those

M = TypeVar("M", bound=torch.nn.Module)


class Resumable(Protocol):
    """What changes from step to step, and can be put back."""

    def state(self) -> dict:
        """Everything to continue from."""
        ...

    def restore(self, state: dict) -> None:
        """Continue from what ``state`` returned."""
        ...


@dataclass
class Trainee(Generic[M]):
    """A model and its optimizers."""

    model: M
    optimizers: Sequence[Optimizer]

    def state(self) -> dict:
        """Everything to continue from."""
        return {
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
        }

    def restore(self, state: dict) -> None:
        """Continue from what ``state`` returned."""
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)


@dataclass
class Together:
    """Several trainees that are trained in the same steps, by name."""

    parts: dict[str, Trainee]

    def state(self) -> dict:
        """Everything to continue from."""
        return {name: part.state() for name, part in self.parts.items()}

    def restore(self, state: dict) -> None:
        """Continue from what ``state`` returned."""
        for name, part in self.parts.items():
            part.restore(state[name])


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


def update(trainee: Trainee, clip: float, factor: float) -> float:
    """Clip the gradients, step all optimizers at ``factor`` of their peak rates, and clear.

    Returns:
        The norm of the gradient before clipping.

    Raises:
        StoppedError: it is no finite number; the weights are as they were.
    """
    norm = torch.nn.utils.clip_grad_norm_(trainee.model.parameters(), clip)
    if not torch.isfinite(norm):
        raise StoppedError(
            f"the gradient's norm is {float(norm)}: lower the learning rate or the KL weight, "
            f"and start again"
        )
    for optimizer in trainee.optimizers:
        peaks = [group["lr"] for group in optimizer.param_groups]
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * factor
        optimizer.step()
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak
        optimizer.zero_grad(set_to_none=True)
    return float(norm)


def accumulate(total: dict[str, float], terms: dict[str, float]) -> None:
    """Add ``terms``, of one part of a step, to ``total``."""
    for name, value in terms.items():
        total[name] = total.get(name, 0.0) + value


def means(parts: Sequence[dict[str, float]]) -> dict[str, float]:
    """The mean of each term over the optimizer steps of a round."""
    return {name: sum(part[name] for part in parts) / len(parts) for name in parts[0]}


def peak_memory() -> float:
    """The most this process has used so far, in bytes: of the GPU if there is one, else RAM."""
    if torch.cuda.is_available():
        return float(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0


def train(
    name: str,
    steps: int,
    step: Callable[[int], dict[str, float]],
    trainee: Resumable,
    checkpoints: Checkpoints,
    every: int,
    live: Callable[[int], Live],
    collapsed: Callable[[Sequence[StepMetrics]], str | None] = lambda metrics: None,
) -> list[StepMetrics]:
    """Run ``step`` for each step number from the newest checkpoint to ``steps``.

    ``live`` opens the tracker at the step it is given. The metrics so far lie in the
    checkpoint folder, for those who do not want to wait. ``collapsed`` looks at them after
    each step and says what is wrong, if anything.

    Values that ``step`` calls ``machine/...`` are measurements of this run on this machine:
    they go to the tracker and to ``machine.jsonl`` of the checkpoint folder, not to the metrics.

    Returns:
        The metrics of all steps, those before an interruption included.

    Raises:
        StoppedError: a gradient is not finite (the newest checkpoint is from before), or
            the policy collapsed (a checkpoint is saved).
    """
    with checkpoints.locked():
        done, metrics = 0, []
        saved = checkpoints.latest()
        if saved is not None:
            done, state = saved
            trainee.restore(state)
            metrics = [
                StepMetrics(step=row["step"], values=row["values"]) for row in state["metrics"]
            ]
            _refuse(name, done, collapsed(metrics), checkpoints)
        with live(done) as tracker:
            for number in tqdm(range(done, steps), desc=name, initial=done, total=steps):
                try:
                    values = step(number)
                except StoppedError as reason:
                    raise StoppedError(f"{name} stopped at step {number + 1}: {reason}.") from None
                tracker.log(number + 1, values)
                measured = {k: v for k, v in values.items() if k.startswith(MEASURED)}
                kept = {k: v for k, v in values.items() if k not in measured}
                metrics.append(StepMetrics(step=number + 1, values=kept))
                _append(checkpoints.folder / MACHINE, StepMetrics(step=number + 1, values=measured))
                wrong = collapsed(metrics)
                if (number + 1) % every == 0 or number + 1 == steps or wrong:
                    rows = [row.model_dump() for row in metrics]
                    checkpoints.save(number + 1, {**trainee.state(), "metrics": rows})
                    write_jsonl(checkpoints.folder / METRICS, metrics)
                _refuse(name, number + 1, wrong, checkpoints)
    return metrics


def _refuse(name: str, step: int, wrong: str | None, checkpoints: Checkpoints) -> None:
    """Stop a training of which ``wrong`` is true, also one that is started again as it is."""
    if wrong:
        raise StoppedError(
            f"{name} stopped after step {step}: {wrong}. Its state is in {checkpoints.folder}."
        )


def _append(path: Path, row: StepMetrics) -> None:
    if row.values:
        with open(path, "a", encoding="utf-8") as file:
            file.write(row.model_dump_json() + "\n")
