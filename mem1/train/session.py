"""What every training does around its steps: resume, count, log, save.

A training is a number of steps, each a function of the weights, the optimizers and the step
number alone. So a run that was killed goes on from its newest checkpoint and ends with the
same bytes as one that was not.
"""

import resource
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from tqdm import tqdm

from mem1.errors import InputError, StoppedError
from mem1.records import StepMetrics, write_jsonl
from mem1.tracking import Live
from mem1.train.checkpoint import Checkpoints
from mem1.train.processes import ALONE, Processes

METRICS = "metrics.jsonl"
MACHINE = "machine.jsonl"  # speeds and memory, which differ from run to run: never an output
MEASURED = "machine/"  # begins the names of those


class Resumable(Protocol):
    """What changes from step to step, and can be put back."""

    def state(self) -> dict:
        """Everything that this process has to continue from."""
        ...

    def restore(self, states: Sequence[dict]) -> None:
        """Continue from what ``state`` returned in each process, by rank."""
        ...


@dataclass
class Together:
    """Several trainees that are trained in the same steps, by name."""

    parts: dict[str, Resumable]

    def state(self) -> dict:
        """Everything that this process has to continue from."""
        return {name: part.state() for name, part in self.parts.items()}

    def restore(self, states: Sequence[dict]) -> None:
        """Continue from what ``state`` returned in each process."""
        for name, part in self.parts.items():
            part.restore([state[name] for state in states])


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
    processes: Processes = ALONE,
) -> list[StepMetrics]:
    """Run ``step`` for each step number from the newest checkpoint to ``steps``.

    Of several ``processes`` all do the steps and save their parts, and the first one logs.

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
            done, states = saved
            _restore(trainee, states, checkpoints)
            metrics = [
                StepMetrics(step=row["step"], values=row["values"]) for row in states[0]["metrics"]
            ]
            _refuse(name, done, collapsed(metrics), checkpoints)
            del saved, states  # they hold the files, also after newer ones have replaced them
        with live(done) if processes.first else Live() as tracker:
            for number in tqdm(
                range(done, steps),
                desc=name,
                initial=done,
                total=steps,
                disable=not processes.first,
            ):
                try:
                    values = step(number)
                except StoppedError as reason:
                    raise StoppedError(f"{name} stopped at step {number + 1}: {reason}.") from None
                measured = {k: v for k, v in values.items() if k.startswith(MEASURED)}
                kept = {k: v for k, v in values.items() if k not in measured}
                metrics.append(StepMetrics(step=number + 1, values=kept))
                if processes.first:
                    tracker.log(number + 1, values)
                    measures = StepMetrics(step=number + 1, values=measured)
                    _append(checkpoints.folder / MACHINE, measures)
                wrong = collapsed(metrics)
                if (number + 1) % every == 0 or number + 1 == steps or wrong:
                    rows = [row.model_dump() for row in metrics]
                    checkpoints.save(number + 1, {**trainee.state(), "metrics": rows})
                    if processes.first:
                        write_jsonl(checkpoints.folder / METRICS, metrics)
                _refuse(name, number + 1, wrong, checkpoints)
    return metrics


def _refuse(name: str, step: int, wrong: str | None, checkpoints: Checkpoints) -> None:
    """Stop a training of which ``wrong`` is true, also one that is started again as it is."""
    if wrong:
        raise StoppedError(
            f"{name} stopped after step {step}: {wrong}. Its state is in {checkpoints.folder}: "
            f"remove that to begin again."
        )


def _restore(trainee: Resumable, states: Sequence[dict], checkpoints: Checkpoints) -> None:
    """Put ``states`` back.

    Raises:
        InputError: a checkpoint that was accepted has other parts, or weights of other shapes.
    """
    try:
        trainee.restore(states)
    except torch.OutOfMemoryError:
        raise
    except (KeyError, ValueError, RuntimeError) as error:
        if not checkpoints.accepted:
            raise
        raise InputError(
            f"{checkpoints.folder} is of another kind of training (engine, estimator or shape of "
            f"the model), which --accept cannot bridge: remove it to start from the beginning."
        ) from error


def _append(path: Path, row: StepMetrics) -> None:
    if row.values:
        with open(path, "a", encoding="utf-8") as file:
            file.write(row.model_dump_json() + "\n")
