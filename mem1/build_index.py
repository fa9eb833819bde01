"""Build the BM25 index of a file of passages.

Inputs: a frozen retrieval section of the configuration and a JSONL file of passages.
Output: a folder with the index and, last, manifest.json with the digests of the corpus and
of every file. The same inputs give the same bytes.

For departures from the paper see mem1.retrieval.bm25.

Example:
    python -m mem1.build_index --config results/mini/config/retrieval.json \\
        --passages results/mini/world/test/passages.jsonl --output-dir results/mini/index/test
"""

from collections.abc import Sequence
from pathlib import Path

from mem1 import cli, config_retrieval


def main(argv: Sequence[str]) -> None:
    """Build one index.

    Raises:
        InputError: bad settings or passages; nothing is written then.
    """
    parser = cli.parser(__doc__)
    parser.add_argument(
        "--config", type=Path, required=True, help="frozen retrieval section (JSON)"
    )
    parser.add_argument("--passages", type=Path, required=True, help="passages (JSONL)")
    parser.add_argument("--output-dir", type=Path, required=True, help="index folder to write")
    args = parser.parse_args(argv)

    from mem1.errors import InputError
    from mem1.records import Passage, read_jsonl
    from mem1.retrieval import bm25

    settings = cli.read_section(args.config, config_retrieval.Retrieval)
    passages = read_jsonl(args.passages, Passage)
    try:
        bm25.build(passages, settings, args.output_dir)
    except InputError as error:
        raise InputError(f"{args.passages}: {error}") from error
    print(f"{args.output_dir}: index of {len(passages)} passages")


if __name__ == "__main__":
    cli.run(main)
