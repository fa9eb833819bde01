"""What tables and claims are made of, read from files; and their texts, written to files."""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mem1 import cli, manifest
from mem1.analysis import curves, expected, summary
from mem1.analysis.evidence import Evidence
from mem1.analysis.settings import Analysis
from mem1.provenance import write_json, write_text


@dataclass(frozen=True)
class Material:
    """What was read, and the files it came from."""

    evidence: Evidence
    inputs: list[Path]


def read(arguments: argparse.Namespace) -> Material:
    """What the arguments of ``cli.add_analysis`` name; records that are not configured are said.

    Raises:
        InputError: a file is missing or unusable.
    """
    analysis = cli.read_section(arguments.config, Analysis)
    paper = expected.load(arguments.expected)
    measured = summary.load(arguments.records_dir, analysis)
    shopped = summary.load_shop(arguments.records_dir, analysis)
    for path in summary.strangers(arguments.records_dir, analysis):
        print(f"left out, not configured: {path}", file=sys.stderr)
    compared = [run for arm in analysis.arms for run in arm.runs]
    folder = arguments.train_dir
    files = curves.metric_files(folder, compared) if folder and compared else {}
    trained = {run: curves.read_curve(path, run, analysis) for run, path in files.items()}
    records = [summary.record_file(arguments.records_dir, *key) for key in [*measured, *shopped]]
    return Material(
        Evidence(measured, analysis, paper, trained, shopped),
        [arguments.expected, *records, *files.values()],
    )


def write(
    command: str,
    arguments: argparse.Namespace,
    material: Material,
    texts: Mapping[str, str],
    last: str,
) -> None:
    """Write ``texts``, by file name, and then the manifest called ``last``."""
    folder = arguments.output_dir
    (folder / last).unlink(missing_ok=True)
    for name, text in texts.items():
        write_text(folder / name, text)
    outputs = {name: folder / name for name in texts}
    write_json(
        folder / last, manifest.describe(command, arguments.config, material.inputs, outputs)
    )
