"""Faults in a run of preset `smoke`, one after the other: `python -m tests.workflow.chaos`.

An undisturbed run is made first. Each fault then happens in a copy of it, finished or not, as its
kind says. After it a plain run, the same command again, must end with the results of the
undisturbed one, and must not repeat a step of a training that the fault did not touch. (One whose
index was lost writes its outputs again, from its last checkpoint: Snakemake wants that.)

    kill    SIGKILL of Snakemake, a training, an evaluation, the server that it searches, what
            writes to MLflow, or all of them
    damage  a file of the results is deleted, truncated, or one of its bits is turned
    disk    the disk, a small tmpfs, is full
    twice   two runs at once in one folder

In:  the repository. Out: a JSON file with what was done, and what it took. A whole round of them
takes 20 to 30 minutes on two cores. What is compared: ``tests.workflow.outcome``.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from benchmarks import common
from tests.workflow.conftest import Copy, copy_to
from tests.workflow.outcome import digests

RESULTS = Path("results/smoke")
SMALL = """
tasks: {train_count: 4, test_horizons: [1, 2], test_count: 2}
sft: {steps: 2, batch: 2}
rl: {steps: 4}
runs: {sft-full: null, rl-full: null, rl-format: null}
systems: {full-rl: null, full-sft: null, truncate: null, amem: null, summary: null,
          overwrite: null, mem1-format: null, full-web: null}
mask_gap: {tasks: 1}
"""
VICTIMS = {
    "snakemake": (),
    "training": ("train_rl",),
    "evaluation": ("evaluate",),
    "server": ("serve_retriever",),
    "tracker": ("track_run", "track_results"),
    "all": ("train_rl", "evaluate", "render_tables"),
}
LAST = ("train/rl-mem1", "checkpoints/rl-mem1", "eval/mem1-rl", "eval/mem1-web", "tables")
LAST += ("tracking/results.json", "tracking/run-rl-mem1.json", "mask_gap.manifest.json")
DAMAGED = ("config/*.json", "tokenizer/*", "tasks/*", "world/*/*", "index/*/*", "eval/*/*")
DAMAGED += ("train/*/*.json*", "train/*/model/*", "checkpoints/*/*/step-*", "tables/*.csv")
Kind = Callable[["Scene", Random], str]


@dataclass
class Scene:
    """A copy of the undisturbed run, and how the workflow is run in it."""

    copy: Copy
    arguments: Sequence[str]
    last: Sequence[str] = LAST  # results that a run which is not finished does not have yet
    turn: int = 0  # how many faults of the kind came before: each process is killed in its turn
    log: list[str] = field(default_factory=list)

    @property
    def results(self) -> Path:
        return self.copy.folder / RESULTS

    def begin(self) -> subprocess.Popen[bytes]:
        """The workflow, in the background."""
        with open(self.copy.folder / "out.txt", "ab") as out:
            line = [sys.executable, "-m", "snakemake", *self.arguments]
            return subprocess.Popen(
                line, cwd=self.copy.folder, env=self.copy.environment, stdout=out, stderr=out
            )

    def run(self) -> bool:
        """The workflow to its end; whether it got there. ``log`` has what it said."""
        done = self.copy.snakemake(*self.arguments)
        self.log = (done.stdout + done.stderr).splitlines()
        return done.returncode == 0

    def complaint(self) -> str:
        """The last sentence for the user that a run ended with."""
        marks = ("error: ", "LockException", "Error: Directory cannot be locked")
        said = [line for line in self.log if line.startswith(marks)]
        sentence = said[-1] if said else "\n".join(self.log[-5:])
        return sentence.replace(f"{self.copy.folder}/", "")

    def undo(self) -> None:
        """Make it a run that is not finished."""
        for name in self.last:
            path = self.results / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def descendants(root: int) -> dict[int, str]:
    """Command lines of ``root`` and all that it started, whatever sessions they are in."""
    found, queue = {}, [root]
    for process in queue:
        try:
            words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
            found[process] = " ".join(word.decode() for word in words)
            for children in Path(f"/proc/{process}/task").glob("*/children"):
                queue += map(int, children.read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def busy_with(verb: str, lines: dict[int, str]) -> list[int]:
    """The processes that run a command of mem1, not the shells that started them."""
    named = {f"mem1.{verb}", verb}  # the second behind mem1.launch
    return [p for p, line in lines.items() if "bash" not in line and named & set(line.split())]


def kill(scene: Scene, random: Random) -> str:
    """Kill processes of a run that trains, evaluates and draws."""
    victim = list(VICTIMS)[scene.turn % len(VICTIMS)]
    verb = random.choice(VICTIMS[victim] or ("train_rl", "evaluate"))
    scene.undo()
    run = scene.begin()
    while run.poll() is None and not busy_with(verb, descendants(run.pid)):
        time.sleep(0.05)
    if victim not in ("server", "tracker"):  # which are there for a moment
        time.sleep(random.uniform(0, 8))
    there = descendants(run.pid)
    chosen = {"snakemake": [run.pid], "all": list(there)}.get(victim, busy_with(verb, there))
    for process in chosen:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue
    run.wait()
    return f"{victim} killed during {verb}" if chosen else f"{verb} had ended"


def damage(scene: Scene, random: Random) -> str:
    """Harm a file of the finished run."""
    files = [path for kind in DAMAGED for path in scene.results.glob(kind) if path.is_file()]
    return harm(random.choice(sorted(files)), scene.results, random)


def harm(path: Path, results: Path, random: Random) -> str:
    """Delete a file, or cut its end off, or turn one of its bits."""
    how = random.choice(("deleted", "truncated", "a bit turned"))
    content = bytearray(path.read_bytes())
    if how == "deleted":
        path.unlink()
    elif how == "truncated":
        path.write_bytes(content[: random.randrange(len(content))])
    else:
        content[random.randrange(len(content))] ^= 1 << random.randrange(8)
        path.write_bytes(content)
    return f"{how}: {path.relative_to(results)}"


def disk(scene: Scene, random: Random) -> str:
    """Let a run meet the end of its disk, then give it more."""
    free = random.choice((100_000, 1_000_000, 5_000_000, 15_000_000))
    scene.undo()
    folder = scene.copy.folder
    inside = folder.with_name("content")
    folder.rename(inside)
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2g", "tmpfs", str(folder)], check=True)
    shutil.copytree(inside, folder, dirs_exist_ok=True)
    shutil.rmtree(inside)
    there = os.statvfs(folder)
    used = (there.f_blocks - there.f_bfree) * there.f_frsize
    resize(folder, f"{used + free}")
    complete = scene.run()
    said = "it fitted" if complete else scene.complaint()
    resize(folder, "2g")
    return f"{free / 1e6:g} MB free: {said}"


def resize(folder: Path, size: str) -> None:
    """Make the tmpfs at ``folder`` larger or smaller."""
    subprocess.run(["mount", "-o", f"remount,size={size}", str(folder)], check=True)


def twice(scene: Scene, random: Random) -> str:
    """Two runs at once."""
    scene.undo()
    first = scene.begin()
    time.sleep(random.choice((0, 0.5, 10)))
    second = scene.begin()
    codes = sorted((first.wait(), second.wait()))
    return f"they ended with {codes}"


KINDS: dict[str, Kind] = {"kill": kill, "damage": damage, "disk": disk, "twice": twice}


def suffer(kind: str, scene: Scene, random: Random, expected: dict[str, str]) -> dict[str, object]:
    """One fault and what came after it."""
    steps = {p: p.stat().st_mtime_ns for p in scene.results.glob("checkpoints/*/*/metrics.jsonl")}
    started = time.monotonic()
    what = KINDS[kind](scene, random)
    failed = time.monotonic()
    complaints, ended = [], False
    while not ended and len(complaints) < 4:
        ended = scene.run()
        if not ended:
            complaints.append(scene.complaint())
            time.sleep(10)  # "wait for it": what a killed Snakemake started goes on
    found = digests(scene.results)
    changed = sorted(n for n in found.keys() | expected.keys() if found.get(n) != expected.get(n))
    # A run is made again where it was harmed, or the one that it starts from: sft before rl.
    runs = {path: path.parent.parent.name for path in steps}
    spared = [p for p, run in runs.items() if kind == "damage" or run != "rl-mem1"]
    spared = [p for p in spared if runs[p] not in what and not ("sft" in what and "rl-" in runs[p])]
    repeated = [runs[path] for path in spared if path.stat().st_mtime_ns != steps[path]]
    return {
        "kind": kind,
        "what": what,
        "survived": ended and not changed and not repeated,
        "plain_runs": len(complaints) + ended,
        "complaints": complaints,
        "differs": changed,
        "trainings_repeated": repeated,
        "seconds_to_fault": round(failed - started, 1),
        "seconds_after": round(time.monotonic() - failed, 1),
    }


def undisturbed(folder: Path, small: bool) -> tuple[Scene, float]:
    """A finished run, and the seconds that its last training and what follows it take."""
    folder.mkdir()
    copy = copy_to(folder, stand_ins=False, base_model=True)
    overlay = copy.overlay(SMALL) if small else ("--configfile", "config/smoke.yaml")
    scene = Scene(copy, ("--cores", "2", *overlay))
    if not scene.run():
        raise SystemExit(f"The undisturbed run failed: {scene.complaint()}")
    ended = digests(scene.results)
    scene.undo()
    began = time.monotonic()
    if not scene.run() or digests(scene.results) != ended:
        raise SystemExit("Two undisturbed runs do not end with the same results.")
    took = time.monotonic() - began
    return scene, took


def main(argv: Sequence[str]) -> None:
    """Run the faults, and write what was found after each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faults", type=int, default=24)
    parser.add_argument("--kinds", nargs="*", choices=KINDS, default=list(KINDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--whole", action="store_true", help="all of smoke, not a part of it")
    parser.add_argument("--output", type=Path, help="default: benchmarks/results/chaos-cpu.json")
    arguments = parser.parse_args(argv)

    with tempfile.TemporaryDirectory() as place:
        whole, took = undisturbed(Path(place) / "whole", small=not arguments.whole)
        expected = digests(whole.results)
        faults: list[dict[str, object]] = []
        for number in range(arguments.faults):
            kind = arguments.kinds[number % len(arguments.kinds)]
            folder = Path(place) / "fault"
            shutil.copytree(whole.copy.folder, folder)
            try:
                turn = number // len(arguments.kinds)
                scene = Scene(Copy(folder), whole.arguments, turn=turn)
                random = Random(f"{arguments.seed}/{number}")
                faults.append(suffer(kind, scene, random, expected))
            finally:
                if folder.is_mount():
                    subprocess.run(["umount", "--lazy", str(folder)], check=True)
                shutil.rmtree(folder)
            print(number, faults[-1], flush=True)
            settings = {"seed": arguments.seed, "whole": arguments.whole}
            common.write(arguments.output, "chaos", settings, summary(faults, took), clock="wall")
    if not all(fault["survived"] for fault in faults):
        raise SystemExit(1)


def summary(faults: list[dict[str, object]], took: float) -> dict[str, object]:
    """The faults, and how many of each kind were survived."""
    return {
        "seconds_undisturbed": round(took, 1),
        "injected": dict(Counter(str(fault["kind"]) for fault in faults)),
        "survived": dict(Counter(str(f["kind"]) for f in faults if f["survived"])),
        "faults": faults,
    }


if __name__ == "__main__":
    main(sys.argv[1:])
