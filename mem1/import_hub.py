"""Fetch the questions of one split, or the passages, from the Hugging Face Hub.

Input: a frozen section with the rows of config/datasets.tsv to read.
Output: a folder with questions.jsonl or passages.jsonl and, last, manifest.json with the
address, sha256 and count of each file as it was found and what was kept and dropped, and why.

Departures from the paper, whose code takes all rows: questions with a semicolon in an accepted
answer and repeated questions are dropped (mem1.tasks.selection), and every file is compared with
its pinned sha256, or the digest that the Hub has for it at its commit, before it is read.

Example:
    python -m mem1.import_hub --config results/paper/config/sources-test.json \\
        --output-dir results/paper/world/test
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mem1 import cli

if TYPE_CHECKING:
    from mem1.records import Passage
    from mem1.tasks.hub import Download, Recorded
    from mem1.tasks.imports import HubImport

OUTPUTS = ("manifest.json", "passages.jsonl", "questions.jsonl")


def main(
    argv: Sequence[str], download: "Download | None" = None, recorded: "Recorded | None" = None
) -> None:
    """Import one split, or the passages; ``download`` and ``recorded`` replace the Hub.

    Raises:
        InputError: a row is not fully pinned, a file is another one, or a record does not fit;
            nothing is written then.
    """
    parser = cli.parser(__doc__)
    parser.add_argument("--config", type=Path, required=True, help="frozen section (JSON)")
    parser.add_argument("--output-dir", type=Path, required=True, help="folder to write")
    args = parser.parse_args(argv)

    from mem1 import provenance
    from mem1.tasks import catalogue, hub
    from mem1.tasks.imports import HubImport

    settings = cli.read_section(args.config, HubImport)
    provenance.check_replaceable(args.output_dir, OUTPUTS)
    for dataset in settings.sets:  # before the first download, which can take an hour
        catalogue.pinned(dataset)
    fetched = [
        hub.fetch(dataset, download or hub.download, recorded or hub.recorded)
        for dataset in settings.sets
    ]
    paths = [one.path for one in fetched]
    with provenance.replacing(args.output_dir) as folder:
        folder.mkdir()
        write = _write_passages if settings.part == "corpus" else _write_questions
        name, counts = write(folder, settings, paths)
        files = {
            hub.address(dataset): {"sha256": one.facts.sha256, "count": one.facts.count}
            for dataset, one in zip(settings.sets, fetched, strict=True)
        }
        manifest = {
            "settings": settings.model_dump(mode="json"),
            "inputs": files,
            "files": {name: provenance.file_digest(folder / name)},
            **counts,
        }
        provenance.write_json(folder / "manifest.json", manifest)
    print(f"{args.output_dir / name}: {counts}")


def _write_questions(
    folder: Path, settings: "HubImport", paths: Sequence[Path]
) -> tuple[str, dict[str, Any]]:
    from collections import Counter

    from mem1.records import write_jsonl
    from mem1.tasks import selection, sources

    pairs = zip(settings.sets, paths, strict=True)
    read = [sources.read_questions(path, dataset=dataset.source) for dataset, path in pairs]
    merged, _ = selection.merge(read)
    kept, dropped = selection.select_all(merged.questions)
    write_jsonl(folder / "questions.jsonl", kept)
    counts = {
        "kept": len(kept),
        "dropped": dropped,
        "by_source": dict(Counter(question.source for question in kept)),
        "by_hops": dict(Counter(str(question.hops or "unknown") for question in kept)),
    }
    return "questions.jsonl", {"questions": counts}


def _write_passages(
    folder: Path, settings: "HubImport", paths: Sequence[Path]
) -> tuple[str, dict[str, Any]]:
    from mem1.records import write_jsonl
    from mem1.tasks import sources

    def passages() -> "Iterator[Passage]":
        for dataset, path in zip(settings.sets, paths, strict=True):
            yield from sources.iter_passages(
                path, dataset.source, settings.max_passages, dataset.compressed
            )

    write_jsonl(folder / "passages.jsonl", passages())
    counts = [min(int(d.count), settings.max_passages or int(d.count)) for d in settings.sets]
    return "passages.jsonl", {"passages": {"kept": sum(counts)}}


if __name__ == "__main__":
    cli.run(main)
