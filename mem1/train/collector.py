"""Opens what a training collects with, as its settings say, and closes it in the end."""

import copy
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mem1.agent.engines.base import Sampling
from mem1.agent.engines.hf import HFEngine
from mem1.agent.engines.vllm import process
from mem1.agent.engines.vllm.arguments import engine_arguments
from mem1.agent.text import files
from mem1.config_learning import Rl
from mem1.records import Task
from mem1.seeding import derive
from mem1.train.collect import BATCH, Arena
from mem1.train.job import Job
from mem1.train.placement import InProcess, Placement, Served
from mem1.train.players import Players
from mem1.train.rollouts import InModel, Rollouts, WithVllm, removed


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
    threads = max(1, job.arguments.threads // processes.count)
    with removed(process.scratch_folder()) as scratch:
        model = engine_arguments(
            settings,
            _without_weights(job, scratch / "model"),
            max_tokens=_longest(job, arena),
            temperature=rl.temperature,
            weights=False,
            gpu=gpu,
        )
        placement: Placement
        if rl.rollout == "vllm":
            placement = InProcess(settings, model, job.codec, threads, processes)
        else:
            placement = Served(
                settings,
                model,
                job.codec,
                processes,
                log=process.log_of(job.run.name, job.arguments.checkpoint_dir),
                threads=job.arguments.threads,
                gpu=gpu,
                scratch=scratch,
            )
        try:
            form = arena.forms[arena.policy]
            yield WithVllm(
                placement,
                players.policy,
                settings,
                processes,
                [form.prompt(task, job.codec) for task in tasks[: settings.probes]],
                Sampling(rl.temperature, arena.agent.max_new_tokens, form.stop),
                derive(job.run.seed, "probes"),
                sleeps=settings.sleep and gpu,
            )
        finally:
            placement.close()


def _without_weights(job: Job, folder: Path) -> Path:
    """``folder`` with all of the model that the training starts from but its weights."""
    folder.mkdir()
    shape = copy.deepcopy(job.model.config)
    shape.architectures = [type(job.model).__name__]
    shape.save_pretrained(folder)
    for path in files(job.tokenizer):
        shutil.copyfile(path, folder / path.name)
    return folder


def _longest(job: Job, arena: Arena) -> int:
    """Tokens of a context with its output, at most."""
    positions = getattr(job.model.config, "max_position_embeddings", None)
    return min(arena.agent.max_context, positions or arena.agent.max_context)
