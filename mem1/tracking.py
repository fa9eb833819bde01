"""Live metrics for MLflow, and the few calls that the tracking commands share.

The tracker is a copy for looking at: it is written, never read by analysis. A training keeps
its own ``metrics.jsonl``; when the tracker is absent or down, ``Live`` says so once and the
training goes on. ``mem1.track_run`` fills in later what is missing.

Nothing of MLflow is imported unless a tracking address is given.
"""

import os
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from mem1.errors import InputError
from mem1.keys import hidden
from mem1.made import commit
from mem1.provenance import json_digest, read_json, write_json

STATE = "mlflow_run.json"  # in a training's state folder: which MLflow run continues
FLUSH_SECONDS = 10.0  # between batches of live metrics; a call costs about 20 ms
MAX_METRICS = 1000  # of one call, MLflow's limit
MAX_PARAMS = 100  # of one call, MLflow's limit
MAX_PARAM_LENGTH = 500

Points = list[tuple[str, int, float]]  # metric, step, value


def _prepare() -> None:
    """MLflow's own settings: no telemetry, and no minutes of waiting for a dead server."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    os.environ.setdefault("MLFLOW_ENABLE_ASYNC_TRACE_LOGGING", "false")


def database(uri: str) -> Path | None:
    """The file behind a sqlite address; None for any other tracker."""
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


def display(uri: str) -> str:
    """``uri`` for receipts: without a password, and without folders above the working directory."""
    file = database(uri)
    if file is None:
        return hidden(uri)
    here = Path.cwd()
    name = file.relative_to(here) if file.is_absolute() and file.is_relative_to(here) else file.name
    return f"sqlite:///{name}"


def connect(uri: str) -> Any:
    """An ``MlflowClient`` for ``uri``.

    Raises:
        InputError: a sqlite file that does not exist. Creating it on first use would be a
            race between trainings, so that ``mem1.track_init`` does it once.
    """
    file = database(uri)
    if file is not None and not file.exists():
        raise InputError(f"The tracking database {file} does not exist: run mem1.track_init.")
    _prepare()
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def failures() -> tuple[type[Exception], ...]:
    """What a tracker that is down, locked or misnamed raises."""
    _prepare()
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    return (MlflowException, RequestException, SQLAlchemyError, OSError)


def experiment_id(client: Any, name: str) -> str:
    """The id of the experiment ``name``, made if it is new.

    Artifacts of a sqlite tracker go next to the database file.
    """
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        file = database(client.tracking_uri)
        place = (file.absolute().parent / "mlartifacts" / name).as_uri() if file else None
        try:
            return client.create_experiment(name, artifact_location=place)
        except MlflowException as error:  # another process may have been faster
            found = client.get_experiment_by_name(name)
            if found is None:
                raise error
    return found.experiment_id


def run_exists(client: Any, run_id: str) -> bool:
    """Whether the tracker still has the run ``run_id``."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_run(run_id).info.lifecycle_stage == "active"
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return False
        raise


def logged_steps(client: Any, run_id: str) -> dict[str, set[int]]:
    """The steps that the tracker holds, by metric."""
    keys = client.get_run(run_id).data.metrics
    return {key: {m.step for m in client.get_metric_history(run_id, key)} for key in keys}


def log_points(client: Any, run_id: str, points: Points) -> None:
    """Log ``points`` in as few calls as MLflow allows."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    metrics = [Metric(key, float(value), now, step) for key, step, value in points]
    for start in range(0, len(metrics), MAX_METRICS):
        client.log_batch(run_id, metrics=metrics[start : start + MAX_METRICS])


def log_params(client: Any, run_id: str, params: Mapping[str, Any]) -> None:
    """Log the parameters that the run does not have yet (MLflow refuses to change one)."""
    from mlflow.entities import Param

    known = client.get_run(run_id).data.params
    new = [Param(k, str(v)[:MAX_PARAM_LENGTH]) for k, v in params.items() if k not in known]
    for start in range(0, len(new), MAX_PARAMS):
        client.log_batch(run_id, params=new[start : start + MAX_PARAMS])


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, keys joined by dots; lists stay values."""
    if not isinstance(value, Mapping):
        return {prefix: value}
    flat: dict[str, Any] = {}
    for key, inner in value.items():
        flat |= flatten(inner, f"{prefix}.{key}" if prefix else str(key))
    return flat


def saved_run(state_dir: Path, params: Mapping[str, Any]) -> str | None:
    """The MLflow run that ``state_dir`` belongs to, if it was made with the same parameters."""
    path = state_dir / STATE
    if not path.exists():
        return None
    state = read_json(path)
    same = isinstance(state, dict) and state.get("params") == json_digest(dict(params))
    return state.get("run_id") if same else None


def open_run(
    client: Any, experiment: str, name: str, state_dir: Path, params: Mapping[str, Any]
) -> str:
    """The id of the run that ``state_dir`` continues, or of a new one, which is noted there."""
    run_id = saved_run(state_dir, params)
    if run_id is not None and run_exists(client, run_id):
        client.update_run(run_id, status="RUNNING")
    else:
        tags = {"mlflow.source.git.commit": commit(), "mlflow.source.name": "mem1"}
        run = client.create_run(experiment_id(client, experiment), run_name=name, tags=tags)
        run_id = str(run.info.run_id)
        state = {"run_id": run_id, "params": json_digest(dict(params))}
        write_json(state_dir / STATE, state)
    log_params(client, run_id, flatten(params))
    return run_id


class Live:
    """Metrics of a running training, sent in batches; a tracker that fails is dropped.

    The run's id is kept in ``state_dir``, so that a resumed training continues its run. What
    the tracker already holds is asked for once, so that no step is there twice, whatever the
    moment at which the training was killed.
    """

    def __init__(self, client: Any = None, run_id: str = "") -> None:
        """Use ``Live.open``."""
        self._client = client
        self._run_id = run_id
        self._logged: dict[str, set[int]] = {}
        self._waiting: Points = []
        self._sent = time.monotonic()

    @classmethod
    def open(
        cls,
        uri: str | None,
        experiment: str,
        run_name: str,
        state_dir: Path,
        params: Mapping[str, Any],
        start_step: int = 0,
    ) -> "Live":
        """Start or continue the run of this training.

        Args:
            uri: address of the tracker; None logs nothing and imports nothing.
            experiment: name of the experiment, one per preset.
            run_name: name of the training run.
            state_dir: the training's checkpoint folder; holds ``mlflow_run.json``.
            params: the frozen section, nested as it is.
            start_step: last step done before this process; earlier ones are not expected.
        """
        if uri is None:
            return cls()
        try:
            _prepare()
            caught: tuple[type[Exception], ...] = (InputError, *failures())
        except ImportError as error:
            _warn(f"MLflow is not installed ({error.name})")
            return cls()
        try:
            client = connect(uri)
            live = cls(client, open_run(client, experiment, run_name, state_dir, params))
            live._logged = logged_steps(client, live._run_id)
            client.set_tag(live._run_id, "mem1.started_after_step", str(start_step))
        except caught as error:
            _warn(error)
            return cls()
        return live

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Note ``values`` of ``step``; they are sent with the next batch."""
        if self._client is None:
            return
        for key, value in values.items():
            steps = self._logged.setdefault(key, set())
            if step not in steps:
                steps.add(step)
                self._waiting.append((key, step, value))
        if len(self._waiting) >= MAX_METRICS or time.monotonic() - self._sent >= FLUSH_SECONDS:
            self._flush()

    def _flush(self, status: str | None = None) -> None:
        if self._client is None:
            return
        try:
            log_points(self._client, self._run_id, self._waiting)
            if status is not None:
                self._client.set_terminated(self._run_id, status=status)
        except failures() as error:
            _warn(error)
            self._client = None
        self._waiting = []
        self._sent = time.monotonic()

    def close(self, status: str = "FINISHED") -> None:
        """Send what waits and end the run with ``status``."""
        self._flush(status)
        self._client = None

    def __enter__(self) -> "Live":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close("FINISHED" if kind is None else "FAILED")


def _warn(reason: object) -> None:
    first = hidden((str(reason).splitlines() or [type(reason).__name__])[0])
    print(
        f"warning: no live metrics from here on ({first}); the training goes on, and "
        f"mem1.track_run can add them later.",
        file=sys.stderr,
    )


def missing_points(
    rows: Iterable[tuple[int, Mapping[str, float]]], logged: Mapping[str, set[int]]
) -> Points:
    """The points of ``rows`` (step, values) that the tracker does not hold.

    A step that comes twice in ``rows`` counts as it came last.
    """
    last = dict(rows)
    return [
        (key, step, value)
        for step, values in sorted(last.items())
        for key, value in values.items()
        if step not in logged.get(key, set())
    ]
