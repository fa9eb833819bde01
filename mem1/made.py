"""What a result was made with besides its inputs: state of the repository, versions, machine.

It stands in manifests to be read by people. No digest covers it, so that the same inputs have the
same digests on every machine.
"""

import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

KEY = "made"  # in a manifest
LIBRARIES = (
    *("torch", "transformers", "deepspeed", "tokenizers", "numpy", "bm25s", "faiss-cpu"),
    *("matplotlib", "snakemake"),
)


def commit() -> str:
    """The git commit of the code, ``-dirty`` when tracked files differ; ``unknown`` outside."""
    folder = Path(__file__).parent

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True, timeout=20
        )
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", ".")
        return git("rev-parse", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def machine() -> str:
    """Operating system, architecture and, on Linux, the name of the processor."""
    names = [platform.system(), platform.machine()]
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names += [
            line.partition(":")[2].strip() for line in lines if line.startswith("model name")
        ][:1]
    except OSError:
        pass
    return " ".join(names)


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that decide numbers and bytes."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def here() -> dict[str, Any]:
    """Commit, machine and versions of this process."""
    return {"commit": commit(), "machine": machine(), "versions": versions()}


def without(manifest: dict[str, Any]) -> dict[str, Any]:
    """``manifest`` as far as it is the same on every machine."""
    return {key: value for key, value in manifest.items() if key != KEY}
