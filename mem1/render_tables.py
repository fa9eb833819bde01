"""Write the tables: our Table 1 with the paper's numbers beside it, and the claims' verdicts.

In:  the frozen analysis section, the records of mem1.evaluate, the paper's numbers.
Out: table1.csv (every cell), table1.md (short), table1-full.md, table1.tex, ratios.csv,
     ratios.md and, last, manifest.json.

Departure from the paper: intervals are 95 % bootstrap intervals over tasks; the paper does
not say what its +/- is.
"""

from collections.abc import Sequence
from pathlib import Path

from mem1 import cli


def main(argv: Sequence[str]) -> None:
    """Parse the command line and write the tables."""
    parser = cli.parser(__doc__)
    parser.add_argument("--config", type=Path, required=True, help="frozen analysis section")
    parser.add_argument("--records-dir", type=Path, required=True, help="SYSTEM/HORIZON.jsonl")
    parser.add_argument("--expected", type=Path, required=True, help="the paper's numbers (YAML)")
    parser.add_argument("--output-dir", type=Path, required=True)
    args = parser.parse_args(argv)

    from mem1 import manifest
    from mem1.analysis import claims, expected, markdown, summary, tables
    from mem1.analysis.settings import Analysis
    from mem1.provenance import write_json, write_text

    analysis = cli.read_section(args.config, Analysis)
    paper = expected.load(args.expected)
    measured = summary.load(args.records_dir, analysis)
    cells = summary.summarize(measured, analysis)
    rows = tables.lines(cells, analysis, paper)
    others = tables.other_lines(analysis, paper)
    ratios = claims.ratios(measured, analysis, paper)
    gains = claims.gains(measured, analysis)
    texts = {
        "table1.csv": tables.to_csv([*rows, *others]),
        "table1.md": markdown.short(rows, ratios, analysis),
        "table1-full.md": markdown.full(rows, others, ratios, gains, analysis, paper),
        "table1.tex": tables.to_latex(rows, analysis),
        "ratios.csv": tables.ratios_csv(ratios, gains),
        "ratios.md": markdown.ratio_section(ratios, gains, analysis),
    }
    (args.output_dir / "manifest.json").unlink(missing_ok=True)
    for name, text in texts.items():
        write_text(args.output_dir / name, text)
    records = [summary.record_file(args.records_dir, *key) for key in measured]
    write_json(
        args.output_dir / "manifest.json",
        manifest.describe(
            "render_tables",
            args.config,
            [args.expected, *records],
            {name: args.output_dir / name for name in texts},
        ),
    )
    print(texts["table1.md"])


if __name__ == "__main__":
    cli.run(main)
