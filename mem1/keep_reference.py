"""Keep the results of a run as the reference of its preset, to be committed.

In:  the results of a preset: tables, figures, claims, what its trainings logged.
Out: a flat folder with copies of these (no PDF), which replaces an older one, and in it
     reference.json: digests of all files, of settings, code and inputs, commit, versions.

The commit is that of the repository now, so keep a run before changing anything. Has no
counterpart in the paper.

Example:
    python -m mem1.keep_reference --results results/mini --output results/reference/mini
"""

from collections.abc import Sequence
from pathlib import Path

from mem1 import cli


def main(argv: Sequence[str]) -> None:
    """Parse the command line and copy.

    Raises:
        InputError: the run is not complete, or the output folder is something else.
    """
    parser = cli.parser(__doc__)
    parser.add_argument("--results", type=Path, required=True, help="results/PRESET")
    parser.add_argument("--output", type=Path, required=True, help="results/reference/PRESET")
    args = parser.parse_args(argv)

    import shutil

    from mem1.analysis import reference
    from mem1.errors import InputError
    from mem1.provenance import replacing, write_text

    kept = reference.describe(args.results, args.results.resolve().name)
    older = (args.output / reference.MANIFEST, args.output / "table1.csv")
    if args.output.exists() and not any(path.is_file() for path in older):
        raise InputError(f"{args.output} is no reference: name another folder, or remove it.")
    with replacing(args.output) as folder:
        folder.mkdir()
        for name, file in kept.files.items():
            shutil.copyfile(args.results / file.source, folder / name)
        write_text(folder / reference.MANIFEST, reference.to_json(kept))
    print(f"{args.output}: {len(kept.files)} files of commit {kept.made.commit}")


if __name__ == "__main__":
    cli.run(main)
