# What is looked at before anything starts; what is wrong becomes one sentence. Functions only; but
# for `checked` they read CONFIG.
import os
import sys
from pathlib import Path

from mem1 import config_files, machines
from mem1.errors import InputError
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
        longest_job()
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
