# Functions that the rules share. They read CONFIG and P, which the Snakefile sets.
import json
import os
import re
import shlex
import sys
from pathlib import Path

from mem1 import stages
from mem1.dependencies import modules_of
from mem1.keys import hidden
from mem1.provenance import json_digest


def prepare_environment():
    """Commands run with this Python and this repository, and write to the same databases."""
    first = {"PATH": Path(sys.executable).parent, "PYTHONPATH": workflow.basedir}
    for name, folder in first.items():
        paths = [str(folder), os.environ.get(name, "")]
        os.environ.update({name: os.pathsep.join(filter(None, paths))})
    os.environ.setdefault(
        "MLFLOW_TRACKING_URI", f"sqlite:///{Path('mlflow.db').absolute()}"
    )
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MEM1_RETRIEVAL_CACHE", f"{P}/cache")
    os.environ.setdefault("MEM1_LOG_DIR", f"{P}/logs")


def repository(path):
    """``path`` of the repository, seen from the working directory."""
    return os.path.relpath(Path(workflow.basedir) / path)


def code(verb):
    """The source files of a command: an edit to one of them repeats its rules."""
    return [os.path.relpath(path) for path in modules_of(verb)]


def section(wildcards):
    """The frozen section of a stage."""
    return one_line(stages.frozen(CONFIG, wildcards.stage))


def one_line(settings):
    """Settings as one line of JSON, keys in order."""
    values = settings.model_dump(mode="json")
    return json.dumps(values, sort_keys=True, ensure_ascii=False)


def summarize():
    """Print the tables, where the figures are, and how to look at the runs."""
    tables = [Path(P, "tables", "table1.md")]
    if shop_systems():
        tables.append(Path(P, "tables", "table2.md"))
    if compared():
        tables.append(Path(P, "tables", "ablations.md"))
    if CONFIG.preset == "base" or not all(table.is_file() for table in tables):
        return
    for table in tables:
        print(table.read_text(encoding="utf-8"))
    store = hidden(os.environ.get("MLFLOW_TRACKING_URI", ""))
    print(f"Tables:  {P}/tables    Figures: {P}/figures")
    print(f"Claims:  {P}/claims.md    Trajectories: {', '.join(pages())}")
    print(f"Runs:    make ui, or mlflow ui --backend-store-uri {store}")
    print("         then open http://127.0.0.1:5000 in a browser", flush=True)
