"""Train one run in WebShop: on the demonstrations of a script, or with the shop's reward.

Inputs: the frozen section of the run, a tokenizer, the model to start from (or ``scratch``) and,
for stage rl, the training tasks with the goals of their shop. Outputs: ``model/``,
``metrics.jsonl`` and, last, the manifest. Interrupted, it goes on from its newest checkpoint.

Departures from the paper: demonstrations are a script's, and a model is made from nothing (see
``train.shop``); for RL those of ``train.rl``, and the reward is the shop's alone, without the -1
that the paper's code gives for an invalid format.
"""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mem1 import cli

if TYPE_CHECKING:
    from mem1.stages import ShopRun


def main(argv: Sequence[str]) -> None:
    """Train, or go on training, one run."""
    parser = cli.parser(__doc__)
    cli.add_training(parser)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--tasks", type=Path, help="rl: tasks to train on (JSONL)")
    parser.add_argument("--goals", type=Path, help="rl: the goals of their shop (JSON)")
    arguments = parser.parse_args(argv)

    from mem1.errors import InputError
    from mem1.stages import ShopRun

    run = cli.read_section(arguments.config, ShopRun)
    given = [arguments.tasks, arguments.goals]
    if any((path is None) != (run.rl is None) for path in given):
        raise InputError(
            f"Run {run.name} is of stage {run.run.stage}: "
            + (
                "leave --tasks and --goals out."
                if run.rl is None
                else "give it --tasks and --goals."
            )
        )
    if run.rl is None:
        _imitate(run, arguments)
    else:
        _reinforce(run, arguments)


def _imitate(run: "ShopRun", arguments: argparse.Namespace) -> None:
    from mem1.seeding import derive
    from mem1.train.base import optimizers
    from mem1.train.job import Job
    from mem1.train.shop import ShopTraining
    from mem1.train.trainee import PlainTrainee

    sft = run.sft
    assert sft is not None
    job = Job.prepare("train_shop", arguments, run, inputs=[arguments.tokenizer])
    made = optimizers(job.model.train(), sft.optimizer, sft.muon_lr)
    trainee = PlainTrainee(job.model, made, sft.optimizer.clip)
    seed = derive(run.seed, "shop sft", run.run.seed)
    training = ShopTraining(run, seed, trainee, job.codec)
    job.train(sft.steps, training.step, trainee, sft.checkpoint_every)


def _reinforce(run: "ShopRun", arguments: argparse.Namespace) -> None:
    from mem1.agent.formats.shop import SHOP
    from mem1.envs.webshop import opening
    from mem1.seeding import derive
    from mem1.tasks.compose import load_panel
    from mem1.train.collect import Arena, collapsed
    from mem1.train.collector import opened
    from mem1.train.fitting import announce
    from mem1.train.job import Job
    from mem1.train.players import players as prepare
    from mem1.train.rl import RlTraining

    rl = run.rl
    assert rl is not None
    inputs = [arguments.tokenizer, arguments.tasks, arguments.goals]
    job = Job.prepare("train_shop", arguments, run, inputs=inputs)
    tasks = load_panel(arguments.tasks)
    split = tasks[0].split
    shop = opening.environment(run.shop, arguments.goals, split, run.seed, run.agent, job.codec)
    announce(job, rl, tasks)
    players = prepare(job.model, rl, job.processes)
    arena = Arena(shop, job.codec, run.agent, run.run.policy, SHOP)
    with opened(job, rl, players, tasks, arena) as rollouts:
        seed = derive(run.seed, "shop rl", run.run.seed)
        training = RlTraining(rl, seed, players, tasks, arena, job.processes, rollouts)
        job.train(
            rl.steps,
            training.step,
            players.resumable,
            rl.checkpoint_every,
            finish=players.sync,
            collapsed=partial(collapsed, settings=rl),
        )


if __name__ == "__main__":
    cli.run(main)
