"""Encode one shard of a file of passages with the encoder of dense retrieval.

Inputs: the frozen encoder section of the configuration and a JSONL file of passages.
Outputs: OUTPUT, the vectors (NumPy, float32), and, last, OUTPUT's stem + .manifest.json with the
digests of encoder, passages and vectors. The number of shards changes no vector; interrupted,
a shard goes on behind its last whole chunk.

Departures from the paper: which encoder is used is a setting (the paper's is E5, base).

Example:
    python -m mem1.encode_passages --config results/sample/config/encoder.json --shard 1-of-2 \\
        --passages results/sample/world/test/passages.jsonl \\
        --output results/sample/vectors/test/1-of-2.npy
"""

import re
import time
from collections.abc import Sequence
from pathlib import Path

from mem1 import cli, config_retrieval


def main(argv: Sequence[str]) -> None:
    """Encode one shard.

    Raises:
        InputError: bad settings, passages or shard; nothing is written then.
    """
    parser = cli.parser(__doc__)
    parser.add_argument("--config", type=Path, required=True, help="frozen encoder section (JSON)")
    parser.add_argument("--passages", type=Path, required=True, help="passages (JSONL)")
    parser.add_argument("--shard", required=True, help="NUMBER-of-SHARDS, counted from 1")
    parser.add_argument("--output", type=Path, required=True, help="vectors to write (.npy)")
    parser.add_argument("--threads", type=int, default=1, help="threads of torch (default 1)")
    args = parser.parse_args(argv)

    from mem1.errors import InputError

    settings = cli.read_section(args.config, config_retrieval.Encoder)
    shard, shards = _parts(args.shard)
    if not args.passages.is_file():
        raise InputError(f"{args.passages} does not exist: make it first, or correct the path.")

    import torch

    from mem1.retrieval.encoder import Encoder
    from mem1.retrieval.vectors import encode_shard

    torch.set_num_threads(args.threads)
    encoder = Encoder(settings)
    start = time.perf_counter()
    count = encode_shard(encoder, args.passages, shard, shards, args.output)
    seconds = time.perf_counter() - start
    print(f"{args.output}: {count} vectors of {encoder.width} numbers in {seconds:.0f} s")


def _parts(text: str) -> tuple[int, int]:
    """Number and count of ``3-of-8``.

    Raises:
        InputError: it is no such text.
    """
    from mem1.errors import InputError

    found = re.fullmatch(r"(\d+)-of-(\d+)", text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise InputError(f"--shard is {text!r}: write a number and how many there are, as 3-of-8.")
    return int(found[1]), int(found[2])


if __name__ == "__main__":
    cli.run(main)
