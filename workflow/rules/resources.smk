# What a job asks of a cluster beside its memory. Functions only; they read CONFIG. They can be
# overruled without a job being repeated: --set-resources RULE:NAME=VALUE.
import os

from mem1 import machines


def minutes(least, at_full_scale=None):
    """A job's time limit, more of it at each attempt: a training goes on where it was ended.

    Never more than a day, or than MEM1_LONGEST_JOB says in minutes: a job that asks for more than
    its partition allows waits for ever. What takes longer takes several attempts, or runs.
    """
    limit = at_full_scale if at_full_scale and gpus() else least
    longest = int(os.environ.get("MEM1_LONGEST_JOB", 24 * 60))

    def runtime(wildcards, attempt):
        return min(limit * attempt, longest)

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


def cpus(wildcards, threads):
    """Cores of a job that runs a model: its threads, and eight where they feed a GPU."""
    return max(threads, 8 * one_gpu())
