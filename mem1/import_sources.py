"""Import real questions and passages from local files, in the layouts they are published in.

Inputs: a frozen sources section of the configuration, and the folder below which the files are
that it names with their layouts (mem1.tasks.layouts); preset sample names those of the sample.
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

from mem1 import cli, config_sources

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
    from mem1.tasks import layouts, selection

    settings = cli.read_section(args.config, config_sources.Sources)
    if settings.kind != "files":
        raise InputError(
            f"{args.config}: sources.kind is {settings.kind!r}, and only 'files' is imported: "
            f"use preset sample, or make_world for generated worlds."
        )
    if not args.data_dir.is_dir():
        raise InputError(
            f"{args.data_dir} is no folder: set MEM1_SAMPLE_DATA (--data-dir) to the folder "
            f"that holds {settings.files[0].path} and the other files."
        )
    provenance.check_replaceable(args.output_dir, OUTPUTS)

    inputs = [args.data_dir / file.path for file in settings.files]
    merged, repeated = selection.merge(
        [
            layouts.READERS[file.layout](path, settings.max_passages)
            for file, path in zip(settings.files, inputs, strict=True)
        ]
    )
    kept, dropped = selection.select(merged)

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
