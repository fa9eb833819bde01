"""A copy of the repository to plan and run in, so that the real one is left alone."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("Snakefile", "config", "workflow", "mem1", "envs", "slurm", "profiles")
VERBS = (
    *(
        "train_sft",
        "train_rl",
        "train_base",
        "train_shop",
        "make_shop",
        "evaluate",
        "make_world",
        "make_tokenizer",
    ),
    *("import_sources", "import_hub", "build_index", "compose", "render_tables", "render_figures"),
    *("render_claims", "view", "mask_gap", "encode_passages", "retrieval_report"),
    *("track_init", "track_run", "track_results"),
)


@dataclass(frozen=True)
class Copy:
    """A folder with the workflow in it."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """What processes there inherit: none of the user's own settings, such as a tracker."""
        return {k: v for k, v in os.environ.items() if not k.startswith(("MEM1_", "MLFLOW_"))}

    def snakemake(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run Snakemake there; the log and what it prints come back as text."""
        return subprocess.run(
            [sys.executable, "-m", "snakemake", *arguments],
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def plan(self, *arguments: str, **environment: str) -> dict[str, int]:
        """How many jobs of each rule a dry run plans, without the target and frozen files."""
        done = self.snakemake("-n", *arguments, **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        text = done.stdout + done.stderr
        table = re.search(r"^Job stats:\njob .*\n-+ .*\n((?:\S+ +\d+\n)+)", text, re.MULTILINE)
        if table is None:
            assert "Nothing to be done" in text, text
            return {}
        counts = {name: int(n) for name, n in map(str.split, table[1].splitlines())}
        return {k: n for k, n in counts.items() if k not in {"all", "total", "freeze"}}

    def overlay(self, text: str) -> Sequence[str]:
        """Arguments that lay ``text`` over preset smoke."""
        (self.folder / "overlay.yaml").write_text(text, encoding="utf-8")
        return ("--configfile", "config/smoke.yaml", "overlay.yaml")


def copy_to(folder: Path, stand_ins: bool, base_model: bool = False) -> Copy:
    """Copy what the workflow needs.

    With ``stand_ins`` its commands only write their names. The base model is a stand-in too,
    unless ``base_model`` asks for the committed one.
    """
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / part)
    if base_model:
        shutil.copytree(ROOT / "models", folder / "models")
    else:
        model = folder / "models" / "base"
        model.mkdir(parents=True)
        for name in ("config.json", "model.safetensors"):
            (model / name).write_text("stands in for the base model", encoding="utf-8")
    if stand_ins:
        for verb in VERBS:
            shutil.copy(Path(__file__).with_name("stand_in.py"), folder / "mem1" / f"{verb}.py")
    return Copy(folder)


@pytest.fixture(scope="session")
def copy(tmp_path_factory) -> Copy:
    """The workflow in a folder where nothing was run."""
    return copy_to(tmp_path_factory.mktemp("copy"), stand_ins=False)
