"""Build the index of a file of passages, of the kind that the settings name.

Inputs: a frozen retrieval section of the configuration (or that of retrieval_report, whose index
is hybrid), a JSONL file of passages and, for kinds dense and hybrid, their vectors from
mem1.encode_passages.
Output: a folder with the index and, last, manifest.json with the digests of the corpus and
of every file. The same inputs give the same bytes, however many shards the vectors are in.

For departures from the paper see mem1.retrieval.bm25, dense and hybrid.

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
    parser.add_argument("--vectors", type=Path, nargs="*", default=[], help="all shards (.npy)")
    parser.add_argument("--threads", type=int, default=1, help="of FAISS; hnsw repeats with 1 only")
    args = parser.parse_args(argv)

    from mem1.errors import InputError
    from mem1.retrieval.build import build
    from mem1.retrieval.passages import scan

    settings = cli.read_section(args.config, config_retrieval.Retrieval)
    passages = scan(args.passages)
    try:
        build(passages, args.vectors, settings, args.output_dir, args.threads)
    except InputError as error:
        raise InputError(f"{args.passages}: {error}") from error
    print(f"{args.output_dir}: {settings.kind} index of {len(passages)} passages")


if __name__ == "__main__":
    cli.run(main)
