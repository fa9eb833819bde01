"""Opens what a training collects with, as its settings say, and closes it in the end."""

import copy
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mem1.agent.engines.hf import HFEngine
from mem1.agent.engines.vllm.arguments import engine_arguments
from mem1.agent.engines.vllm.process import ServerProcess, log_of, scratch_folder
from mem1.agent.text import files
from mem1.config_learning import Rl
from mem1.config_vllm import Vllm
from mem1.errors import InputError
from mem1.records import Task
from mem1.seeding import derive
from mem1.train.collect import BATCH, Arena
from mem1.train.job import Job
from mem1.train.placement import InProcess, Placement, Served
from mem1.train.players import Players
from mem1.train.processes import Processes
from mem1.train.rollouts import InModel, Rollouts, WithVllm


@contextmanager
def opened(
    job: Job, rl: Rl, players: Players, tasks: Sequence[Task], arena: Arena
) -> Iterator[Rollouts]:
    """What collects for ``job``, which learns with the settings ``rl`` on ``tasks``.

    A server is started, and stopped however the block is left. All processes call it together.

    Raises:
        InputError: vLLM is not there, or does not start.
    """
    processes, settings = job.processes, job.run.vllm
    if rl.rollout == "hf" or settings is None:
        engine = HFEngine(players.rollout, job.codec, max_rows=BATCH)
        yield InModel(engine, players.sync)
        return
    gpu = processes.device.type == "cuda"
    with scratch_folder() as scratch:
        model = engine_arguments(
            settings,
            _without_weights(job, scratch / "model"),
            max_tokens=arena.agent.max_context,
            temperature=rl.temperature,
            weights=False,
            gpu=gpu,
        )
        with _placed(job, rl, settings, model, scratch) as placement:
            form = arena.forms[arena.policy]
            yield WithVllm(
                placement,
                players.policy,
                settings,
                processes,
                [form.prompt(task, job.codec) for task in tasks[: settings.probes]],
                arena.sampling(rl),
                derive(job.run.seed, "probes"),
                sleeps=settings.sleep and gpu,
            )


def check_placement(rl: Rl, settings: Vllm, processes: Processes) -> None:
    """Refuse a placement of vLLM that these processes cannot use.

    Raises:
        InputError: in process it is to be shared out over GPUs, or processes on another machine
            could not reach the server.
    """
    if rl.rollout == "vllm":
        if settings.tensor_parallel > 1:
            raise InputError(
                f"vllm.tensor_parallel is {settings.tensor_parallel}, and with rl.rollout: vllm "
                f"each process has an engine of its own: use 1, or rl.rollout: vllm-server."
            )
        return
    here = int(os.environ.get("LOCAL_WORLD_SIZE", processes.count))  # torchrun says it
    host = "127.0.0.1" if settings.url is None else urlsplit(settings.url).hostname
    if here < processes.count and host in ("127.0.0.1", "localhost", "::1"):
        raise InputError(
            "The processes of this training are on several machines, and a server of vLLM on one "
            "of them is reached from there only: name one that all reach (vllm.url), or use "
            "rl.rollout: hf."
        )


@contextmanager
def _placed(
    job: Job, rl: Rl, settings: Vllm, model: dict[str, Any], scratch: Path
) -> Iterator[Placement]:
    """vLLM with the arguments ``model``, where the settings want it, until the block ends."""
    processes, threads = job.processes, job.arguments.threads
    check_placement(rl, settings, processes)
    if rl.rollout == "vllm":
        own = max(1, threads // processes.count)
        local = InProcess(settings, model, job.codec, own, processes)
        try:
            yield local
        finally:
            local.close()
        return
    server = None
    if settings.url is None and processes.first:
        log = log_of(job.run.name, job.arguments.checkpoint_dir)
        gpu = processes.device.type == "cuda"
        server = ServerProcess(settings, model, log, threads=threads, gpu=gpu, scratch=scratch)
    try:
        yield Served(settings, job.codec, processes, server, model["max_model_len"], scratch)
    finally:
        if server is not None:
            server.stop()


def _without_weights(job: Job, folder: Path) -> Path:
    """``folder`` with all of the model that the training starts from but its weights."""
    folder.mkdir()
    shape = copy.deepcopy(job.model.config)
    shape.architectures = [type(job.model).__name__]
    shape.save_pretrained(folder)
    for path in files(job.tokenizer):
        shutil.copyfile(path, folder / path.name)
    return folder
