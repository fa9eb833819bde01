"""Draw Figure 4 (EM and peak tokens against the number of objectives) and training curves.

In:  the frozen analysis section, the records of mem1.evaluate, and, where something was
     trained, the metrics.jsonl of the training runs.
Out: as png, svg and pdf, figure4 and, where there are runs for them, figure6 (RL), figure7
     (with and without the format reward), estimators, and training (all other curves); and,
     last, manifest.json.

Departures from the paper: 95 % bands, a shade over horizons beyond the warm start, and an arm
of an ablation is one line, whatever its number of seeds.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mem1 import cli

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mem1.analysis.curves import Curve
    from mem1.analysis.figures import Headline, Series
    from mem1.analysis.settings import Analysis
    from mem1.analysis.summary import Summary


def headline_marks(analysis: "Analysis", cells: "Summary", path: Path | None) -> "Headline | None":
    """Marks for the paper's ratios over our full history after RL, where that was run."""
    from mem1.analysis import expected
    from mem1.analysis.figures import Headline

    pairs = [c for c in analysis.comparisons if c.kind == "memory" and c.stage == "rl"]
    if path is None or not pairs:
        return None
    ratios = expected.load(path).headline
    baseline = cells.get((pairs[0].second, ratios.horizon))
    if baseline is None:
        return None
    return Headline(
        horizon=ratios.horizon,
        baseline=analysis.systems[pairs[0].second].label,
        em=baseline["em"].mean,
        em_ratio=ratios.em_ratio,
        peak=baseline["peak"].mean,
        peak_ratio=ratios.peak_ratio,
    )


def series(analysis: "Analysis", cells: "Summary", arms: "Summary") -> "list[Series]":
    """The lines of Figure 4: the arms of ablations, then every system that is in none."""
    from mem1.analysis.figures import Series

    inside = {system for arm in analysis.arms for system in arm.runs.values()}
    lines = [(arm.name, arm.label, arms, arm.label) for arm in analysis.arms]
    lines += [
        (settings.label, settings.policy, cells, system)
        for system, settings in analysis.systems.items()
        if system not in inside
    ]
    found = []
    for label, group, summary, key in lines:
        at = {h: summary[key, h] for h in analysis.horizons if (key, h) in summary}
        if at:
            em, peak = ({h: got[metric] for h, got in at.items()} for metric in ("em", "peak"))
            found.append(Series(label, group, em, peak))
    return found


def of_curves(analysis: "Analysis", curves: "Sequence[Curve]") -> "dict[str, Figure]":
    """The figures of ``analysis.curves``, as far as there are ``curves`` for them."""
    from mem1.analysis import curve_figures as kinds
    from mem1.analysis.arms import estimators, format_pairs

    rl = [curve for curve in curves if curve.stage == "rl"]
    paired = {arm.name for pair in format_pairs(analysis.arms) for arm in pair}
    compared = {arm.name for arm in estimators(analysis.arms)}
    drawn = {
        "training": (curves, kinds.TRAINING),
        "figure6": (rl, kinds.FIGURE6),
        "figure7": ([c for c in rl if c.label in paired], kinds.FIGURE7),
        "estimators": ([c for c in rl if c.label in compared], kinds.ESTIMATORS),
    }
    return {
        name: kinds.curve_figure(*drawn[name], among=curves)
        for name in analysis.curves
        if drawn[name][0]
    }


def main(argv: Sequence[str]) -> None:
    """Parse the command line and write the figures."""
    parser = cli.parser(__doc__)
    parser.add_argument("--config", type=Path, required=True, help="frozen analysis section")
    parser.add_argument("--records-dir", type=Path, required=True, help="SYSTEM/HORIZON.jsonl")
    parser.add_argument("--train-dir", type=Path, help="RUN/metrics.jsonl; leave out if untrained")
    parser.add_argument("--expected", type=Path, help="the paper's numbers, to mark its ratios")
    parser.add_argument("--output-dir", type=Path, required=True)
    args = parser.parse_args(argv)

    from mem1 import manifest
    from mem1.analysis import ablations, curves, figures, summary
    from mem1.analysis.settings import Analysis
    from mem1.provenance import write_json

    analysis = cli.read_section(args.config, Analysis)
    measured = summary.load(args.records_dir, analysis)
    cells = summary.summarize(measured, analysis)
    drawn = {
        "figure4": figures.figure4(
            series(analysis, cells, ablations.summarize(measured, analysis)),
            analysis.horizons,
            analysis.warm_start_to,
            analysis.rl_horizon,
            headline_marks(analysis, cells, args.expected),
        )
    }
    inputs = [summary.record_file(args.records_dir, *key) for key in measured]
    if args.expected is not None:
        inputs.append(args.expected)
    if args.train_dir is not None and analysis.runs:
        files = curves.metric_files(args.train_dir, analysis.runs)
        first = [run for arm in analysis.arms for run in arm.runs if run in files]
        order = dict.fromkeys([*first, *files])  # arms first, as in Figure 4
        drawn |= of_curves(
            analysis, [curves.read_curve(files[run], run, analysis) for run in order]
        )
        inputs += files.values()
    (args.output_dir / "manifest.json").unlink(missing_ok=True)
    written = [
        path
        for name, figure in drawn.items()
        for path in figures.save(figure, args.output_dir / name)
    ]
    write_json(
        args.output_dir / "manifest.json",
        manifest.describe(
            "render_figures", args.config, inputs, {path.name: path for path in written}
        ),
    )
    print("\n".join(str(path) for path in written))


if __name__ == "__main__":
    cli.run(main)
