"""Draw the paper's figures from records, and beside each a CSV with the numbers it shows.

In:  the frozen analysis section, the records of mem1.evaluate, the panels of tasks they are of,
     and, where something was trained, the metrics.jsonl of the training runs.
Out: as png, svg, pdf and csv: figure2 (context length over turns), figure4 (EM and peak against
     the number of objectives), figure5 (behaviours; examples and rules in figure5.md), budget
     (score against tokens) and, where there are runs for them, figure6 (RL), figure7 (with and
     without the format reward), estimators, and training (all other curves); captions.md; and,
     last, manifest.json.

Departures from the paper: Figures 2 and 5 are measured, 95 % intervals, a shade over horizons
beyond the warm start, and trainings that differ in the seed alone are one line.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mem1 import cli

if TYPE_CHECKING:
    from mem1.analysis.curves import Curve
    from mem1.analysis.drawing import Drawn
    from mem1.analysis.figures import Headline
    from mem1.analysis.series import Series
    from mem1.analysis.settings import Analysis
    from mem1.analysis.summary import Summary


def headline_marks(analysis: "Analysis", cells: "Summary", path: Path | None) -> "Headline | None":
    """Marks for the paper's ratios over our full history after RL, where that was run."""
    from mem1.analysis import expected
    from mem1.analysis.figures import Headline

    pairs = [pair for pair in analysis.compared("memory") if pair.stage == "rl"]
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


def of_evaluations(
    analysis: "Analysis",
    series: "Sequence[Series]",
    records: Path,
    tasks: Path,
    headline: "Headline | None",
) -> "dict[str, Drawn]":
    """The figures of evaluated systems; ``records`` and ``tasks`` are folders."""
    from mem1.analysis import behaviour_figure, budget_figure, context_figure, figures
    from mem1.analysis.drawing import Drawn
    from mem1.analysis.series import main_horizons

    evaluated = sorted({horizon for one in series for horizon in one.values["em"]})
    growths = context_figure.read(records, analysis, evaluated[-1])
    questions = behaviour_figure.questions(tasks, evaluated)
    tallies = behaviour_figure.tallies(records, series, questions)
    lines, few = figures.with_lines(series), main_horizons(series)
    covered = analysis.warm_start_to, analysis.rl_horizon
    drawn = {
        "figure4": Drawn(
            figures.figure4(lines, evaluated, *covered, headline, series),
            {"csv": figures.figure4_csv(lines)},
        ),
        "figure5": Drawn(
            behaviour_figure.figure5(tallies, series, few),
            {
                "csv": behaviour_figure.figure5_csv(tallies, few),
                "md": behaviour_figure.figure5_markdown(tallies, few),
            },
        ),
        "budget": Drawn(budget_figure.budget(series), {"csv": budget_figure.budget_csv(series)}),
    }
    if growths:
        figure2 = context_figure.figure2(growths, evaluated[-1])
        drawn["figure2"] = Drawn(figure2, {"csv": context_figure.figure2_csv(growths)})
    return drawn


def of_curves(analysis: "Analysis", curves: "Mapping[str, Curve]") -> "dict[str, Drawn]":
    """The figures of ``analysis.curves``, as far as there are ``curves`` (by run) for them."""
    from mem1.analysis import curve_figures as kinds
    from mem1.analysis.arms import estimators, format_pairs
    from mem1.analysis.drawing import Drawn

    paired = {run for pair in format_pairs(analysis.arms) for arm in pair for run in arm.runs}
    compared = {run for arm in estimators(analysis.arms) for run in arm.runs}
    rl = {run: curve for run, curve in curves.items() if curve.stage == "rl"}
    shown = {
        "training": (curves, kinds.TRAINING),
        "figure6": (rl, kinds.FIGURE6),
        "figure7": ({run: rl[run] for run in rl if run in paired}, kinds.FIGURE7),
        "estimators": ({run: rl[run] for run in rl if run in compared}, kinds.ESTIMATORS),
    }
    among = list(curves.values())
    return {
        name: Drawn(
            kinds.curve_figure(list(those.values()), panels, among),
            {"csv": kinds.curves_csv(those, panels)},
        )
        for name, (those, panels) in shown.items()
        if name in analysis.curves and those
    }


def captions(names: Sequence[str], folder: Path) -> str:
    """The captions of the report, NAME.rst in ``folder``, as one Markdown page with the figures.

    Raises:
        InputError: a figure has no caption.
    """
    from mem1.errors import InputError

    parts = ["# Figures"]
    for name in names:
        path = folder / f"{name}.rst"
        if not path.is_file():
            raise InputError(f"{path} does not exist: write the caption of {name} there.")
        text = path.read_text(encoding="utf-8").strip()
        parts += [f"## {name}", f"![{name}]({name}.png)", f"{text} Numbers: `{name}.csv`."]
    return "\n\n".join(parts) + "\n"


def main(argv: Sequence[str]) -> None:
    """Parse the command line and write the figures."""
    parser = cli.parser(__doc__)
    parser.add_argument("--config", type=Path, required=True, help="frozen analysis section")
    parser.add_argument("--records-dir", type=Path, required=True, help="SYSTEM/HORIZON.jsonl")
    parser.add_argument("--tasks-dir", type=Path, required=True, help="test-HORIZON.jsonl")
    parser.add_argument("--train-dir", type=Path, help="RUN/metrics.jsonl; leave out if untrained")
    parser.add_argument("--expected", type=Path, help="the paper's numbers, to mark its ratios")
    parser.add_argument("--captions", type=Path, help="folder of NAME.rst, for captions.md")
    parser.add_argument("--output-dir", type=Path, required=True)
    args = parser.parse_args(argv)

    from mem1 import manifest
    from mem1.analysis import ablations, curves, drawing, summary
    from mem1.analysis.behaviour_figure import panel_file
    from mem1.analysis.series import of_systems
    from mem1.analysis.settings import Analysis
    from mem1.provenance import write_json, write_text

    analysis = cli.read_section(args.config, Analysis)
    measured = summary.load(args.records_dir, analysis)
    for path in summary.strangers(args.records_dir, analysis):
        print(f"left out, not configured: {path}", file=sys.stderr)
    cells = summary.summarize(measured, analysis)
    series = of_systems(analysis, cells, ablations.summarize(measured, analysis))
    headline = headline_marks(analysis, cells, args.expected)
    drawn = of_evaluations(analysis, series, args.records_dir, args.tasks_dir, headline)
    inputs = [summary.record_file(args.records_dir, *key) for key in measured]
    inputs += [panel_file(args.tasks_dir, h) for h in sorted({h for _, h in measured})]
    inputs += [args.expected] if args.expected else []
    if args.train_dir is not None and analysis.runs:
        files = curves.metric_files(args.train_dir, analysis.runs)
        read = {run: curves.read_curve(path, run, analysis) for run, path in files.items()}
        drawn |= of_curves(analysis, curves.ordered(read, analysis))
        inputs += files.values()
    (args.output_dir / "manifest.json").unlink(missing_ok=True)
    written = [
        path
        for name, one in sorted(drawn.items())
        for path in drawing.save(one, args.output_dir / name)
    ]
    if args.captions is not None:
        written.append(args.output_dir / "captions.md")
        write_text(written[-1], captions(sorted(drawn), args.captions))
        inputs += [args.captions / f"{name}.rst" for name in sorted(drawn)]
    write_json(
        args.output_dir / "manifest.json",
        manifest.describe(
            "render_figures", args.config, inputs, {path.name: path for path in written}
        ),
    )
    print("\n".join(str(path) for path in written))


if __name__ == "__main__":
    cli.run(main)
