"""Compare a local file with its row in the table of data sets.

Inputs: the name of a row of config/datasets.tsv and a file. Output: one line; when the file is
another one, or the row has facts that are unverified, the line says which, and the exit status
is 2. Of a row whose sha256 is by-revision only the count is compared.

Example:
    python -m mem1.verify_dataset hotpotqa-dev dev.jsonl
"""

from collections.abc import Sequence
from pathlib import Path

from mem1 import cli


def main(argv: Sequence[str]) -> None:
    """Compare one file.

    Raises:
        InputError: there is no such row or file, or they differ.
    """
    parser = cli.parser(__doc__)
    parser.add_argument("name", help="row of the table")
    parser.add_argument("file", type=Path, help="the file that should be it")
    parser.add_argument("--table", type=Path, help="the table (default: config/datasets.tsv)")
    args = parser.parse_args(argv)

    from mem1.errors import InputError
    from mem1.tasks import catalogue

    table = catalogue.read(args.table or catalogue.TABLE)
    if args.name not in table:
        raise InputError(f"There is no data set {args.name!r}: use one of {list(table)}.")
    facts = catalogue.check(table[args.name], args.file)
    row = table[args.name]
    known = "as pinned" if row.sha256 == facts.sha256 else "left to the commit by the table"
    print(
        f"{args.file} is {args.name}: {facts.count} {row.role}, sha256 {facts.sha256} and size "
        f"{facts.size} ({known})"
    )


if __name__ == "__main__":
    cli.run(main)
