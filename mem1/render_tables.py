"""Write the tables: the paper's with our rows beside its numbers, and our own.

In:  the frozen analysis section, the records of mem1.evaluate, the paper's numbers, and, for
     ablations, the metrics.jsonl of the training runs.
Out: table1.csv (every cell), table1.md (short), table1-full.md, table1.tex; table2, table3,
     table4 and format-reward as .csv, .md and .tex; ratios.csv, ratios.md; where the
     configuration has ablations (analysis.arms), ablations.csv, .md and .tex and
     ablations-comparisons.csv; and, last, manifest.json.

Records of systems that are not configured are left out, and named. A file that is cut, of
another version or another system is refused, and so is an unknown row of the paper; a number
that the paper's file does not have is an empty cell.

Departure from the paper: intervals are 95 % bootstrap intervals over tasks, and over seeds
where a training has several; the paper does not say what its +/- is.
"""

from collections.abc import Sequence

from mem1 import cli


def main(argv: Sequence[str]) -> None:
    """Parse the command line and write the tables."""
    parser = cli.parser(__doc__)
    cli.add_analysis(parser)
    args = parser.parse_args(argv)

    from mem1.analysis import material, rendered

    read = material.read(args)
    texts = rendered.tables_of(read.evidence)
    material.write("render_tables", args, read, texts, "manifest.json")
    print(texts["table1.md"])


if __name__ == "__main__":
    cli.run(main)
