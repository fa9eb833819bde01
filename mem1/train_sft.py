"""Supervised warm start of one run on demonstrations that a scripted solver plays.

Inputs: the frozen section of the run, a world with its index, a tokenizer, and the model to
start from (or ``scratch``). Outputs: ``model/``, ``metrics.jsonl`` and, last, the manifest.
Interrupted, it goes on from its newest checkpoint. Departure from the paper: the teacher is a
script with configured imperfections, not GPT-4o.
"""

from collections.abc import Sequence
from pathlib import Path

from mem1 import cli


def main(argv: Sequence[str]) -> None:
    """Train, or go on training, one run."""
    parser = cli.parser(__doc__)
    cli.add_training(parser)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--world", type=Path, required=True, help="folder of the training world")
    arguments = parser.parse_args(argv)

    from mem1.errors import InputError
    from mem1.records import Question, read_jsonl
    from mem1.retrieval.open import open_for_training
    from mem1.seeding import derive
    from mem1.train.demonstrations import Teacher
    from mem1.train.forward import Actor
    from mem1.train.job import Job
    from mem1.train.players import plain
    from mem1.train.sft import SftTraining

    passages = arguments.world / "passages.jsonl"
    questions = arguments.world / "questions.jsonl"
    retriever, searched = open_for_training(arguments, passages)
    job = Job.prepare(
        "train_sft", arguments, inputs=[arguments.tokenizer, passages, questions, searched]
    )
    run = job.run
    if run.sft is None:
        raise InputError(
            f"{arguments.config}: run {run.name} is of stage {run.run.stage}, not sft."
        )
    trainee = plain(Actor(job.model.train()), run.sft.optimizer)
    teacher = Teacher(
        retriever,
        run.retrieval.k,
        job.codec,
        run.agent,
        run.run.policy,
        run.sft.imperfections,
    )
    training = SftTraining(
        run.sft,
        derive(run.seed, "sft", run.run.seed),
        trainee,
        read_jsonl(questions, Question),
        run.max_turns,
        teacher,
    )
    job.train(run.sft.steps, training.step, trainee, run.sft.checkpoint_every)


if __name__ == "__main__":
    cli.run(main)
