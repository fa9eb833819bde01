"""Freeze what one stage gets to see of the configuration, to run its command by hand.

The workflow does the same for every stage. Inputs: the configuration, overlays after it.
Output: the JSON file that the stage's command takes as ``--config``.
"""

from collections.abc import Sequence
from pathlib import Path

from mem1 import cli


def main(argv: Sequence[str]) -> None:
    """Read the arguments and write the section."""
    parser = cli.parser(__doc__)
    parser.add_argument("--config", type=Path, nargs="+", required=True, help="YAML files")
    parser.add_argument(
        "--stage", required=True, help="world, tasks-test-16, run-rl-mem1, eval-mem1-rl, ..."
    )
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args(argv)

    from mem1.config_files import load
    from mem1.provenance import write_json
    from mem1.stages import frozen

    section = frozen(load(*arguments.config), arguments.stage)
    write_json(arguments.output, section.model_dump(mode="json"))


if __name__ == "__main__":
    cli.run(main)
