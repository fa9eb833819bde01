# What an earlier run may have left behind: its lock, if it was killed, and damaged files. Functions
# only; they read CONFIG and P.
import sys
from pathlib import Path

from mem1 import damage, runs, stages
from mem1.errors import InputError
from mem1.provenance import write_text


def recover():
    """Let this run go on where an earlier one was killed, or its files were damaged.

    A dry run only says what is damaged. While another run is at work here, nothing is touched:
    Snakemake's own lock keeps this one from starting.
    """
    dry = workflow.output_settings.dryrun
    if not workflow.is_main_process or not (dry or runs.take_over(Path(".snakemake"))):
        return
    for path, text in [] if dry else lost_sections():
        write_text(path, text)
    for found in damage.find(Path(P)):
        todo = "to be made again"
        if not dry:
            todo = f"it is in {damage.put_aside(Path(P), found)} now, and made again"
        told = f"{found.path} is not what {found.manifest} says: {todo}."
        print(told, file=sys.stderr, flush=True)


def lost_sections():
    """Frozen sections that were made here and do not say what the configuration does, with that.

    They are gone, damaged, or older. Snakemake compares what it reads with what it read before: a
    section that is repaired repeats nothing, one with other settings what depends on it. Left to
    it, one that is gone is not missed, or repeats a training.
    """
    traces = [("config", "*.json"), ("benchmarks/freeze", "*.tsv")]
    made = {path.stem for folder, name in traces for path in Path(P, folder).glob(name)}
    for stage in sorted(made):
        try:
            settings = stages.frozen(CONFIG, stage)
        except (InputError, KeyError):
            continue  # there is no such stage any more
        path, text = Path(P, "config", f"{stage}.json"), f"{one_line(settings)}\n"
        if not path.is_file() or path.read_bytes() != text.encode():
            yield path, text
