"""Finished runs and results as MLflow runs, with a receipt of what went where.

One run per training, one per evaluated system, one for the tables and figures. Publishing
the same results again adds nothing. Unlike live metrics, a tracker that is down fails here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mem1 import made, tracking
from mem1.agent.text import Codec, load_codec
from mem1.analysis import seen, traces
from mem1.analysis.metrics import METRICS, SHOPPING
from mem1.analysis.settings import Analysis
from mem1.analysis.summary import by_task, read_metrics, strangers
from mem1.errors import InputError
from mem1.keys import hidden
from mem1.provenance import file_digest, json_digest, read_json
from mem1.records import StepMetrics, Trajectory, read_jsonl

DIGEST = traces.DIGEST  # tag: what a run was made from


def _absent(error: ImportError) -> InputError:
    return InputError(f"MLflow is not installed ({error.name}): install it.")


def _broken(uri: str, error: Exception) -> InputError:
    first = hidden((str(error).splitlines() or [type(error).__name__])[0])
    return InputError(f"The tracker at {hidden(uri)} failed ({first}): check it and run again.")


@contextmanager
def reaching(uri: str) -> Iterator[Any]:
    """A client for ``uri``; whatever the tracker raises becomes one sentence.

    Raises:
        InputError: MLflow is not installed, or the tracker does not work.
    """
    try:
        caught = tracking.failures()
    except ImportError as error:
        raise _absent(error) from error
    try:
        yield tracking.connect(uri)
    except caught as error:
        raise _broken(uri, error) from error


def prepare(uri: str) -> str:
    """Make or upgrade the database behind ``uri``; return the version of MLflow.

    Raises:
        InputError: MLflow is not installed, or the tracker does not work.
    """
    file = tracking.database(uri)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()  # an empty file is an empty database
    try:
        from mlflow import __version__ as version
        from mlflow.db import commands

        caught = tracking.failures()
    except ImportError as error:
        raise _absent(error) from error
    if not uri.startswith(("http://", "https://")):
        try:
            commands.main(["upgrade", uri], standalone_mode=False)
        except caught as error:
            raise _broken(uri, error) from error
    with reaching(uri) as client:
        client.search_experiments(max_results=1)
    return version


def made_at(manifests: Iterable[Path]) -> str:
    """The commits that ``manifests`` say their results were made at; without any, that of now.

    What is published may be older than the code that publishes it.
    """
    there = [read_json(path) for path in manifests if path.is_file()]
    named = [one.get(made.KEY, {}).get("commit") for one in there if isinstance(one, dict)]
    return ", ".join(sorted(set(filter(None, named)))) or made.commit()


def _add_files(client: Any, run_id: str, files: Mapping[str, list[Path]]) -> dict[str, str]:
    """Log files below artifact folders; artifact name to sha256."""
    digests = {}
    for folder, paths in files.items():
        for path in paths:
            if not path.is_file():
                raise InputError(f"{path} does not exist: make it first, or correct the path.")
            client.log_artifact(run_id, str(path), artifact_path=folder or None)
            digests[f"{folder}/{path.name}" if folder else path.name] = file_digest(path)
    return digests


def publish_run(
    uri: str, experiment: str, name: str, run_dir: Path, checkpoint_dir: Path, config: Path
) -> dict[str, Any]:
    """Complete the MLflow run of one training, or make it; return the receipt.

    Steps that were logged live are left as they are; the others are added from
    ``metrics.jsonl``.
    """
    params = read_json(config)
    rows = read_jsonl(run_dir / "metrics.jsonl", StepMetrics)
    files = [run_dir / "manifest.json", run_dir / "metrics.jsonl", config]
    with reaching(uri) as client:
        run_id = tracking.open_run(client, experiment, name, checkpoint_dir, params)
        logged = tracking.logged_steps(client, run_id)
        points = tracking.missing_points(((row.step, row.values) for row in rows), logged)
        tracking.log_points(client, run_id, points)
        artifacts = _add_files(client, run_id, {"": files})
        tags = {
            "mem1.kind": "training",
            "mem1.config": json_digest(params),
            "mem1.manifest": file_digest(run_dir / "manifest.json"),
            "mem1.metrics": file_digest(run_dir / "metrics.jsonl"),
            "mem1.commit": made_at([run_dir / "manifest.json"]),
        }
        for key, value in tags.items():
            client.set_tag(run_id, key, value)
        client.set_terminated(run_id, status="FINISHED")
    return {
        "tracker": tracking.display(uri),
        "experiment": experiment,
        "run": name,
        "run_id": run_id,
        "commit": tags["mem1.commit"],
        "config": tags["mem1.config"],
        "last_step": max((row.step for row in rows), default=0),
        "artifacts": artifacts,
    }


def evaluated(eval_dir: Path, analysis: Analysis | None = None) -> dict[str, dict[int, Path]]:
    """System to horizon to record file, as found below ``eval_dir``.

    Records that ``analysis`` does not have are left out, as tables leave them out; without it, all
    are there.

    Raises:
        InputError: there is none.
    """
    left_out = set() if analysis is None else set(strangers(eval_dir, analysis))
    found: dict[str, dict[int, Path]] = {}
    for path in sorted(eval_dir.glob("*/*.jsonl")):
        if path.stem.isdecimal() and path not in left_out:
            found.setdefault(path.parent.name, {})[int(path.stem)] = path
    if not found:
        which = "SYSTEM/HORIZON.jsonl" if analysis is None else "records of a configured system"
        raise InputError(f"{eval_dir} holds no {which}: run mem1.evaluate first.")
    return {system: dict(sorted(files.items())) for system, files in found.items()}


def transcript(trajectory: Trajectory) -> str:
    """One trajectory as Markdown: what the agent wrote and what came back, turn by turn."""
    score = trajectory.score
    verdict = "not scored" if score is None else f"EM {score.em:g} of {score.expected}"
    out = [
        f"# Task {trajectory.task_id}, system {trajectory.system}",
        "",
        f"{trajectory.horizon} objectives, {len(trajectory.turns)} turns, ended: "
        f"{trajectory.end}, {verdict}, answers: {' ; '.join(trajectory.answers) or 'none'}",
    ]
    for number, turn in enumerate(trajectory.turns, start=1):
        size = f"context {len(turn.context)} tokens, output {len(turn.output)} tokens"
        out += ["", f"## Turn {number} ({size})", "", "```", turn.text.strip(), "```"]
        if turn.info_text:
            out += ["", "```", turn.info_text.strip(), "```"]
    return "\n".join(out) + "\n"


def _finished(client: Any, experiment: str, name: str, digest: str) -> str | None:
    """The id of a finished run ``name`` made from the same inputs, if there is one."""
    wanted = f"tags.`{DIGEST}` = '{digest}' and attributes.status = 'FINISHED'"
    runs = client.search_runs([experiment], filter_string=wanted)
    return next((run.info.run_id for run in runs if run.info.run_name == name), None)


def _publish_system(
    client: Any, experiment: str, system: str, files: Mapping[int, Path], codecs: Sequence[Codec]
) -> dict[str, Any]:
    """The run of one evaluated system: metrics with the horizon as step.

    The first trajectories of the smallest and the largest horizon go along as traces, the very
    first as text too.
    """
    name, inputs = f"eval-{system}", {str(h): file_digest(path) for h, path in files.items()}
    receipt: dict[str, Any] = {"records": inputs}
    digest = json_digest([name, inputs])
    found = _finished(client, experiment, name, digest)
    if found is not None:
        return receipt | {"run_id": found, "added": False}
    commit = made_at(path.with_name(f"{path.stem}.manifest.json") for path in files.values())
    tags = {DIGEST: digest, "mem1.kind": "evaluation", "mem1.commit": commit}
    run_id = client.create_run(experiment, run_name=name, tags=tags).info.run_id
    tracking.log_params(client, run_id, {"system": system, "horizons": list(files)})
    points: tracking.Points = []
    for horizon, path in files.items():
        rows = read_metrics(path, system, horizon)
        shopped = any(row.reward is not None for row in rows)
        for metric in METRICS | SHOPPING if shopped else METRICS:
            values = by_task(rows, metric)
            points.append((metric, horizon, sum(values.values()) / len(values)))
    tracking.log_points(client, run_id, points)
    artifacts, traced = [], []
    for file, trajectory in traces.selected(files):
        artifact = f"trajectories/{trajectory.horizon}.md"
        if artifact not in artifacts:
            client.log_text(run_id, transcript(trajectory), artifact)
            artifacts.append(artifact)
        decode = seen.decoder(codecs, trajectory)
        written = file.stat().st_mtime_ns
        traced.append(traces.log(client, experiment, run_id, trajectory, written, decode))
    client.set_terminated(run_id, status="FINISHED")
    return receipt | {"run_id": run_id, "added": True, "artifacts": artifacts, "traces": traced}


def publish_results(
    uri: str,
    experiment: str,
    eval_dir: Path,
    tables_dir: Path,
    figures_dir: Path,
    tokenizers: Sequence[Path] = (),
    others: Sequence[Path] = (),
    analysis: Analysis | None = None,
) -> dict[str, Any]:
    """A run per evaluated system and one for tables and figures; return the receipt.

    Args:
        uri: address of the tracker.
        experiment: name of the experiment.
        eval_dir: folder of ``SYSTEM/HORIZON.jsonl``.
        tables_dir: files that go to the results run below ``tables/``.
        figures_dir: the same, below ``figures/``.
        tokenizers: folders of the records' tokenizers, for the text of contexts in traces.
        others: further files of the results run: claims, a page of trajectories.
        analysis: which systems are configured; records of others are left out. None: all are.

    Raises:
        InputError: there is nothing to publish, a file of ``others`` is missing, or the tracker
            does not work.
    """
    found = evaluated(eval_dir, analysis)
    folders = {"tables": tables_dir, "figures": figures_dir}
    files = {
        name: sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
        for name, folder in folders.items()
        if folder.is_dir()
    }
    for name, folder in folders.items():
        if not files.get(name):
            raise InputError(f"{folder} holds no file: make the {name} first.")
    for path in others:
        if not path.is_file():
            raise InputError(f"{path} does not exist: make it first, or leave it out.")
    codecs = [load_codec(folder) for folder in tokenizers]
    commit = made_at([tables_dir / "manifest.json"])
    with reaching(uri) as client:
        from mlflow import set_tracking_uri

        set_tracking_uri(uri)  # where traces go
        home = tracking.experiment_id(client, experiment)
        systems = {
            system: _publish_system(client, home, system, paths, codecs)
            for system, paths in found.items()
        }
        digests = {f"{k}/{p.name}": file_digest(p) for k, paths in files.items() for p in paths}
        digests |= {path.name: file_digest(path) for path in others}
        digest = json_digest(digests)
        run_id = _finished(client, home, "results", digest)
        if run_id is None:
            tags = {DIGEST: digest, "mem1.kind": "results", "mem1.commit": commit}
            run_id = client.create_run(home, run_name="results", tags=tags).info.run_id
            _add_files(client, run_id, files)
            for path in others:
                client.log_artifact(run_id, str(path))
            client.set_terminated(run_id, status="FINISHED")
    return {
        "tracker": tracking.display(uri),
        "experiment": experiment,
        "commit": commit,
        "systems": systems,
        "results": {"run_id": run_id, "artifacts": digests},
    }
