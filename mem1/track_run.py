"""Copy one finished training to MLflow: parameters, all metrics, digests, manifest.

In:  the frozen section of the run, its folder (metrics.jsonl, manifest.json), and its
     checkpoint folder, where live logging keeps the id of its MLflow run.
Out: a receipt. What was logged live is not logged again.

The folders default to their places in the layout of results: the receipt lies in
P/tracking, the run in P/train/RUN, its checkpoints in P/checkpoints/RUN/DIGEST.
"""

from collections.abc import Sequence
from pathlib import Path

from mem1 import cli


def main(argv: Sequence[str]) -> None:
    """Parse the command line and publish the run."""
    parser = cli.parser(__doc__)
    parser.add_argument("--tracking-uri", "--uri", required=True, help="sqlite:///ABS/mlflow.db")
    parser.add_argument("--config", type=Path, required=True, help="frozen section of the run")
    parser.add_argument("--output", type=Path, required=True, help="receipt")
    parser.add_argument("--experiment", help="default: the preset, from the receipt's place")
    parser.add_argument("--run-dir", type=Path, help="default: P/train/RUN")
    parser.add_argument("--checkpoint-dir", type=Path, help="default: P/checkpoints/RUN/DIGEST")
    args = parser.parse_args(argv)

    from mem1.analysis.publish import publish_run
    from mem1.errors import InputError
    from mem1.provenance import json_digest, read_json, write_json

    section = read_json(args.config)
    name = section.get("name") if isinstance(section, dict) else None
    if not isinstance(name, str):
        raise InputError(f"{args.config} is no frozen training run: it has no 'name'.")
    place = args.output.absolute().parent.parent
    checkpoints = place / "checkpoints" / name / json_digest(section)[:12]
    receipt = publish_run(
        args.tracking_uri,
        args.experiment or place.name,
        name,
        args.run_dir or place / "train" / name,
        args.checkpoint_dir or checkpoints,
        args.config,
    )
    write_json(args.output, receipt)


if __name__ == "__main__":
    cli.run(main)
