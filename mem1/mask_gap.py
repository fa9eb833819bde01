"""Measure how far the paper's stitched row is from exact log-probabilities, turn by turn.

In:  the frozen section mask_gap, the model of its system, the records that mem1.evaluate
     made with it.
Out: below OUTPUT_DIR: tables/mask_gap.csv (by number of objectives, row and turn),
     tables/mask_gap.md (short), figures/mask_gap.{png,svg,pdf,csv} and, last,
     mask_gap.manifest.json.

The first trajectories of each panel are written down as a tree, which is exact, as stitched
rows with contiguous and with restarted positions, and as single views for control; the
log-probabilities of all sampled tokens are compared, at temperature 1.

Departure from the paper: it gives no such number; it calls one copy of each internal state a
deviation made for speed (appendix A.7).

Example:
    python -m mem1.mask_gap --config results/mini/config/mask_gap.json \\
        --model results/mini/train/rl-mem1/model --records-dir results/mini/eval \\
        --output-dir results/mini
"""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from mem1 import cli

if TYPE_CHECKING:
    import numpy as np
    from transformers import PreTrainedModel

    from mem1.analysis.gap import Gap, Variant
    from mem1.records import Trajectory
    from mem1.train.tree import Tree


def main(argv: Sequence[str]) -> None:
    """Parse the command line and measure.

    Raises:
        InputError: bad settings or files; nothing is written then.
    """
    parser = cli.parser(__doc__)
    parser.add_argument("--config", type=Path, required=True, help="frozen section mask_gap")
    parser.add_argument("--model", type=Path, required=True, help="model folder of the system")
    parser.add_argument("--records-dir", type=Path, required=True, help="SYSTEM/HORIZON.jsonl")
    parser.add_argument("--output-dir", type=Path, required=True, help="holds tables, figures")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch (default 1)")
    args = parser.parse_args(argv)

    from mem1 import manifest
    from mem1.analysis import drawing, gap, summary
    from mem1.config import MaskGap
    from mem1.errors import InputError
    from mem1.provenance import write_json, write_text

    settings = cli.read_section(args.config, MaskGap)
    if settings.system is None:
        raise InputError(f"{args.config} names no system to measure: set mask_gap.system.")
    files = {
        h: summary.record_file(args.records_dir, settings.system, h) for h in settings.horizons
    }
    trajectories = {
        h: first_trajectories(path, settings.system, h, settings.tasks) for h, path in files.items()
    }

    import torch

    from mem1.train.model import load_model

    torch.set_num_threads(args.threads)
    rows = measure(load_model(args.model)[0], trajectories)

    last = args.output_dir / "mask_gap.manifest.json"
    last.unlink(missing_ok=True)
    tables = args.output_dir / "tables"
    write_text(tables / "mask_gap.csv", gap.to_csv(rows))
    write_text(tables / "mask_gap.md", gap.to_markdown(rows, settings.system))
    drawn = drawing.save(
        drawing.Drawn(gap.figure(rows), {"csv": gap.to_csv(rows)}),
        args.output_dir / "figures" / "mask_gap",
    )
    written = [tables / "mask_gap.csv", tables / "mask_gap.md", *drawn]
    outputs = {path.relative_to(args.output_dir).as_posix(): path for path in written}
    inputs = [args.model, *files.values()]
    write_json(last, manifest.describe("mask_gap", args.config, inputs, outputs))
    print((tables / "mask_gap.md").read_text(encoding="utf-8"))


def first_trajectories(path: Path, system: str, horizon: int, count: int) -> "list[Trajectory]":
    """The first ``count`` trajectories of ``path``.

    Raises:
        InputError: unusable or fewer, or one of another system, horizon or context policy.
    """
    from mem1.errors import InputError
    from mem1.records import Trajectory, iter_jsonl

    found = list(islice(iter_jsonl(path, Trajectory), count))
    if len(found) < count:
        raise InputError(
            f"{path} holds {len(found)} trajectories and mask_gap.tasks is {count}: lower it, "
            f"or raise tasks.test_count."
        )
    for number, one in enumerate(found, start=1):
        if (one.system, one.horizon, one.policy) != (system, horizon, "mem1"):
            raise InputError(
                f"{path}, line {number}: a trajectory of system {one.system!r} with "
                f"{one.horizon} objectives and policy {one.policy}, expected {system!r} with "
                f"{horizon} and mem1; evaluate it again."
            )
    return found


def measure(model: "PreTrainedModel", trajectories: "dict[int, list[Trajectory]]") -> "list[Gap]":
    """The gaps of ``trajectories``, which are given by number of objectives.

    Raises:
        InputError: a context is not what policy mem1 shows.
    """
    from tqdm import tqdm

    from mem1.analysis import gap

    rows: list[Gap] = []
    with tqdm(total=sum(map(len, trajectories.values())), desc="mask_gap", unit="task") as bar:
        for horizon, many in trajectories.items():
            turns: list[np.ndarray] = []
            deltas: dict[Variant, list[np.ndarray]] = {variant: [] for variant in gap.VARIANTS}
            for trajectory in many:
                turn, delta = compare(model, trajectory)
                turns.append(turn)
                for variant, values in delta.items():
                    deltas[variant].append(values)
                bar.update()
            for variant, found in deltas.items():
                rows += gap.gaps(horizon, variant, turns, found)
    return rows


def compare(
    model: "PreTrainedModel", trajectory: "Trajectory"
) -> "tuple[np.ndarray, dict[Variant, np.ndarray]]":
    """The turn [A] of each sampled token, and by variant its log-prob minus that of the tree.

    Raises:
        InputError: a context is not what policy mem1 shows.
    """
    from mem1.errors import InputError
    from mem1.train.stitched import stitch
    from mem1.train.tree import pack, views_of

    views = views_of(trajectory, 0)
    tree = pack(views)
    try:
        rows: dict[Variant, list[Tree]] = {
            "views": [pack([view]) for view in views],
            "stitched": [stitch(views, restarted=False)],
            "stitched-restarted": [stitch(views, restarted=True)],
        }
    except ValueError as error:
        raise InputError(f"Task {trajectory.task_id}: {error}; evaluate it again.") from error
    exact = logprobs(model, [tree])
    return tree.turn, {name: logprobs(model, row) - exact for name, row in rows.items()}


def logprobs(model: "PreTrainedModel", rows: "Sequence[Tree]") -> "np.ndarray":
    """[A] of the sampled tokens of ``rows``, which go through the model one by one.

    All with the backend ``dense``: the only one that runs both kinds of rows on a CPU.
    """
    import torch

    from mem1.train.batch import PAD, collate
    from mem1.train.forward import sampled_logprobs

    with torch.inference_mode():
        found = [sampled_logprobs(model, collate([r], PAD), backend="dense").logprobs for r in rows]
        return torch.cat(found).double().numpy()


if __name__ == "__main__":
    cli.run(main)
