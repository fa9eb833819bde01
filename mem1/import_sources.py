"""Import the real questions and passages of preset "sample" from a local folder.

Inputs: a frozen sources section of the configuration, and a folder with
hotpotqa/train.json, hotpotqa/dev.json (HotpotQA, official or Hub layout),
hotpotqa/train_corpus.json (title -> sentences), wiki18/passages.jsonl and
wiki18/questions.jsonl.
Outputs: a folder with passages.jsonl (each title and text once), questions.jsonl (only those
that can be scored and answered from the passages) and, last, manifest.json with the digests
of all files and what was kept and dropped, and why.

Departures from the paper: a small corpus instead of the whole Wikipedia dump, and the
selection of questions described in mem1.tasks.selection.

Example:
    python -m mem1.import_sources --config results/sample/config/sources.json \\
        --data-dir "$MEM1_SAMPLE_DATA" --output-dir results/sample/world/test
"""

from collections.abc import Sequence
from pathlib import Path

from mem1 import cli, config_retrieval

OUTPUTS = ("manifest.json", "passages.jsonl", "questions.jsonl")


def main(argv: Sequence[str]) -> None:
    """Import one folder.

    Raises:
        InputError: bad settings or files; nothing is written then.
    """
    parser = cli.parser(__doc__)
    parser.add_argument("--config", type=Path, required=True, help="frozen sources section (JSON)")
    parser.add_argument("--data-dir", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--output-dir", type=Path, required=True, help="folder to write")
    args = parser.parse_args(argv)

    from collections import Counter

    from mem1 import provenance
    from mem1.errors import InputError
    from mem1.records import write_jsonl
    from mem1.tasks import selection, sources

    settings = cli.read_section(args.config, config_retrieval.Sources)
    if settings.kind != "files":
        raise InputError(
            f"{args.config}: sources.kind is {settings.kind!r}, and only 'files' is imported: "
            f"use preset sample, or make_world for generated worlds."
        )
    if not args.data_dir.is_dir():
        raise InputError(
            f"{args.data_dir} is no folder: set MEM1_SAMPLE_DATA (--data-dir) to the folder "
            f"that holds hotpotqa/ and wiki18/."
        )
    provenance.check_replaceable(args.output_dir, OUTPUTS)

    hotpotqa, wiki18 = args.data_dir / "hotpotqa", args.data_dir / "wiki18"
    limit = settings.max_passages
    corpus = sources.read_titles(hotpotqa / "train_corpus.json", max_passages=limit)
    merged, repeated = selection.merge(
        [
            sources.Source(passages=corpus),
            sources.read_hotpotqa(hotpotqa / "train.json", max_passages=limit),
            sources.read_hotpotqa(hotpotqa / "dev.json", max_passages=limit),
            sources.Source(
                passages=sources.read_passages(wiki18 / "passages.jsonl", max_passages=limit)
            ),
            sources.read_questions(wiki18 / "questions.jsonl"),
        ]
    )
    kept, dropped = selection.select(merged)
    inputs = [hotpotqa / f"{name}.json" for name in ("train", "dev", "train_corpus")]
    inputs += [wiki18 / f"{name}.jsonl" for name in ("passages", "questions")]

    with provenance.replacing(args.output_dir) as folder:
        folder.mkdir()
        write_jsonl(folder / "passages.jsonl", merged.passages)
        write_jsonl(folder / "questions.jsonl", kept)
        manifest = {
            "settings": settings.model_dump(mode="json"),
            "inputs": {
                path.relative_to(args.data_dir).as_posix(): provenance.file_digest(path)
                for path in inputs
            },
            "files": {
                name: provenance.file_digest(folder / name)
                for name in ("passages.jsonl", "questions.jsonl")
            },
            "passages": {"kept": len(merged.passages), "dropped": {"repeated": repeated}},
            "questions": {
                "kept": len(kept),
                "dropped": dropped,
                "by_source": dict(Counter(question.source for question in kept)),
                "by_hops": dict(Counter(str(question.hops or "unknown") for question in kept)),
            },
        }
        provenance.write_json(folder / "manifest.json", manifest)
    print(
        f"{args.output_dir}: {len(merged.passages)} passages, {len(kept)} questions "
        f"({sum(dropped.values())} dropped, see manifest.json)"
    )


if __name__ == "__main__":
    cli.run(main)
