"""Serve passages over HTTP, in the format of Search-R1's retrieval server.

Inputs: a frozen retrieval section of the configuration, a JSONL file of passages and their
index. Output: the address, one line on the screen when the server is ready. It answers

    POST /retrieve {"queries": ["..."], "topk": 3, "return_scores": true}
    GET  /health   digests of the retriever and of its passages, their number, version

until SIGTERM, and finishes what is under way then. It listens to this machine alone unless
--host says otherwise, and then it wants a token: put the same one into MEM1_RETRIEVER_TOKEN here
and where it is asked (for --web-stand-in, there into SERPER_API_KEY). Connections are not
encrypted. Set retrieval.url to its address to search there.

With --web-stand-in it answers POST /search in the format of Serper's web search instead, from
the same passages: a stand-in for the web, for tests and for trying retrieval.kind: web offline.

Example:
    python -m mem1.serve_retriever --config results/mini/config/retrieval.json \\
        --passages results/mini/world/test/passages.jsonl --index results/mini/index/test
"""

from collections.abc import Sequence
from pathlib import Path

from mem1 import cli, config_retrieval


def main(argv: Sequence[str]) -> None:
    """Load the index and serve it.

    Raises:
        InputError: bad settings or files, no token, or the address cannot be had.
    """
    parser = cli.parser(__doc__)
    parser.add_argument(
        "--config", type=Path, required=True, help="frozen retrieval section (JSON)"
    )
    parser.add_argument("--passages", type=Path, required=True, help="passages (JSONL)")
    parser.add_argument("--index", type=Path, required=True, help="index folder of the passages")
    parser.add_argument("--host", default="127.0.0.1", help="address (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, help="port; 0: a free one")
    parser.add_argument("--threads", type=int, default=1, help="threads of an encoder")
    parser.add_argument(
        "--web-stand-in", action="store_true", help="stand in for Serper's web search"
    )
    args = parser.parse_args(argv)

    from mem1 import keys
    from mem1.errors import InputError
    from mem1.provenance import read_json
    from mem1.retrieval import server
    from mem1.retrieval.bm25 import MANIFEST  # every index has one
    from mem1.retrieval.open import open_retriever

    token = keys.read(keys.RETRIEVER_TOKEN)
    if token is None and not server.is_local(args.host):
        raise InputError(
            f"Other machines could search at {args.host}: set the environment variable "
            f"{keys.RETRIEVER_TOKEN} to a secret of your choice, or listen at 127.0.0.1."
        )
    settings = cli.read_section(args.config, config_retrieval.Retrieval)
    own = settings.model_copy(update={"url": None, "cache": "off"})
    retriever = open_retriever(own, args.index, args.passages, args.threads)
    limits = server.Limits()
    if args.web_stand_in:
        app = server.web_stand_in(retriever, limits)
    else:
        made = read_json(args.index / MANIFEST)
        app = server.application(
            retriever, limits, settings.k, made.get("passages"), made.get("corpus")
        )
    guarded = app if token is None else server.guarded(app, token)
    server.serve(guarded, args.host, args.port, lambda address: print(address, flush=True))


if __name__ == "__main__":
    cli.run(main)
