"""Copy evaluations, tables, figures and claims to MLflow.

In:  the records of mem1.evaluate, the tables, the figures, other files (claims, a page of
     trajectories), the tokenizers of the records, the frozen analysis section: records of systems
     that it does not have are left out, as tables leave them out.
Out: a receipt. One run per system (metrics by number of objectives, a few trajectories as
     text and as traces) and one run with all files; unchanged ones are not repeated.

The folders default to their places in the layout of results: the receipt lies in
P/tracking, the others are P/eval, P/tables, P/figures and, where they are, P/tokenizer and
P/webshop/tokenizer (traces show the text of contexts by them) and P/config/analysis.json.
"""

from collections.abc import Sequence
from pathlib import Path

from mem1 import cli


def main(argv: Sequence[str]) -> None:
    """Parse the command line and publish the results."""
    parser = cli.parser(__doc__)
    parser.add_argument("--tracking-uri", "--uri", required=True, help="sqlite:///ABS/mlflow.db")
    parser.add_argument("--output", type=Path, required=True, help="receipt")
    parser.add_argument("--experiment", help="default: the preset, from the receipt's place")
    parser.add_argument("--eval-dir", type=Path, help="default: P/eval")
    parser.add_argument("--tables-dir", type=Path, help="default: P/tables")
    parser.add_argument("--figures-dir", type=Path, help="default: P/figures")
    parser.add_argument("--others", type=Path, nargs="*", default=[], help="further files")
    parser.add_argument("--tokenizer", type=Path, nargs="+", metavar="DIR", help="folders")
    parser.add_argument("--config", type=Path, help="default: P/config/analysis.json, if there")
    args = parser.parse_args(argv)

    from mem1.analysis.publish import publish_results
    from mem1.analysis.settings import Analysis
    from mem1.provenance import write_json

    place = args.output.absolute().parent.parent
    config = args.config or place / "config" / "analysis.json"
    known = args.config is not None or config.is_file()
    usual = [place / "tokenizer", place / "webshop" / "tokenizer"]
    receipt = publish_results(
        args.tracking_uri,
        args.experiment or place.name,
        args.eval_dir or place / "eval",
        args.tables_dir or place / "tables",
        args.figures_dir or place / "figures",
        args.tokenizer or [folder for folder in usual if folder.is_dir()],
        args.others,
        cli.read_section(config, Analysis) if known else None,
    )
    write_json(args.output, receipt)


if __name__ == "__main__":
    cli.run(main)
