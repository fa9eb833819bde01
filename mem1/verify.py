"""Check that trained models still are what their manifests say they are.

Training takes long, so it is not repeated for a new time stamp of a file it reads. This
command closes the gap: it compares the digests that each manifest records, of the code, the
inputs and the outputs, with those of the files as they are now.

Inputs: manifests, as training writes them. Output: a JSON file with the digest of each.
Has no counterpart in the paper.
"""

from collections.abc import Sequence
from pathlib import Path

from mem1 import cli


def main(argv: Sequence[str]) -> None:
    """Read the arguments, check every manifest, write the receipt."""
    parser = cli.parser(__doc__)
    parser.add_argument("--manifests", type=Path, nargs="*", required=True)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args(argv)

    from mem1.manifest import verify
    from mem1.provenance import json_digest, write_json

    receipt = {path.as_posix(): json_digest(verify(path)) for path in arguments.manifests}
    write_json(arguments.output, receipt)


if __name__ == "__main__":
    cli.run(main)
