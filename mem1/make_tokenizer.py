"""Make a tokenizer: word-level for Atlas or generated shops, byte-level BPE for real passages.

The Atlas vocabulary depends on the names and wordings of Atlas only, not on a seed, so that
the committed base model fits every world. The BPE is trained on the passages given.

Output: a folder, and last, beside it, FOLDER.manifest.json with the digests of its files.
"""

from collections.abc import Sequence
from pathlib import Path

from mem1 import cli


def main(argv: Sequence[str]) -> None:
    """Write a tokenizer that ``PreTrainedTokenizerFast`` reads."""
    parser = cli.parser(__doc__)
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--atlas", action="store_true", help="word-level, for generated worlds")
    kind.add_argument("--webshop", action="store_true", help="word-level, for generated shops")
    kind.add_argument("--passages", type=Path, help="train a byte-level BPE on these passages")
    parser.add_argument("--output-dir", type=Path, required=True)
    arguments = parser.parse_args(argv)

    from mem1 import manifest
    from mem1.provenance import write_json
    from mem1.records import Passage, read_jsonl
    from mem1.tasks import tokenizer

    if arguments.atlas:
        made = tokenizer.word_level()
    elif arguments.webshop:
        from mem1.agent.formats.shop import vocabulary

        made = tokenizer.word_level(vocabulary())
    else:
        passages = read_jsonl(arguments.passages, Passage)
        made = tokenizer.byte_pair(f"{p.title}. {p.text}" for p in passages)
    folder: Path = arguments.output_dir
    last = folder.with_name(f"{folder.name}.manifest.json")
    last.unlink(missing_ok=True)
    tokenizer.save(made, folder)
    inputs = [arguments.passages] if arguments.passages else []
    outputs = {f"{folder.name}/{path.name}": path for path in folder.iterdir()}
    write_json(last, manifest.describe("make_tokenizer", None, inputs, outputs))


if __name__ == "__main__":
    cli.run(main)
