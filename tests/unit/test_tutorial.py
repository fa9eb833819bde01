"""The programs of docs/tutorial.md, run as they stand there."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mem1 import config_files
from mem1.dependencies import ROOT
from mem1.tasks import atlas

TEXT = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
SECTIONS = re.findall(r"^## Your own ([a-z ]+)\n(.*?)(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE)
PROGRAMS = {name: re.findall(r"^```python\n(.*?)^```$", part, re.DOTALL | re.MULTILINE)
            for name, part in SECTIONS}  # fmt: skip
PRINTED = {
    "data set": "['Trask', 'Addick'] 2.0 of 2",
    "environment": "['7'] 1.0 after",
    "context policy": "own-words [8.0, 8.0, 8.0, 8.0] right of 8",
    "retriever": "[4.0, 4.0, 4.0, 4.0] right of 4",
}


def test_there_is_one_short_program_for_each() -> None:
    assert PROGRAMS.keys() == PRINTED.keys()
    for (program,) in PROGRAMS.values():
        assert len([line for line in program.splitlines() if line.strip()]) < 40


@pytest.mark.parametrize("name", PRINTED)
def test_a_program_runs_and_prints_what_it_found(name: str, tmp_path: Path) -> None:
    [program] = PROGRAMS[name]
    path = tmp_path / "mine.py"
    path.write_text(program, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(path)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert PRINTED[name] in done.stdout


@pytest.mark.slow
def test_a_model_is_trained_on_files(tmp_path: Path) -> None:
    """The overlay and the commands of the section, with the base model and one small round."""
    section = TEXT.partition("## Training on your data")[2].partition("\n## ")[0]
    [overlay], [script] = (
        re.findall(rf"^```{kind}\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
        for kind in ("yaml", "sh")
    )
    for long, short in (
        ("train_count: 640", "train_count: 8"),
        ("steps: 12, tasks: 12, group: 8", "engine: plain, steps: 1, tasks: 2, group: 2"),
    ):
        assert long in overlay
        overlay = overlay.replace(long, short)
    (tmp_path / "mine.yaml").write_text(overlay, encoding="utf-8")
    for name in ("config", "models"):
        (tmp_path / name).symlink_to(ROOT / name)
    world = atlas.generate(config_files.load(ROOT / "config/config.yaml").world, 0, "train")
    rows = {
        "questions": [
            {"id": n, "question": one.text, "golden_answers": one.golds}
            for n, one in enumerate(world.questions[:30])
        ],
        "passages": [
            {"id": n, "title": one.title, "text": one.text} for n, one in enumerate(world.passages)
        ],
    }
    (tmp_path / "data").mkdir()
    for name, lines in rows.items():
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (tmp_path / "data" / f"{name}.jsonl").write_text(text, encoding="utf-8")
    assert "MODEL=models/theirs" in script
    done = subprocess.run(
        ["bash", "-e", "-c", script.replace("models/theirs", "models/base")],
        cwd=tmp_path,
        env=os.environ
        | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    [line] = (tmp_path / "results/mine/trained/metrics.jsonl").read_text("utf-8").splitlines()
    assert json.loads(line)["values"]["reward"] > 0
    assert (tmp_path / "results/mine/trained/model/model.safetensors").is_file()
