"""An update of one trajectory, forward and backward, in every way it can be written down.

    python -m benchmarks.update_step

Compared (``benchmarks.rows``): the tree with each attention backend, the paper's stitched row
with a dense mask (not exact), and one sample per turn, alone or in padded batches. On a GPU
also one causal sequence of the tree's length, for the rate of the dense causal kernel.

For each: row tokens, seconds, the most memory beyond the weights, bytes of the mask, loss and
gradient norm, the operations it needs, and how often it fits into one sample per turn. Memory
comes from a first run (on a CPU in a process of its own), times from rounds in turn. What the
first run shows to be slow is timed by it alone; what would not fit, or would take longer than
``--longest``, is not run, and the result says so.
"""

import argparse
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from transformers import PreTrainedModel

from benchmarks import common
from benchmarks.rows import VARIANTS, Lengths, flops, mask_bytes, visible
from benchmarks.updates import SHAPES, Case, Limits, build, first_runs, update
from mem1 import cli
from mem1.errors import InputError
from mem1.train.tree import pack

CASES = ["300/120/400/6", "300/120/400/20", "300/120/400/34", "215/57/60/34"]
DEFAULT = {
    "cpu": ["tree/branches", "tree/dense", "stitched/dense", "per-turn"],
    "cuda": [name for name in VARIANTS if name != "tree/branches"],
}
NOWHERE = {
    "cpu": {"tree/flex": "FlexAttention has no backward pass on a CPU"},
    "cuda": {"tree/branches": "the backend branches runs on a CPU only"},
}


def arguments_of(argv: Sequence[str]) -> argparse.Namespace:
    """What is asked for, with what is not said filled in."""
    parser = cli.parser(__doc__)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--shape", choices=SHAPES, help="of the model; tiny, on a GPU 0.5b")
    parser.add_argument(
        "--cases", nargs="+", metavar="PROMPT/OUTPUT/INFO/TURNS", default=CASES,
        help="tokens and turns; 215/57/60/34 is about 16 objectives in the generated world",
    )  # fmt: skip
    parser.add_argument("--policy", choices=["mem1", "full"], default="mem1")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--slow", type=float, default=5, help="seconds that are not repeated")
    parser.add_argument("--longest", type=float, default=30, help="seconds that are not begun")
    parser.add_argument("--memory", type=float, help="GB at most; half of what there is")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, help="JSON file; benchmarks/results/ without it")
    arguments = parser.parse_args(argv)
    if arguments.device == "cuda" and not torch.cuda.is_available():
        raise InputError("There is no GPU that torch can use: take --device cpu.")
    arguments.shape = arguments.shape or ("0.5b" if arguments.device == "cuda" else "tiny")
    arguments.memory = arguments.memory or half_of_memory()
    names = arguments.variants or DEFAULT[arguments.device]
    arguments.variants = [
        name for name in names if VARIANTS[name].policy in (None, arguments.policy)
    ]
    return arguments


def half_of_memory() -> float:
    """In GB."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2e9


def measure(
    model: PreTrainedModel, case: Case, first: dict[str, dict[str, Any]], repeats: int, slow: float
) -> dict[str, Any]:
    """All variants of one case, given their first runs."""
    device = model.device
    weights = case.weights.to(device)
    runs, batches = {}, {name: VARIANTS[name].batches(case.views) for name in first}
    for name, result in first.items():
        if "not_run" not in result and result["first_s"] <= slow:
            placed = [batch.to(device) for batch in batches[name]]
            runs[name] = partial(update, model, placed, VARIANTS[name].backend, weights)
            runs[name]()
    seconds = common.interleaved(runs, repeats)
    for name, result in first.items():
        if "not_run" not in result and name not in runs:
            seconds[name] = [result["first_s"]]
    return {
        "case": str(case.lengths),
        "variants": {
            name: {
                "exact": VARIANTS[name].exact,
                "tokens": sum(batch.ids.numel() for batch in batches[name]),
                "visible_pairs": visible(batches[name]),
                "mask_bytes": mask_bytes(batches[name], VARIANTS[name].backend),
                **result,
                **_times(name, seconds, {n: flops(model, b) for n, b in batches.items()}),
            }
            for name, result in first.items()
        },
    }


def _times(
    name: str, seconds: dict[str, list[float]], operations: dict[str, float]
) -> dict[str, Any]:
    """What the seconds of a variant say, against those of the variants it is measured by."""
    if name not in seconds:
        return {"flops": operations[name]}
    found: dict[str, Any] = {
        "flops": operations[name],
        "seconds": common.spread(seconds[name]),
        "flops_per_s": common.significant(operations[name] / median(seconds[name])),
    }
    if "per-turn" in seconds:
        found["speedup_over_per_turn"] = common.ratio(*_rounds(seconds, "per-turn", name))
    if "causal" in seconds:  # what the same operations would take at that kernel's rate
        share = operations["causal"] / operations[name]
        these, those = _rounds(seconds, name, "causal")
        found["over_causal_rate"] = common.ratio([share * each for each in these], those)
    return found


def _rounds(
    seconds: dict[str, list[float]], these: str, those: str
) -> tuple[list[float], list[float]]:
    """The seconds of two variants round by round; their medians if one was run once."""
    a, b = seconds[these], seconds[those]
    return (a, b) if len(a) == len(b) else ([median(a)], [median(b)])


def main(argv: Sequence[str]) -> None:
    """Measure, print, write."""
    arguments = arguments_of(argv)
    torch.set_num_threads(arguments.threads)
    cases = [Case.of(Lengths.parse(text), arguments.policy) for text in arguments.cases]
    cases.sort(key=lambda case: len(pack(case.views)))
    model = build(arguments.shape, arguments.device)
    limits = Limits(arguments.memory * 1e9, arguments.longest)
    first = {name: first_runs(model, name, cases, limits) for name in arguments.variants}
    results = []
    for number, case in enumerate(cases):
        own = {name: found[number] for name, found in first.items()}
        results.append(measure(model, case, own, arguments.repeats, arguments.slow))
        show(results[-1])
    settings = {k: v for k, v in vars(arguments).items() if k != "output"}
    common.write(
        arguments.output, "update_step", settings,
        {"cases": results, "not_here": NOWHERE[arguments.device]},
    )  # fmt: skip


def show(result: dict[str, Any]) -> None:
    """One case as a table."""
    print(f"{result['case']:<31}tokens  seconds  speed-up  peak MB  mask KB")
    for name, found in result["variants"].items():
        line = f"  {name:<18}{'' if found['exact'] else 'not exact':<11}{found['tokens']:>6}"
        if "not_run" in found:
            print(f"{line}  {found['not_run']}")
            continue
        speedup = found.get("speedup_over_per_turn", {}).get("median", float("nan"))
        print(
            f"{line}{found['seconds']['median']:>9.2f}{speedup:>10.2f}"
            f"{found['peak_bytes'] / 1e6:>9.0f}{found['mask_bytes'] / 1e3:>9.1f}",
            flush=True,
        )


if __name__ == "__main__":
    cli.run(main)
