"""Supervised warm start of one run on demonstrations of a scripted solver or of a teacher.

Inputs: the frozen section of the run, a tokenizer, the model to start from (or ``scratch``), and a
world with its index, in which the script acts, or the demonstrations that mem1.distill has kept
(a run with sft.teacher). Outputs: ``model/``, ``metrics.jsonl`` and, last, the manifest.
Interrupted, it goes on from its newest checkpoint. Departure from the paper: its teacher is
GPT-4o; here it is a setting, and by default a script with configured imperfections.
"""

from collections.abc import Sequence
from pathlib import Path

from mem1 import cli


def main(argv: Sequence[str]) -> None:
    """Train, or go on training, one run."""
    parser = cli.parser(__doc__)
    cli.add_training(parser)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--world", type=Path, help="folder of the training world, for the script")
    parser.add_argument("--demonstrations", type=Path, help="of a teacher (JSONL)")
    arguments = parser.parse_args(argv)

    from mem1.errors import InputError
    from mem1.records import Question, read_jsonl
    from mem1.retrieval.open import open_for_training
    from mem1.seeding import derive
    from mem1.stages import TrainingRun
    from mem1.train.demonstrations import Recorded, Scripted, Source, Teacher
    from mem1.train.fitting import check_supervised
    from mem1.train.forward import Actor
    from mem1.train.job import Job
    from mem1.train.players import plain
    from mem1.train.sft import SftTraining

    run = cli.read_section(arguments.config, TrainingRun)
    if run.sft is None:
        raise InputError(
            f"{arguments.config}: run {run.name} is of stage {run.run.stage}, not sft."
        )
    taught = run.sft.teacher is not None
    if taught != (arguments.demonstrations is not None) or not (taught or arguments.world):
        raise InputError(
            f"Run {run.name} learns from {run.sft.teacher or 'a script'}: give it "
            + ("--demonstrations." if taught else "--world, and no --demonstrations.")
        )
    seed = derive(run.seed, "sft", run.run.seed)
    if taught:
        inputs = [arguments.tokenizer, arguments.demonstrations]
        job = Job.prepare("train_sft", arguments, run, inputs=inputs)
        source: Source = Recorded.load(arguments.demonstrations, job.codec, run.sft.horizons)
    else:
        passages = arguments.world / "passages.jsonl"
        questions = arguments.world / "questions.jsonl"
        retriever, searched = open_for_training(arguments, passages)
        inputs = [arguments.tokenizer, passages, questions, searched]
        job = Job.prepare("train_sft", arguments, run, inputs=inputs)
        teacher = Teacher(
            retriever,
            run.retrieval.k,
            job.codec,
            run.agent,
            run.run.policy,
            run.sft.imperfections,
        )
        known = read_jsonl(questions, Question)
        source = Scripted(teacher, known, run.sft.horizons, run.max_turns, seed)
    check_supervised(job)
    trainee = plain(Actor(job.model.train()), run.sft.optimizer)
    training = SftTraining(run.sft, seed, trainee, source)
    job.train(run.sft.steps, training.step, trainee, run.sft.checkpoint_every)


if __name__ == "__main__":
    cli.run(main)
