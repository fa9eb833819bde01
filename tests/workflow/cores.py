"""Preset `smoke` with one core and with two: `python -m tests.workflow.cores`.

How many rules run at once must change nothing that they make. Both runs start from nothing, in
folders of their own, one after the other; what is compared: ``tests.workflow.outcome``.

In:  the repository. Out: a JSON file with how many results are the same, and which are not.
A quarter of an hour on two cores.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks import common
from tests.workflow.conftest import copy_to
from tests.workflow.outcome import digests

CORES = (1, 2)


def run(folder: Path, cores: int) -> tuple[dict[str, str], float]:
    """Digests of the results of a whole run, and its seconds on the wall."""
    folder.mkdir()
    copy = copy_to(folder, stand_ins=False, base_model=True)
    began = time.monotonic()
    done = copy.snakemake("--cores", str(cores), "--configfile", "config/smoke.yaml")
    if done.returncode:
        raise SystemExit(f"The run with --cores {cores} failed:\n{done.stderr[-2000:]}")
    return digests(folder / "results/smoke"), time.monotonic() - began


def main(argv: Sequence[str]) -> None:
    """Run both, and write how they differ."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, help="default: benchmarks/results/cores-cpu.json")
    output: Path | None = parser.parse_args(argv).output

    with tempfile.TemporaryDirectory() as place:
        runs = {cores: run(Path(place) / str(cores), cores) for cores in CORES}
    (one, _), (two, _) = runs.values()
    same = [name for name in one if one[name] == two.get(name)]
    different = sorted((one.keys() | two.keys()) - set(same))
    results = {
        "same": dict(sorted(Counter(name.split("/")[0] for name in same).items())),
        "different": different,
        "seconds": {str(cores): round(seconds) for cores, (_, seconds) in runs.items()},
    }
    settings = {"preset": "smoke", "cores": CORES}
    print(common.write(output, "cores", settings, results, clock="wall").read_text("utf-8"))
    if different:
        raise SystemExit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
