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

from collections.abc import Sequence

from mem1 import cli


def main(argv: Sequence[str]) -> None:
    """Parse the command line and write the verdicts."""
    parser = cli.parser(__doc__)
    cli.add_analysis(parser)
    args = parser.parse_args(argv)

    from mem1.analysis import claim_registry, claim_report, material, rendered

    read = material.read(args)
    results = claim_registry.results(read.evidence)
    texts = rendered.claims_of(results, read.evidence)
    material.write("render_claims", args, read, texts, "claims.manifest.json")
    print(claim_report.summary_table(results))


if __name__ == "__main__":
    cli.run(main)
