"""Estimate what a preset at full scale takes: disk, memory and GPU hours of each rule.

Inputs: the configuration, overlays after it. Output: two Markdown tables on the screen, the
estimate and the assumptions behind it (mem1.resources), which the dry run of such a preset prints
too. Nothing of the preset is run.

Example:
    python -m mem1.estimate --config config/config.yaml config/paper.yaml
"""

from collections.abc import Sequence
from pathlib import Path

from mem1 import cli


def main(argv: Sequence[str]) -> None:
    """Print the estimate.

    Raises:
        InputError: bad settings, or a preset that is not of full scale.
    """
    parser = cli.parser(__doc__)
    parser.add_argument("--config", type=Path, nargs="+", required=True, help="YAML files")
    args = parser.parse_args(argv)

    from mem1 import config_files, resources
    from mem1.tasks import catalogue

    print(resources.markdown(resources.needs(config_files.load(*args.config), catalogue.read())))


if __name__ == "__main__":
    cli.run(main)
