"""Starts the processes of a training as torchrun does."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def launch(worker: str, processes: int, *arguments: object, gpu: bool = False) -> str:
    """Run the script ``worker`` of this folder in ``processes``; what it wrote to stderr."""
    launcher = [sys.executable]
    if processes > 1:
        launcher += ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    if not gpu:  # where a compiler is needed: to make the fused kernel
        environment["CUDA_VISIBLE_DEVICES"] = ""
        environment["PATH"] = str(Path(sys.executable).parent)  # so that none is found
    done = subprocess.run(
        [*launcher, str(Path(__file__).with_name(worker)), *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stderr
