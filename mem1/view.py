"""Make one HTML page of recorded trajectories, to be read in a browser without a network.

In:  RECORDS, files of mem1.evaluate; several are shown together, and where they hold the same
     task, one can go from system to system. Tokenizers and panels of tasks.
Out: OUTPUT, one self-contained page: what the model saw at each turn, what was dropped, the
     changes of its internal state, what came back, tokens against the full history, scores.

A tokenizer is needed for the text of prompts and of summaries (records hold them as ids), a
panel for questions and accepted answers. Both default to their places in the layout of results
(P/eval/SYSTEM/HORIZON.jsonl: P/tokenizer and P/tasks/test-HORIZON.jsonl), if they are there.
Of several tokenizers each trajectory gets the first that fits it; where none does, its prompt
is not shown. The page says how many trajectories --limit left out.

Example:
    python -m mem1.view results/mini/eval/mem1-rl/2.jsonl results/mini/eval/full-rl/2.jsonl \\
        --output page.html
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mem1 import cli

if TYPE_CHECKING:
    from mem1.records import Task, Trajectory

LIMIT = 20  # tasks of each number of objectives


def main(argv: Sequence[str]) -> None:
    """Read the records, write the page.

    Raises:
        InputError: a file is missing or malformed, or a panel is not the one of the records.
    """
    parser = cli.parser(__doc__)
    parser.add_argument("records", type=Path, nargs="+", metavar="RECORDS", help="JSONL")
    parser.add_argument("-o", "--output", type=Path, required=True, help="page to write (HTML)")
    parser.add_argument("--tokenizer", type=Path, nargs="+", metavar="DIR", help="folders")
    parser.add_argument("--tasks", type=Path, nargs="+", metavar="PANEL", help="panels (JSONL)")
    parser.add_argument(
        "--limit",
        type=int,
        default=LIMIT,
        help=f"tasks of each number of objectives, the first ones; 0: all (default {LIMIT})",
    )
    args = parser.parse_args(argv)

    from mem1 import provenance
    from mem1.agent.text import load_codec
    from mem1.analysis import page, seen
    from mem1.errors import InputError
    from mem1.records import Trajectory, iter_jsonl

    if args.limit < 0:
        raise InputError(f"--limit is {args.limit}: give a number of tasks, or 0 for all.")
    files = list(dict.fromkeys(args.records))
    codecs = [load_codec(folder) for folder in args.tokenizer or _tokenizers(files)]
    tasks = _tasks(args.tasks or _panels(files), files)

    kept: dict[int, dict[str, None]] = {}  # number of objectives -> tasks that are shown
    rows: list[dict[str, Any]] = []
    sources: list[dict[str, Any]] = []
    for file in files:
        number = 0
        for trajectory in iter_jsonl(file, Trajectory):
            number += 1
            chosen = kept.setdefault(trajectory.horizon, {})
            if not args.limit or len(chosen) < args.limit:
                chosen[trajectory.task_id] = None
            if trajectory.task_id in chosen:
                _check_task(trajectory, tasks, file)
                rows.append(page.trajectory_data(trajectory, seen.decoder(codecs, trajectory)))
        sources.append(
            {
                "name": file.as_posix(),
                "digest": provenance.file_digest(file),
                "trajectories": number,
            }
        )
    if not rows:
        raise InputError(f"{files[0]} holds no trajectory: evaluate again.")
    left_out = sum(source["trajectories"] for source in sources) - len(rows)
    text = page.render(page.page_data(rows, tasks, sources, left_out))
    provenance.write_text(args.output, text)
    unread = sum(row["prompt"] is None for row in rows)
    print(
        f"{args.output}: {len(rows)} trajectories of {len({row['task'] for row in rows})} tasks, "
        f"{len(text.encode()) / 1e6:.1f} MB"
        + (f"; {left_out} left out, see --limit" if left_out else "")
        + (f"; {unread} without the text of their prompt, see --tokenizer" if unread else "")
    )


def _tokenizers(files: Sequence[Path]) -> list[Path]:
    """The tokenizers where the layout of results has them."""
    places = [file.absolute().parents[2] / "tokenizer" for file in files if _in_layout(file)]
    return [place for place in dict.fromkeys(places) if place.is_dir()]


def _panels(files: Sequence[Path]) -> list[Path]:
    """The panels where the layout of results has them."""
    places = [
        file.absolute().parents[2] / "tasks" / f"test-{file.stem}.jsonl"
        for file in files
        if _in_layout(file)
    ]
    return [place for place in dict.fromkeys(places) if place.is_file()]


def _in_layout(file: Path) -> bool:
    """Whether ``file`` is P/eval/SYSTEM/HORIZON.jsonl."""
    return file.stem.isdecimal() and file.absolute().parent.parent.name == "eval"


def _tasks(panels: Sequence[Path], files: Sequence[Path]) -> "dict[str, Task]":
    """The tasks of ``panels`` by id, after a look at what the records were made from.

    Raises:
        InputError: two panels differ in a task of the same id, or the manifest beside a record
            file names another panel of the same name.
    """
    from mem1 import provenance
    from mem1.errors import InputError
    from mem1.tasks.compose import load_panel

    tasks: dict[str, Task] = {}
    digests: dict[str, set[str]] = {}
    for panel in panels:
        for task in load_panel(panel):
            if tasks.setdefault(task.id, task) != task:
                raise InputError(
                    f"{panel}: task {task.id} is another one than in the panel before: make a "
                    f"page for each."
                )
        digests.setdefault(panel.name, set()).add(provenance.file_digest(panel))
    for file in files:
        manifest = file.with_name(f"{file.stem}.manifest.json")
        inputs = provenance.read_json(manifest)["inputs"] if manifest.is_file() else {}
        for name, digest in inputs.items():
            given = digests.get(Path(name).name)
            if given is not None and digest not in given:
                raise InputError(
                    f"{file} was evaluated on another {Path(name).name} than the one given: "
                    f"name its own panel with --tasks, or evaluate again."
                )
    return tasks


def _check_task(trajectory: "Trajectory", tasks: "dict[str, Task]", file: Path) -> None:
    from mem1.errors import InputError

    task = tasks.get(trajectory.task_id)
    if task is not None and task.horizon != trajectory.horizon:
        raise InputError(
            f"{file}: task {trajectory.task_id} has {trajectory.horizon} objectives, in the panel "
            f"{task.horizon}: name the panel it was evaluated on."
        )


if __name__ == "__main__":
    cli.run(main)
