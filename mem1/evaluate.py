"""Run one system on a panel of tasks and score what it answers.

Inputs: a frozen evaluation section of the configuration, a panel with its manifest, passages
and their index (not read where the section names a server, the web or kept answers), a
tokenizer, and for engine hf the folder of a model.
Outputs: OUTPUT, one trajectory a line in the order of the panel, with all views, scores and
timings; and, last, OUTPUT's stem + .manifest.json with the digests of all inputs.

An interrupted evaluation goes on where it stopped: finished trajectories are kept beside
OUTPUT in a file of their own (.NAME.partial) until OUTPUT is complete.

Departures from the paper: greedy decoding by default (the official scripts sample at
temperature 0.01 and top-p 0.95); all trajectories count, not only those that end with an
answer; a trajectory's time is its share of the wall time of the steps it took part in, and
fewer run together where their histories would not fit in memory.

Example:
    python -m mem1.evaluate --config results/mini/config/eval-mem1-rl.json --system mem1-rl \\
        --tasks results/mini/tasks/test-16.jsonl \\
        --passages results/mini/world/test/passages.jsonl --index results/mini/index/test \\
        --model results/mini/train/rl-mem1/model --tokenizer results/mini/tokenizer \\
        --output results/mini/eval/mem1-rl/16.jsonl
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mem1 import cli

if TYPE_CHECKING:
    from mem1.agent.context import ContextPolicy
    from mem1.agent.engines.base import Engine
    from mem1.agent.settings import EvaluationRun
    from mem1.agent.text import Codec
    from mem1.records import Task


def main(argv: Sequence[str]) -> None:
    """Evaluate one system on one panel.

    Raises:
        InputError: bad settings or files; nothing is written then.
    """
    parser = cli.parser(__doc__)
    parser.add_argument("--config", type=Path, required=True, help="frozen section (JSON)")
    parser.add_argument("--system", required=True, help="name that the records carry")
    parser.add_argument("--tasks", type=Path, required=True, help="panel (JSONL)")
    parser.add_argument("--passages", type=Path, required=True, help="passages (JSONL)")
    cli.add_retrieval(parser)
    parser.add_argument("--model", type=Path, help="model folder, for engine hf")
    parser.add_argument("--tokenizer", type=Path, required=True, help="tokenizer folder")
    parser.add_argument("--output", type=Path, required=True, help="trajectories to write (JSONL)")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch (default 1)")
    args = parser.parse_args(argv)

    from mem1 import manifest, provenance, records
    from mem1.agent import context, partial, rollout, settings, text
    from mem1.agent.engines.base import Sampling
    from mem1.envs.search import SearchEnvironment
    from mem1.errors import InputError
    from mem1.retrieval.bm25 import MANIFEST
    from mem1.retrieval.open import open_for
    from mem1.tasks import compose

    run = cli.read_section(args.config, settings.EvaluationRun)
    if (run.engine == "hf") != (args.model is not None):
        raise InputError(
            f"System {args.system} has the engine {run.engine}: "
            + ("name its model with --model." if args.model is None else "leave --model out.")
        )
    tasks = compose.load_panel(args.tasks)
    if not tasks:
        raise InputError(f"{args.tasks} holds no task: compose it again with at least one.")
    codec = text.load_codec(args.tokenizer)
    retriever = open_for(args, run.retrieval, args.passages)
    environment = SearchEnvironment(retriever, run.k, run.agent, codec)
    policy = context.policy(run.policy, run.agent)
    engine, batch = _engine(run, tasks, codec, policy, args.model, args.threads)
    inputs = [args.tasks, args.passages]
    searches_index = run.retrieval is None or run.retrieval.searches_index
    inputs += [args.index / MANIFEST] if searches_index else []
    inputs += [args.tokenizer / name for name in text.FILES]
    inputs += [args.model] if args.model else []
    made_from = {**manifest.describe("evaluate", args.config, inputs, {}), "system": args.system}
    if not searches_index:
        made_from["retriever"] = retriever.digest

    by_id = {task.id: task for task in tasks}
    kept = args.output.with_name(f".{args.output.name}.partial")
    with partial.Partial(kept, made_from) as unfinished:
        done = {trajectory.task_id: trajectory for trajectory in unfinished.done}

        def finish(trajectory: records.Trajectory) -> None:
            scored = rollout.scored(trajectory, by_id[trajectory.task_id])
            done[trajectory.task_id] = scored
            unfinished.add(scored)

        rollout.rollout(
            [task for task in tasks if task.id not in done],
            engine,
            policy,
            environment,
            codec,
            run.agent,
            Sampling(run.temperature, run.agent.max_new_tokens),
            prompt=run.prompt,
            system=args.system,
            seed=run.seed,
            batch=batch,
            on_done=finish,
        )
    records.write_jsonl(args.output, [done[task.id] for task in tasks])
    outputs = {args.output.name: manifest.digest(args.output)}
    provenance.write_json(
        args.output.with_name(f"{args.output.stem}.manifest.json"),
        {**made_from, "outputs": outputs},
    )
    unfinished.remove()
    scores = [done[task.id].score for task in tasks]
    exact = sum(score.em for score in scores if score) / len(tasks)
    print(f"{args.output}: {len(tasks)} tasks of {tasks[0].horizon} objectives, EM {exact:.3f}")


def _engine(
    run: "EvaluationRun",
    tasks: "Sequence[Task]",
    codec: "Codec",
    policy: "ContextPolicy",
    model_dir: Path | None,
    threads: int,
) -> "tuple[Engine, int]":
    """The engine of the system, and how many trajectories it should run together."""
    if model_dir is None:
        from mem1.agent.engines.oracle_reader import OracleReader

        return OracleReader(tasks, run.prompt, codec), run.batch

    import torch

    from mem1.agent.engines.hf import HFEngine
    from mem1.agent.rollout import task_prompt
    from mem1.errors import InputError
    from mem1.train.model import load_model

    torch.set_num_threads(threads)
    model, own = load_model(model_dir)
    if own.backend.to_str() != codec.backend.to_str():
        raise InputError(
            f"{model_dir} was trained with another tokenizer than the one given: train it again, "
            f"or name its own tokenizer."
        )
    engine = HFEngine(model, codec, max_rows=run.batch)
    # A history that is not kept from turn to turn is computed anew each time.
    sizes = [(len(codec.encode(task_prompt(task, run.prompt))), task.max_turns) for task in tasks]
    longest = max(policy.longest(prompt, turns) for prompt, turns in sizes)
    return engine, min(run.batch, engine.rows_kept(longest))


if __name__ == "__main__":
    cli.run(main)
