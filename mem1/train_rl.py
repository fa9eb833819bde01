"""Reinforcement learning of one run on composed tasks.

Inputs: the frozen section of the run, the model to start from, a panel of tasks, passages and
their index. Outputs: ``model/``, ``metrics.jsonl`` and, last, the manifest. Interrupted, it
goes on from its newest checkpoint. Departure from the paper: see ``train.rl``.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mem1 import cli


def main(argv: Sequence[str]) -> None:
    """Train, or go on training, one run."""
    parser = cli.parser(__doc__)
    cli.add_training(parser)
    parser.add_argument("--tasks", type=Path, required=True, help="panel of training tasks")
    parser.add_argument("--passages", type=Path, required=True)
    arguments = parser.parse_args(argv)

    from mem1.envs.search import SearchEnvironment
    from mem1.errors import InputError
    from mem1.retrieval.open import open_for_training
    from mem1.seeding import derive
    from mem1.stages import TrainingRun
    from mem1.tasks.compose import load_panel
    from mem1.train.collect import Arena, collapsed, forms
    from mem1.train.collector import opened
    from mem1.train.fitting import announce
    from mem1.train.job import Job
    from mem1.train.players import players as prepare
    from mem1.train.rl import RlTraining

    retriever, searched = open_for_training(arguments, arguments.passages)
    run = cli.read_section(arguments.config, TrainingRun)
    if run.rl is None:
        raise InputError(f"{arguments.config}: run {run.name} is of stage {run.run.stage}, not rl.")
    inputs = [arguments.tasks, arguments.passages, searched]
    job = Job.prepare("train_rl", arguments, run, inputs=inputs)
    tasks = load_panel(arguments.tasks)
    announce(job, run.rl, tasks)
    players = prepare(job.model, run.rl, job.processes)
    environment = SearchEnvironment(retriever, run.retrieval.k, run.agent, job.codec)
    spoken = forms(run.run.policy, run.run.prompt)
    arena = Arena(environment, job.codec, run.agent, run.run.policy, spoken)
    with opened(job, run.rl, players, tasks, arena) as rollouts:
        seed = derive(run.seed, "rl", run.run.seed)
        training = RlTraining(run.rl, seed, players, tasks, arena, job.processes, rollouts)
        job.train(
            run.rl.steps,
            training.step,
            players.resumable,
            run.rl.checkpoint_every,
            finish=players.sync,
            collapsed=partial(collapsed, settings=run.rl),
        )


if __name__ == "__main__":
    cli.run(main)
