"""Write the JSON Schema of the configuration, for editors that complete and check YAML.

Input: none. Output: the schema file, generated from ``mem1.config``; a test keeps the
committed one in step.
"""

from collections.abc import Sequence
from pathlib import Path

from mem1 import cli


def main(argv: Sequence[str]) -> None:
    """Read the arguments and write the schema."""
    parser = cli.parser(__doc__)
    parser.add_argument("--output", type=Path, required=True, help="config/schema.json")
    arguments = parser.parse_args(argv)

    from mem1.config import json_schema
    from mem1.provenance import write_json

    write_json(arguments.output, json_schema())


if __name__ == "__main__":
    cli.run(main)
