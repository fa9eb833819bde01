"""Start a command in several processes: ``python -m mem1.launch PROCESSES VERB ...``.

One process runs here; several run under torchrun on this machine. How many there are is a
resource, so a rule can pass it on without its command being another one.
"""

import os
import runpy
import sys
from collections.abc import Sequence

from mem1 import cli
from mem1.errors import InputError


def main(argv: Sequence[str]) -> None:
    """Run the verb in ``argv`` with the arguments behind it."""
    if len(argv) < 2 or not argv[0].isdecimal() or int(argv[0]) < 1:
        raise InputError("Say in how many processes to run what: mem1.launch 2 train_rl ...")
    processes, verb, arguments = int(argv[0]), f"mem1.{argv[1]}", argv[2:]
    if processes == 1:
        sys.argv = [verb, *arguments]
        runpy.run_module(verb, run_name="__main__", alter_sys=True)
        return
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    # The two hyphens keep torchrun from reading the command's arguments as its own.
    line = [sys.executable, *launcher, "-m", "--", verb, *arguments]
    os.execv(sys.executable, line)


if __name__ == "__main__":
    cli.run(main)
