# Functions that the rules share. They read CONFIG and P, which the Snakefile sets.
import json
import os
import re
import sys
from pathlib import Path

from mem1 import config_files, machines, stages
from mem1.dependencies import modules_of
from mem1.errors import InputError
from mem1.keys import hidden
from mem1.provenance import json_digest
from mem1.retrieval import encoder_files


def checked(values):
    """The typed configuration; what is wrong with it becomes one sentence."""
    try:
        settings = config_files.parse(values, where="configuration")
        if settings.sources.kind == "files" and not os.environ.get("MEM1_SAMPLE_DATA"):
            raise InputError(
                "sources.kind is 'files' and MEM1_SAMPLE_DATA is not set: set it to the "
                "folder below which the files of sources.files are."
            )
        if settings.sources.kind == "files" and settings.runs:
            raise InputError(
                f"sources.kind is 'files', whose questions are for testing, and runs has "
                f"{', '.join(settings.runs)}: set them to null, or train by hand "
                f"(docs/tutorial.md, Training on your data)."
            )
        dense = settings.retrieval.dense
        compared = settings.retrieval_report.k is not None
        if dense and (compared or settings.retrieval.kind in ("dense", "hybrid")):
            encoder_files.check_installed(dense.encoder)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    return settings


def say_what_it_takes(resources):
    """What a preset of full scale takes, on the screen before the plan of a dry run.

    ``resources`` are those of a training, as the command line left them. What does not fit is
    refused before anything starts.
    """
    shown = workflow.output_settings
    if CONFIG.sources.kind != "hub" or not workflow.is_main_process:
        return
    from mem1 import memory_report
    from mem1.resources import markdown, needs
    from mem1.tasks import catalogue

    named = {name: int(resources[name].value) for name in ("processes", "device_gib")}
    there = machines.Machine(**named)
    lines = []
    try:
        if shown.dryrun and not shown.quiet:
            lines.append(markdown(needs(CONFIG, catalogue.read(), there)))
        memory_report.check_trainings(CONFIG, there, say=lines.append)
    except InputError as error:
        print(*lines, f"error: {error}", sep="\n", file=sys.stderr)
        sys.exit(2)
    if shown.dryrun and not shown.quiet:
        print(*lines, sep="\n", file=sys.stderr, flush=True)


def check_base_model():
    """Refuse to start without the model that everything starts from.

    After what a preset takes is printed: one looks at that before one fetches a model.
    """
    runs = [
        *CONFIG.runs.values(),
        *(CONFIG.webshop.runs.values() if CONFIG.webshop else ()),
    ]
    needed = CONFIG.sources.kind == "hub" or any(run.start == "base" for run in runs)
    folder = Path(repository(CONFIG.base_model))
    if CONFIG.preset != "base" and needed and not (folder / "config.json").is_file():
        print(
            f"error: base_model is {CONFIG.base_model}, and {folder} holds no model: put its "
            f"files there (config.json, weights, tokenizer), or name another folder.",
            file=sys.stderr,
        )
        sys.exit(2)


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
