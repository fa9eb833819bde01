# What a job asks of a cluster beside its memory. Functions only; they read CONFIG. They can be
# overruled without a job being repeated: --set-resources RULE:NAME=VALUE.


def minutes(least, at_full_scale=None):
    """A job's time limit, more of it at each attempt: a training goes on where it was ended.

    A day is the longest that many clusters allow; what takes longer takes several attempts.
    """
    limit = at_full_scale if at_full_scale and gpus() else least

    def runtime(wildcards, attempt):
        return limit * attempt

    return runtime


def one_gpu():
    """GPUs of a job of one process that runs a model."""
    return min(1, gpus())


def cpus(wildcards, threads):
    """Cores of a job that runs a model: its threads, and eight where they feed a GPU."""
    return max(threads, 8 * one_gpu())
