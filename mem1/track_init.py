"""Make or upgrade the tracking database, once, before anything writes to it.

In:  the address of an MLflow tracker.
Out: a receipt.

Several trainings that create one sqlite database at the same time break each other, so this
runs first. A tracking server looks after its own database: for http(s) it is only asked
whether it answers.
"""

from collections.abc import Sequence
from pathlib import Path

from mem1 import cli


def main(argv: Sequence[str]) -> None:
    """Parse the command line and prepare the tracker."""
    parser = cli.parser(__doc__)
    parser.add_argument("--tracking-uri", "--uri", required=True, help="sqlite:///ABS/mlflow.db")
    parser.add_argument("--output", type=Path, required=True, help="receipt")
    args = parser.parse_args(argv)

    from mem1 import tracking
    from mem1.analysis.publish import prepare
    from mem1.provenance import write_json

    version = prepare(args.tracking_uri)
    write_json(args.output, {"tracker": tracking.display(args.tracking_uri), "mlflow": version})


if __name__ == "__main__":
    cli.run(main)
