"""Before a training puts its models onto the devices: what they will hold, and whether they can."""

import sys
from collections.abc import Sequence

import torch

from mem1 import memory_report
from mem1.config_learning import Rl
from mem1.errors import InputError
from mem1.memory_work import Work
from mem1.model_shape import of_fields
from mem1.records import Task
from mem1.stages import ShopRun, TrainingRun
from mem1.train.job import Job
from mem1.train.processes import Processes


def announce(job: Job[TrainingRun] | Job[ShopRun], rl: Rl, tasks: Sequence[Task]) -> None:
    """Print batches and memory of a device for learning with ``rl`` on ``tasks``.

    Of a model whose architecture is not known, only the batches are refused if they do not divide.

    Raises:
        InputError: a GPU cannot hold it, or the batches cannot be divided.
    """
    shape = of_fields(job.model.config.to_dict())
    if shape is None:
        return
    work = Work(
        shape=shape,
        rl=rl,
        agent=job.run.agent,
        policy=job.run.run.policy,
        turns=max(task.max_turns for task in tasks),
        prompt=memory_report.prompt_tokens(max(task.horizon for task in tasks)),
        processes=job.processes.count,
        device=device_bytes(job.processes),
        vllm=job.run.vllm,
    )
    if job.processes.first:
        line, table = memory_report.batch_line(job.run.name, work), memory_report.table(work)
        print(line, table, sep="\n\n", file=sys.stderr, flush=True)
    memory_report.check(job.run.name, work)


def check_supervised(job: Job[TrainingRun]) -> None:
    """Refuse supervised learning of a model that its device cannot hold.

    Raises:
        InputError: it cannot.
    """
    shape = of_fields(job.model.config.to_dict())
    device = device_bytes(job.processes)
    large = shape and memory_report.too_large_to_imitate(job.run.name, shape, device)
    if large:
        raise InputError(large)


def device_bytes(processes: Processes) -> int | None:
    """Memory of this process's GPU; None on a CPU."""
    if processes.device.type != "cuda":
        return None
    return int(torch.cuda.get_device_properties(processes.device).total_memory)
