"""What all commands share: arguments in, one sentence out when the user can fix it."""

import argparse
import atexit
import errno
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from mem1.config_files import explain
from mem1.errors import InputError
from mem1.provenance import read_json

S = TypeVar("S", bound=BaseModel)

_FORBIDDEN = "{} may not be read or written: change its permissions, or name another place."
# What the system says of a place that a user named, in a sentence.
_PLACES = {
    errno.ENOSPC: "The disk is full ({}): free some space.",
    errno.EISDIR: "{} is a folder: name a file.",
    errno.ENOTDIR: "{} is, or lies below, a file where a folder is needed: name another place.",
    errno.EEXIST: "{} is a file where a folder is needed: name another place.",
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EROFS: _FORBIDDEN,
    errno.ENAMETOOLONG: "{} is too long a name: choose a shorter one.",
}


def parser(doc: str | None) -> argparse.ArgumentParser:
    """An argument parser whose help is the command's own docstring."""
    return argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def add_training(parser: argparse.ArgumentParser) -> None:
    """The arguments that all training commands of a run have."""
    parser.add_argument("--config", type=Path, required=True, help="frozen section of the run")
    parser.add_argument("--start", required=True, help="folder of a model, or scratch")
    add_retrieval(parser)
    parser.add_argument("--checkpoint-dir", type=Path, required=True)
    parser.add_argument("--output-dir", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1, help="threads of all processes")
    parser.add_argument(
        "--accept",
        nargs="*",
        choices=("configuration", "code", "input"),
        default=os.environ.get("MEM1_ACCEPT", "").split(),
        help="go on from checkpoints made with another one of these (also: MEM1_ACCEPT)",
    )
    parser.add_argument("--tracking-uri", help="MLflow, for live metrics; none without it")
    parser.add_argument("--experiment", default="mem1", help="MLflow experiment: the preset")


def add_analysis(parser: argparse.ArgumentParser) -> None:
    """What tables and claims are made of, and where they go."""
    parser.add_argument("--config", type=Path, required=True, help="frozen analysis section")
    parser.add_argument("--records-dir", type=Path, required=True, help="SYSTEM/HORIZON.jsonl")
    parser.add_argument("--expected", type=Path, required=True, help="the paper's numbers (YAML)")
    parser.add_argument("--train-dir", type=Path, help="RUN/metrics.jsonl, for ablations")
    parser.add_argument("--output-dir", type=Path, required=True)


def add_retrieval(parser: argparse.ArgumentParser) -> None:
    """What commands that search are given beside the settings."""
    parser.add_argument("--index", type=Path, help="folder of the index, where they name one")
    parser.add_argument(
        "--cache",
        type=Path,
        help="database of kept answers (default: $MEM1_RETRIEVAL_CACHE/<name of --index>.sqlite)",
    )
    parser.add_argument("--cache-digest", help="replay: whose answers, if it has several")


def read_section(path: Path, kind: type[S]) -> S:
    """The frozen stage file at ``path`` as ``kind``.

    Raises:
        InputError: missing, no JSON, or not what the schema says.
    """
    try:
        return kind.model_validate(read_json(path))
    except ValidationError as error:
        raise explain(error, str(path), kind) from error


def run(main: Callable[[Sequence[str]], None]) -> None:
    """Call ``main`` with the command line; user errors print one sentence and exit with 2.

    Such are ``InputError`` and places that are of another kind than needed or out of reach.
    """
    status = 0
    try:
        main(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read the output has seen enough: `... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(128 + signal.SIGPIPE) from None
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 2
    except OSError as error:
        place = error.filename2 or error.filename  # of a renaming, the name that was to be had
        if error.errno not in _PLACES or (place is None and error.errno != errno.ENOSPC):
            raise
        print(f"error: {_PLACES[error.errno].format(place or 'an output')}", file=sys.stderr)
        status = 2
    if _in_a_group():
        # Python's own end is left out: a thread of the group that still holds a tensor then asks
        # for the interpreter, and aborts the process ("terminate called without an active
        # exception"), so that a training that is done counts as failed.
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    if status:
        raise SystemExit(status)


def _in_a_group() -> bool:
    """Whether this process computes together with others, or could."""
    distributed = sys.modules.get("torch.distributed")
    if distributed is None or not distributed.is_available():
        return False
    found: bool = distributed.is_initialized()
    return found
