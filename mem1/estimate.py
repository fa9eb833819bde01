"""Estimate what a preset at full scale takes: disk, memory and GPU hours of each rule.

Inputs: the configuration, overlays after it. Output on the screen: the estimate and the assumptions
behind it (mem1.resources), then batches and memory of each device in RL (mem1.memory_report), all
for the machine in config/machines.yaml; the dry run of such a preset prints them too. Nothing of
the preset is run.

Example:
    python -m mem1.estimate --config config/config.yaml config/paper.yaml
"""

from collections.abc import Sequence
from pathlib import Path

from mem1 import cli


def main(argv: Sequence[str]) -> None:
    """Print the estimate.

    Raises:
        InputError: bad settings, a preset that is not of full scale, or a training that does not
            fit.
    """
    parser = cli.parser(__doc__)
    parser.add_argument("--config", type=Path, nargs="+", required=True, help="YAML files")
    args = parser.parse_args(argv)

    from mem1 import config_files, memory_report, resources
    from mem1.machines import machine_of
    from mem1.tasks import catalogue

    config = config_files.load(*args.config)
    machine = machine_of(config.preset)
    print(resources.markdown(resources.needs(config, catalogue.read(), machine)))
    memory_report.check_trainings(config, machine, say=print)


if __name__ == "__main__":
    cli.run(main)
