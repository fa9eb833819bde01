"""Test the paper's statements on our records.

In:  the frozen analysis section, the records of mem1.evaluate, the paper's numbers, and, for
     what the paper says of trainings, the metrics.jsonl of the training runs.
Out: claims.md, claims.json and, last, claims.manifest.json.

Each claim is supported, not supported or not run, with its numbers, the 95 % interval and the
paper's numbers (mem1/analysis/claims.py has the rule, claim_registry.py the list). A claim that
this preset cannot test is not run; a number of the paper that a claim is tested against and the
file does not have is refused by name.

Departure from the paper: it compares its model with other models; here, where it can be done,
the memory alone differs.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from mem1 import cli


def main(argv: Sequence[str]) -> None:
    """Parse the command line and write the verdicts."""
    parser = cli.parser(__doc__)
    parser.add_argument("--config", type=Path, required=True, help="frozen analysis section")
    parser.add_argument("--records-dir", type=Path, required=True, help="SYSTEM/HORIZON.jsonl")
    parser.add_argument("--expected", type=Path, required=True, help="the paper's numbers (YAML)")
    parser.add_argument("--train-dir", type=Path, help="RUN/metrics.jsonl, for ablations")
    parser.add_argument("--output-dir", type=Path, required=True)
    args = parser.parse_args(argv)

    from mem1 import manifest
    from mem1.analysis import claim_registry, claim_report, curves, expected, summary
    from mem1.analysis.evidence import Evidence
    from mem1.analysis.settings import Analysis
    from mem1.provenance import write_json, write_text

    analysis = cli.read_section(args.config, Analysis)
    paper = expected.load(args.expected)
    measured = summary.load(args.records_dir, analysis)
    shopped = summary.load_shop(args.records_dir, analysis)
    for path in summary.strangers(args.records_dir, analysis):
        print(f"left out, not configured: {path}", file=sys.stderr)
    compared = [run for arm in analysis.arms for run in arm.runs]
    files = curves.metric_files(args.train_dir, compared) if args.train_dir and compared else {}
    trained = {run: curves.read_curve(path, run, analysis) for run, path in files.items()}
    results = claim_registry.results(Evidence(measured, analysis, paper, trained, shopped))
    found = claim_report.report(results, analysis, paper)

    texts = {
        "claims.md": claim_report.to_markdown(found),
        "claims.json": claim_report.to_json(found),
    }
    last = args.output_dir / "claims.manifest.json"
    last.unlink(missing_ok=True)
    for name, text in texts.items():
        write_text(args.output_dir / name, text)
    records = [summary.record_file(args.records_dir, *key) for key in [*measured, *shopped]]
    write_json(
        last,
        manifest.describe(
            "render_claims",
            args.config,
            [args.expected, *records, *files.values()],
            {name: args.output_dir / name for name in texts},
        ),
    )
    print(claim_report.summary_table(results))


if __name__ == "__main__":
    cli.run(main)
