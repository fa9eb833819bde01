"""Compose a panel of multi-objective tasks from a file of questions.

Inputs: a frozen tasks section of the configuration and a JSONL file of questions.
Outputs: OUTPUT (one task a line) and, last, OUTPUT's stem + .manifest.json with the digests
of questions and panel, the settings, the seed, and counts by source and hops.

The split "train" has tasks.train_count tasks, every other split tasks.test_count.
For departures from the paper see mem1.tasks.compose.

Example:
    python -m mem1.compose --config results/mini/config/tasks-test-16.json --seed 0 \\
        --questions results/mini/world/test/questions.jsonl --split test --horizon 16 \\
        --output results/mini/tasks/test-16.jsonl
"""

from collections.abc import Sequence
from pathlib import Path

from mem1 import cli, config


def main(argv: Sequence[str]) -> None:
    """Compose one panel.

    Raises:
        InputError: bad settings or questions; nothing is written then.
    """
    parser = cli.parser(__doc__)
    parser.add_argument("--config", type=Path, required=True, help="frozen tasks section (JSON)")
    parser.add_argument("--seed", type=int, required=True, help="root of the random streams")
    parser.add_argument("--questions", type=Path, required=True, help="questions (JSONL)")
    parser.add_argument("--split", required=True, help="train, validation or test")
    parser.add_argument("--horizon", type=int, required=True, help="objectives of a task")
    parser.add_argument("--output", type=Path, required=True, help="panel to write (JSONL)")
    args = parser.parse_args(argv)

    from mem1 import provenance
    from mem1.errors import InputError
    from mem1.records import Question, read_jsonl
    from mem1.tasks import compose

    settings = cli.read_section(args.config, config.Tasks)
    questions = read_jsonl(args.questions, Question)
    settings.turns_for(args.horizon)  # refuses a horizon without a budget of turns
    count = getattr(settings, compose.count_field(args.split))
    try:
        tasks = compose.compose(questions, args.horizon, count, args.split, settings, args.seed)
    except InputError as error:
        raise InputError(f"{args.questions}: {error}") from error
    made_from = {
        "questions_file": args.questions.name,
        "questions_digest": provenance.file_digest(args.questions),
        "settings": settings.model_dump(mode="json"),
        "seed": args.seed,
        "split": args.split,
        "horizon": args.horizon,
    }
    compose.save_panel(args.output, tasks, made_from)
    print(f"{args.output}: {len(tasks)} tasks of {args.horizon} objectives")


if __name__ == "__main__":
    cli.run(main)
