"""The programs of docs/tutorial.md, run as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mem1.dependencies import ROOT

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
