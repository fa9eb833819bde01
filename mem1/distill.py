"""Collect trajectories of a teacher, for supervised learning (sft.teacher).

Inputs: the frozen section of the teacher, questions and passages of the training split with their
index, the tokenizer of the student, and what the teacher needs: a tokenizer, the folder of a
model, or neither for a server or a model of the Hub.
Outputs: demonstrations.jsonl, the trajectories that pass the filter, in the student's tokens; and,
last, manifest.json with the digests of all inputs, how many were tried and kept by number of
objectives, and how many dropped for which reason:

    unanswered, malformed   the filter wants whole trajectories (well_formed)
    wrong                   fewer questions are right than the filter wants (least_em)
    foreign                 the student could not have acted so: an output is too long in its
                            tokens, or no action in its form

The first that holds counts. A teacher may have another tokenizer than the student, and another
wording of the prompt: its trajectory is then told as the student would have lived it. Interrupted,
the command goes on with the trajectories that were finished (.demonstrations.jsonl.partial).

Departures from the paper: its code keeps trajectories with exactly one right answer; here the
share of right answers is a setting. Tasks are drawn over all questions, not from consecutive rows.

Example:
    python -m mem1.distill --config results/mini/config/distill-expert.json --system expert \\
        --questions results/mini/world/train/questions.jsonl \\
        --passages results/mini/world/train/passages.jsonl --index results/mini/index/train \\
        --model models/base --student results/mini/tokenizer \\
        --output-dir results/mini/distill/expert
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mem1 import cli, systems

if TYPE_CHECKING:
    from mem1.config_learning import Filter
    from mem1.records import Trajectory


def main(argv: Sequence[str]) -> None:
    """Let the teacher act, and keep what is worth learning from.

    Raises:
        InputError: bad settings or files, a server that fails, or nothing passes the filter.
    """
    parser = cli.parser(__doc__)
    parser.add_argument("--config", type=Path, required=True, help="frozen section (JSON)")
    parser.add_argument("--system", required=True, help="name of the teacher")
    parser.add_argument("--questions", type=Path, required=True, help="questions (JSONL)")
    systems.add_arguments(parser)
    parser.add_argument("--student", type=Path, required=True, help="tokenizer of the student")
    parser.add_argument("--output-dir", type=Path, required=True)
    args = parser.parse_args(argv)

    from mem1 import manifest, provenance, records
    from mem1.agent import context, settings, text
    from mem1.agent.formats.catalogue import FORMATS
    from mem1.agent.formats.short import SHORT
    from mem1.agent.retelling import retold
    from mem1.envs.search import SearchEnvironment
    from mem1.errors import InputError
    from mem1.seeding import stream
    from mem1.train.demonstrations import mixed_tasks, vocabulary

    run = cli.read_section(args.config, settings.DistillRun)
    if run.teacher.policy not in SHORT:
        raise InputError(
            f"The teacher {args.system} has policy {run.teacher.policy}, which no run is trained "
            f"with: name a system of policy {' or '.join(SHORT)}."
        )
    questions = records.read_jsonl(args.questions, records.Question)
    random = stream(run.teacher.seed, "distill", args.system)
    tasks = mixed_tasks(questions, run.horizons, run.max_turns, random, count=run.tasks)
    if not tasks:
        raise InputError(f"{args.questions} has fewer questions than one task of {run.horizons}.")
    codec = text.load_codec(args.student)
    form = FORMATS[run.prompt or run.teacher.policy]
    output = args.output_dir / "demonstrations.jsonl"
    kept = output.with_name(f".{output.name}.partial")
    with systems.opened(run.teacher, args.system, tasks, args) as teacher:
        inputs = [args.questions, *text.files(args.student), *teacher.inputs]
        described = manifest.describe("distill", args.config, inputs, {})
        made_from = {**described, **teacher.facts, "system": args.system}
        played = systems.play(teacher, run.teacher, args.system, tasks, kept, made_from)
        if teacher.form is form and vocabulary(teacher.codec) == vocabulary(codec):
            told: list[records.Trajectory | None] = [*played]
        else:
            policy = context.policy(run.teacher.policy, run.teacher.agent)
            limits = run.teacher.agent
            assert teacher.retriever is not None  # teachers answer questions
            world = SearchEnvironment(teacher.retriever, run.teacher.k, limits, codec)
            told = [
                retold(one, task, form, policy, world, codec, limits)
                for one, task in zip(played, tasks, strict=True)
            ]
    dropped: Counter[str] = Counter()
    chosen = []
    for first, second in zip(played, told, strict=True):
        reason = flaw(first, run.filter) or (flaw(second, run.filter) if second else "foreign")
        if second is not None and reason is None:
            chosen.append(second)
        else:
            dropped[str(reason)] += 1
    if not chosen:
        raise InputError(
            f"None of the {len(tasks)} trajectories of {args.system} passes distill.filter "
            f"({counts(dropped)}): ask for less there, or name another teacher."
        )
    horizons = Counter(one.horizon for one in chosen)
    facts = {
        "tried": len(tasks),
        "kept": {str(horizon): horizons[horizon] for horizon in sorted(horizons)},
        "dropped": dict(sorted(dropped.items())),
        "vocabulary": vocabulary(codec),
    }
    records.write_jsonl(output, chosen)
    outputs = {output.name: manifest.digest(output)}
    provenance.write_json(
        output.with_name("manifest.json"), {**made_from, **facts, "outputs": outputs}
    )
    kept.unlink()
    print(f"{output}: {len(chosen)} of {len(tasks)} kept ({counts(dropped) or 'none dropped'})")


def flaw(trajectory: "Trajectory", wanted: "Filter") -> str | None:
    """Why a scored trajectory does not pass the filter; None if it does."""
    if wanted.well_formed and trajectory.end != "answered":
        return "unanswered"
    if wanted.well_formed and any(turn.action == "malformed" for turn in trajectory.turns):
        return "malformed"
    right = trajectory.score.em if trajectory.score else 0.0
    return "wrong" if right < wanted.least_em * trajectory.horizon else None


def counts(dropped: Counter[str]) -> str:
    """How many were dropped for which reason, in words."""
    return ", ".join(f"{number} {reason}" for reason, number in sorted(dropped.items()))


if __name__ == "__main__":
    cli.run(main)
