"""Run one system on a panel of tasks and score what it answers.

Inputs: a frozen evaluation section of the configuration, a panel with its manifest, for WebShop
the goals of its shop, else passages and their index (not read where the section names a server,
the web or kept answers), and, where the section names neither a server nor a model of the Hub, a
tokenizer and for engine hf the folder of a model. A published model brings its own tokenizer.
Outputs: OUTPUT, one trajectory a line in the order of the panel, with all views, scores and
timings; and, last, OUTPUT's stem + .manifest.json with the digests of all inputs.

An interrupted evaluation goes on where it stopped: finished trajectories are kept beside
OUTPUT in a file of their own (.NAME.partial) until OUTPUT is complete.

Departures from the paper: greedy decoding by default (the official scripts sample at
temperature 0.01 and top-p 0.95); all trajectories count, not only those that end with an
answer; a trajectory's time is its share of the wall time of the steps it took part in (with vLLM
its own wall time beside the others), and fewer run together where their histories would not fit in
memory.

Example:
    python -m mem1.evaluate --config results/mini/config/eval-mem1-rl.json --system mem1-rl \\
        --tasks results/mini/tasks/test-16.jsonl \\
        --passages results/mini/world/test/passages.jsonl --index results/mini/index/test \\
        --model results/mini/train/rl-mem1/model --tokenizer results/mini/tokenizer \\
        --output results/mini/eval/mem1-rl/16.jsonl
"""

from collections.abc import Sequence
from pathlib import Path

from mem1 import cli, systems


def main(argv: Sequence[str]) -> None:
    """Evaluate one system on one panel.

    Raises:
        InputError: bad settings or files, or a server that fails; no output is written then, but
            finished trajectories are kept.
    """
    parser = cli.parser(__doc__)
    parser.add_argument("--config", type=Path, required=True, help="frozen section (JSON)")
    parser.add_argument("--system", required=True, help="name that the records carry")
    parser.add_argument("--tasks", type=Path, required=True, help="panel (JSONL)")
    systems.add_arguments(parser)
    parser.add_argument("--output", type=Path, required=True, help="trajectories to write (JSONL)")
    args = parser.parse_args(argv)

    from mem1 import manifest, provenance, records
    from mem1.agent import settings
    from mem1.errors import InputError
    from mem1.tasks import compose

    run = cli.read_section(args.config, settings.EvaluationRun)
    tasks = compose.load_panel(args.tasks)
    if not tasks:
        raise InputError(f"{args.tasks} holds no task: compose it again with at least one.")
    kept = args.output.with_name(f".{args.output.name}.partial")
    with systems.opened(run, args.system, tasks, args) as system:
        inputs = [args.tasks, *system.inputs]
        described = manifest.describe("evaluate", args.config, inputs, {})
        made_from = {**described, **system.facts, "system": args.system}
        played = systems.play(system, run, args.system, tasks, kept, made_from)
    records.write_jsonl(args.output, played)
    outputs = {args.output.name: manifest.digest(args.output)}
    provenance.write_json(
        args.output.with_name(f"{args.output.stem}.manifest.json"),
        {**made_from, "outputs": outputs},
    )
    kept.unlink()
    exact = sum(one.score.em for one in played if one.score) / len(tasks)
    of = f"{tasks[0].horizon} objectives" if run.shop is None else run.shop.protocol
    print(f"{args.output}: {len(tasks)} tasks of {of}, EM {exact:.3f}")


if __name__ == "__main__":
    cli.run(main)
