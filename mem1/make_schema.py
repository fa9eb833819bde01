"""Write what describes the configuration: its JSON Schema, and the table of all settings.

Input: none but the schema in ``mem1.config`` and, for the table, the preset ``mini``. Outputs:
OUTPUT, for editors that complete and check YAML; and README, whose part below the mark is made
anew, the guide above it stays. A test keeps the committed ones in step.

Example:
    python -m mem1.make_schema --output config/schema.json --readme config/README.md
"""

from collections.abc import Sequence
from pathlib import Path

from mem1 import cli


def main(argv: Sequence[str]) -> None:
    """Read the arguments and write the schema and the table."""
    parser = cli.parser(__doc__)
    parser.add_argument("--output", type=Path, required=True, help="config/schema.json")
    parser.add_argument("--readme", type=Path, help="config/README.md, beside config.yaml")
    arguments = parser.parse_args(argv)

    from mem1.config import json_schema
    from mem1.provenance import write_json, write_text

    write_json(arguments.output, json_schema())
    if arguments.readme is not None:
        import yaml

        from mem1.config_reference import reference, with_reference

        preset = arguments.readme.with_name("config.yaml")
        values = yaml.safe_load(preset.read_text(encoding="utf-8"))
        guide = arguments.readme.read_text(encoding="utf-8")
        write_text(arguments.readme, with_reference(guide, reference(json_schema(), values)))


if __name__ == "__main__":
    cli.run(main)
