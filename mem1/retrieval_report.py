"""Compare BM25, dense and hybrid retrieval on questions with known answers.

In:  the frozen section retrieval_report, the questions, the passages with their hybrid index
     and, for the overlap, recorded answers of another retriever.
Out: below OUTPUT_DIR: tables/retrieval.csv (every number), tables/retrieval.md (short) and,
     last, retrieval.manifest.json.

Recall is the share of questions with a gold as whole words in one of the first k passages that
the question itself retrieves. Overlap is the share of a recorded answer's passages that are
among the first k for the same query.

Departure from the paper: it reports no such numbers; its retriever is E5 over 21 million
passages, whose recorded answers are the reference of the overlap in preset sample.

Example:
    python -m mem1.retrieval_report --config results/sample/config/retrieval_report.json \\
        --questions results/sample/world/test/questions.jsonl \\
        --passages results/sample/world/test/passages.jsonl \\
        --index results/sample/compared/index --output-dir results/sample \\
        --calls "$MEM1_SAMPLE_DATA/wiki18/search_calls.jsonl"
"""

from collections.abc import Sequence
from pathlib import Path

from mem1 import cli, config_retrieval


def main(argv: Sequence[str]) -> None:
    """Search with all three and write the tables.

    Raises:
        InputError: bad settings or files; nothing is written then.
    """
    parser = cli.parser(__doc__)
    parser.add_argument("--config", type=Path, required=True, help="frozen section (JSON)")
    parser.add_argument("--questions", type=Path, required=True, help="questions (JSONL)")
    parser.add_argument("--passages", type=Path, required=True, help="passages (JSONL)")
    parser.add_argument("--index", type=Path, required=True, help="folder of the hybrid index")
    parser.add_argument("--calls", type=Path, help="recorded answers (JSONL); none: no overlap")
    parser.add_argument("--output-dir", type=Path, required=True, help="holds tables")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch and FAISS")
    args = parser.parse_args(argv)

    from mem1 import manifest
    from mem1.analysis import retrieval
    from mem1.errors import InputError
    from mem1.provenance import write_json, write_text
    from mem1.records import Question, read_jsonl
    from mem1.retrieval import hybrid
    from mem1.retrieval.base import Retriever
    from mem1.tasks.recorded import read_calls

    settings = cli.read_section(args.config, config_retrieval.Retrieval)
    if settings.kind != "hybrid":
        raise InputError(f"{args.config} is no section of retrieval_report: freeze that one.")
    questions = read_jsonl(args.questions, Question)
    if not questions:
        raise InputError(f"{args.questions} holds no question: import some first.")
    calls = read_calls(args.calls) if args.calls else []

    import torch

    torch.set_num_threads(args.threads)
    both = hybrid.load(settings, args.index, args.passages, args.threads)
    compared: dict[str, Retriever] = {"bm25": both.words, "dense": both.vectors, "hybrid": both}
    rows = [
        row
        for name, retriever in compared.items()
        for row in retrieval.compare(name, retriever, questions, calls, settings.k)
    ]

    last = args.output_dir / "retrieval.manifest.json"
    last.unlink(missing_ok=True)
    texts = {
        "retrieval.csv": retrieval.to_csv(rows),
        "retrieval.md": retrieval.to_markdown(rows, settings),
    }
    for name, text in texts.items():
        write_text(args.output_dir / "tables" / name, text)
    outputs = {f"tables/{name}": args.output_dir / "tables" / name for name in texts}
    inputs = [args.questions, args.passages, args.index / hybrid.MANIFEST]
    inputs += [args.calls] if args.calls else []
    write_json(last, manifest.describe("retrieval_report", args.config, inputs, outputs))
    print(texts["retrieval.md"])


if __name__ == "__main__":
    cli.run(main)
