"""Compare a run with the committed one of its preset, within stated tolerances.

In:  the results of a preset, the reference that mem1.keep_reference made, and the tolerances.
Out: on the screen and as OUTPUT, a Markdown page: which files have the same bytes, which numbers
     and verdicts are the same, within the tolerances, different or missing, and what else is
     not as it was.

Exits with 1 if the run does not agree, unless --report-only says that the page is all that is
wanted. Has no counterpart in the paper, which comes without results.

Example:
    python -m mem1.compare_reference --results results/mini --reference results/reference/mini \\
        --tolerances config/tolerances.yaml --output results/mini/reference.md
"""

from collections.abc import Sequence
from pathlib import Path

from mem1 import cli


def main(argv: Sequence[str]) -> None:
    """Parse the command line, compare, and say how it ended.

    Raises:
        InputError: the reference, the tolerances or a file of the run is unusable.
        SystemExit: with 1, the run does not agree.
    """
    parser = cli.parser(__doc__)
    parser.add_argument("--results", type=Path, required=True, help="results/PRESET")
    parser.add_argument("--reference", type=Path, required=True, help="results/reference/PRESET")
    parser.add_argument("--tolerances", type=Path, required=True, help="YAML")
    parser.add_argument("--output", type=Path, help="page to write")
    parser.add_argument("--report-only", action="store_true", help="exit with 0 in any case")
    args = parser.parse_args(argv)

    from mem1.analysis import comparison, reference
    from mem1.provenance import write_text

    kept = reference.load(args.reference)
    tolerances = comparison.load_tolerances(args.tolerances)
    files = comparison.check_files(args.results, kept)
    checks = [
        *comparison.check_sheets(args.reference, args.results, kept, tolerances),
        *comparison.check_claims(args.reference, args.results, kept, tolerances),
    ]
    page = comparison.to_markdown(kept, reference.made(args.results), files, checks)
    if args.output is not None:
        write_text(args.output, page)
    print(page)
    if not args.report_only and not comparison.agrees(files, checks):
        raise SystemExit(1)


if __name__ == "__main__":
    cli.run(main)
