"""Generate one split of Atlas: ``passages.jsonl``, ``questions.jsonl``, ``manifest.json``.

Inputs: the frozen ``world`` section and the root seed. Stands in for the Wikipedia dump and
the question sets of the paper, which need downloads.
"""

from collections.abc import Sequence
from pathlib import Path

from mem1 import cli
from mem1.config import World


def main(argv: Sequence[str]) -> None:
    """Write the world of one split to a folder."""
    parser = cli.parser(__doc__)
    parser.add_argument("--config", type=Path, required=True, help="frozen world section")
    parser.add_argument("--seed", type=int, required=True, help="root seed")
    parser.add_argument("--split", required=True, choices=["train", "validation", "test"])
    parser.add_argument("--output-dir", type=Path, required=True)
    arguments = parser.parse_args(argv)

    from mem1.provenance import file_digest, write_json
    from mem1.records import write_jsonl
    from mem1.tasks.atlas import generate

    settings = cli.read_section(arguments.config, World)
    world = generate(settings, arguments.seed, arguments.split)
    folder: Path = arguments.output_dir
    last = folder / "manifest.json"
    last.unlink(missing_ok=True)  # while the files change, it would be that of others
    write_jsonl(folder / "passages.jsonl", world.passages)
    write_jsonl(folder / "questions.jsonl", world.questions)
    write_json(
        last,
        {
            "config": settings.model_dump(mode="json"),
            "seed": arguments.seed,
            "split": arguments.split,
            "passages": len(world.passages),
            "questions": {
                f"{hops} hops": sum(q.hops == hops for q in world.questions)
                for hops in sorted(settings.hops)
            },
            "outputs": {
                name: file_digest(folder / name) for name in ("passages.jsonl", "questions.jsonl")
            },
        },
    )


if __name__ == "__main__":
    cli.run(main)
