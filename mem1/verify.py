"""Check that a run is what its manifests say, from raw inputs to each cell of its tables.

In:  FOLDER, the results of a preset, or a committed run in results/reference.
Out: on the screen, what was looked at; the first broken link of the chain and all others; and what
     has changed since, so that a rerun would differ: code, settings, raw inputs.

Of a run, every file is compared with its recorded digest, each input with what the link before
says it made, and tables and claims are made again from the records. Of a committed run, which holds
no records, the kept files and the links by their digests. A table, figure or claim that no manifest
names is a broken link. Exits with 1 if a link is broken, or, of a run, if something has changed
since that --accept does not name.

In the workflow, it is called with --manifests instead: training takes long, so it is not repeated
for a new time stamp of a file it reads. This closes the gap: the digests that these manifests
record, of code, inputs and outputs, are compared with those of the files, and the receipt OUTPUT
holds the digest of each manifest. Has no counterpart in the paper.

Example:
    python -m mem1.verify results/mini
    python -m mem1.verify results/reference/mini
"""

from collections.abc import Sequence
from pathlib import Path

from mem1 import cli


def main(argv: Sequence[str]) -> None:
    """Parse the command line and check one or the other.

    Raises:
        InputError: of manifests, the first thing that has changed; of a folder, there is no run.
        SystemExit: with 1, the run does not hold.
    """
    parser = cli.parser(__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="results/PRESET, or a committed run")
    parser.add_argument(
        "--accept",
        nargs="*",
        choices=("raw", "settings", "code"),
        default=[],
        help="of a run: what may have changed since",
    )
    parser.add_argument("--manifests", type=Path, nargs="*", help="of trainings, in the workflow")
    parser.add_argument("--output", type=Path, help="receipt for --manifests")
    args = parser.parse_args(argv)
    if (args.folder is None) == (args.manifests is None):
        parser.error("name a folder, or --manifests with --output")
    if (args.manifests is None) != (args.output is None):
        parser.error("--manifests and --output belong together")
    if args.folder is None:
        _trainings(args.manifests, args.output)
    else:
        _whole(args.folder, args.accept)


def _trainings(manifests: Sequence[Path], output: Path) -> None:
    from mem1 import made
    from mem1.manifest import verify
    from mem1.provenance import json_digest, write_json

    receipt = {path.as_posix(): json_digest(made.without(verify(path))) for path in manifests}
    write_json(output, receipt)


def _whole(folder: Path, accepted: Sequence[str]) -> None:
    from mem1.analysis import audit, reference
    from mem1.dependencies import ROOT

    report = audit.of_folder(folder, ROOT)
    print("\n".join(report.lines(folder.as_posix())))
    committed = (folder / reference.MANIFEST).is_file()
    refused = [one for one in report.since if not committed and one.kind not in accepted]
    if report.broken or refused:
        raise SystemExit(1)


if __name__ == "__main__":
    cli.run(main)
