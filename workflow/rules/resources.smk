# What a job asks of a cluster beside its memory. Functions only; they read CONFIG. They can be
# overruled without a job being repeated: --set-resources RULE:NAME=VALUE.
import os

from mem1 import machines
from mem1.errors import InputError


def longest_job():
    """Minutes that no job may ask for more than.

    Raises:
        InputError: MEM1_LONGEST_JOB is no such number.
    """
    said = os.environ.get("MEM1_LONGEST_JOB", "1440")
    if not (said.isdecimal() and int(said)):
        raise InputError(
            f"MEM1_LONGEST_JOB is {said!r}: set it to a number of minutes, or unset it."
        )
    return int(said)


def minutes(least, at_full_scale=None, megabytes=None):
    """A job's time limit, more of it at each attempt: a training goes on where it was ended.

    With ``megabytes``, no less than a minute for so many of what it reads. Never more than a day, or
    than MEM1_LONGEST_JOB says in minutes: a job that asks for more than its partition allows waits
    for ever. What takes longer takes several attempts, or runs.
    """
    limit = at_full_scale if at_full_scale and gpus() else least
    longest = longest_job()

    def runtime(wildcards, input, attempt):
        reading = int(input.size_mb / megabytes) if megabytes else 0
        return min(max(limit, reading) * attempt, longest)

    return runtime


def machine():
    """What the preset is made for (config/machines.yaml)."""
    return machines.machine_of(CONFIG.preset)


def gpus():
    """GPUs of an RL training: all, so that `--resources gpu=4` runs one at a time."""
    return machine().processes if machine().device_gib else 0


def one_gpu():
    """GPUs of a job of one process that runs a model."""
    return min(1, gpus())


def playing_gpus(wildcards):
    """GPUs of a job that lets a system act: vLLM can share a model out over several."""
    shop = CONFIG.webshop.systems if CONFIG.webshop else {}
    engine = {**CONFIG.systems, **shop}[wildcards.system].engine
    shared = engine in ("vllm", "vllm-server")
    return one_gpu() * (CONFIG.vllm.tensor_parallel if shared else 1)


def cpus(wildcards, threads):
    """Cores of a job that runs a model: its threads, and eight where they feed a GPU."""
    return max(threads, 8 * one_gpu())
