import json
import sys
from pathlib import Path

import pytest

from mem1 import track_results, track_run, tracking
from mem1.analysis import publish as publishing
from mem1.analysis.settings import analysis_section
from mem1.config_files import load
from mem1.errors import InputError
from mem1.provenance import write_text
from mem1.records import Score, StepMetrics, Trajectory, Turn, write_jsonl

ROOT = Path(__file__).parents[2]
CONFIG = {"name": "rl-mem1", "rl": {"steps": 6, "optimizer": {"lr": 0.001}}}


@pytest.fixture
def home(tmp_path):
    """The layout of one preset with a finished synthetic training."""
    place = tmp_path / "mini"
    write_jsonl(
        place / "train" / "rl-mem1" / "metrics.jsonl",
        [StepMetrics(step=s, values={"em": s / 6, "kl": 0.1}) for s in range(1, 7)],
    )
    (place / "train" / "rl-mem1" / "manifest.json").write_text("{}")
    (place / "config.json").write_text(json.dumps(CONFIG))
    return place


def open_live(uri, state, experiment):
    return tracking.Live.open(uri, experiment, "rl-mem1", state, CONFIG)


def history(uri, run_id, key):
    return [(m.step, m.value) for m in tracking.connect(uri).get_metric_history(run_id, key)]


def finish(uri, home, experiment, state):
    output = home / "tracking" / "run-rl-mem1.json"
    track_run.main(
        [
            *("--tracking-uri", uri, "--experiment", experiment),
            *("--config", str(home / "config.json"), "--output", str(output)),
            *("--checkpoint-dir", str(state)),
        ]
    )
    return json.loads(output.read_text())


ALL = [(s, s / 6) for s in range(1, 7)]


def test_each_step_is_there_once_after_kill_resume_and_track_run(uri, home, tmp_path):
    state = tmp_path / "state"
    killed = open_live(uri, state, "killed")
    for step in (1, 2, 3):
        killed.log(step, {"em": step / 6, "kl": 0.1})
    killed._flush()  # sent; then the process dies without closing
    with open_live(uri, state, "killed") as resumed:  # from the checkpoint of step 1
        for step in (2, 3, 4):
            resumed.log(step, {"em": step / 6, "kl": 0.1})
    receipt = finish(uri, home, "killed", state)
    again = finish(uri, home, "killed", state)
    run = json.loads((state / tracking.STATE).read_text())["run_id"]
    assert receipt["run_id"] == again["run_id"] == run
    assert history(uri, run, "em") == ALL
    assert tracking.connect(uri).get_run(run).info.status == "FINISHED"


def test_track_run_alone_makes_the_run(uri, home, tmp_path):
    receipt = finish(uri, home, "alone", tmp_path / "state")
    run = tracking.connect(uri).get_run(receipt["run_id"])
    assert history(uri, receipt["run_id"], "em") == ALL
    assert run.data.params["rl.optimizer.lr"] == "0.001"
    assert run.data.tags["mem1.manifest"] == receipt["artifacts"]["manifest.json"]
    assert sorted(receipt["artifacts"]) == ["config.json", "manifest.json", "metrics.jsonl"]


def test_other_settings_start_another_run(uri, tmp_path):
    with open_live(uri, tmp_path, "settings") as first:
        pass
    other = {**CONFIG, "seed": 1}
    with tracking.Live.open(uri, "settings", "rl-mem1", tmp_path, other) as second:
        pass
    assert first._run_id != second._run_id


def test_a_training_that_fails_is_marked(uri, tmp_path):
    live = open_live(uri, tmp_path, "fails")

    def training():
        with live:
            live.log(1, {"em": 0.5})
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        training()
    assert tracking.connect(uri).get_run(live._run_id).info.status == "FAILED"
    assert history(uri, live._run_id, "em") == [(1, 0.5)]


@pytest.mark.parametrize("address", ["sqlite:////no/such/folder/x.db", "http://127.0.0.1:9"])
def test_a_tracker_that_is_down_does_not_stop_a_training(address, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with open_live(address, tmp_path, "down") as live:
        live.log(1, {"em": 0.5})
    assert capsys.readouterr().err.count("warning: no live metrics") == 1


def test_a_tracker_that_goes_down_is_dropped_after_one_warning(uri, tmp_path, capsys, monkeypatch):
    from mlflow.exceptions import MlflowException

    def locked(*_arguments, **_more):
        raise MlflowException("database is locked")

    live = open_live(uri, tmp_path, "locked")
    monkeypatch.setattr(live._client, "log_batch", locked)
    monkeypatch.setattr(tracking, "FLUSH_SECONDS", 0.0)
    for step in range(3):
        live.log(step, {"em": 1.0})
    live.close()
    assert capsys.readouterr().err.count("database is locked") == 1


def test_no_address_logs_nothing_and_imports_nothing(tmp_path, monkeypatch):
    for name in [n for n in sys.modules if n.split(".")[0] == "mlflow"]:
        monkeypatch.delitem(sys.modules, name)
    with open_live(None, tmp_path, "none") as live:
        live.log(1, {"em": 1.0})
    assert "mlflow" not in sys.modules
    assert not any(tmp_path.iterdir())


def test_track_run_says_that_the_database_is_missing(home, tmp_path):
    with pytest.raises(InputError, match=r"run mem1.track_init"):
        finish(f"sqlite:///{tmp_path / 'none.db'}", home, "x", tmp_path / "state")


def test_missing_points_take_the_last_value_of_a_step():
    rows = [(1, {"a": 1.0}), (2, {"a": 2.0, "b": 9.0}), (1, {"a": 3.0})]
    assert tracking.missing_points(rows, {"a": {2}}) == [("a", 1, 3.0), ("b", 2, 9.0)]


def test_flatten_joins_keys_and_keeps_lists():
    assert tracking.flatten({"a": {"b": 1, "c": [1, 2]}, "d": None}) == {
        "a.b": 1,
        "a.c": [1, 2],
        "d": None,
    }


def synthetic_answer(system, horizon):
    turn = Turn(
        context=[1, 2, 3],
        output=[4, 5],
        logprobs=[-0.1, -0.2],
        text="<think> it is x </think> <answer> x </answer>",
        action="answer",
        argument="x",
    )
    score = Score(
        em=1, f1=1, given=horizon, expected=horizon, zero="none", question_em=[1.0] * horizon
    )
    return Trajectory(
        task_id="t0",
        horizon=horizon,
        system=system,
        policy="mem1",
        prompt=[1],
        turns=[turn],
        end="answered",
        answers=["x"],
        score=score,
    )


def publish(uri, home):
    output = home / "tracking" / "results.json"
    line = ["--tracking-uri", uri, "--experiment", home.parent.name, "--output", str(output)]
    track_results.main([*line, "--others", str(home / "claims.md")])
    return json.loads(output.read_text())


def test_results_are_published_once(uri, home):
    for horizon in (1, 2):
        row = synthetic_answer("mem1-rl", horizon)
        write_jsonl(home / "eval" / "mem1-rl" / f"{horizon}.jsonl", [row])
    for folder, name in (("tables", "table1.md"), ("figures", "figure4.svg")):
        (home / folder).mkdir()
        (home / folder / name).write_text("synthetic")
    (home / "claims.md").write_text("synthetic")
    first, second = publish(uri, home), publish(uri, home)
    client = tracking.connect(uri)
    run = first["systems"]["mem1-rl"]
    results = first["results"]["run_id"]
    kept = {
        f.path for f in [*client.list_artifacts(results, "tables"), *client.list_artifacts(results)]
    }
    assert second["results"] == first["results"]
    assert second["systems"]["mem1-rl"]["run_id"] == run["run_id"]
    assert history(uri, run["run_id"], "peak") == [(1, 5), (2, 5)]
    assert kept == {"tables/table1.md", "claims.md", "tables", "figures"}
    assert set(first["results"]["artifacts"]) == {
        "tables/table1.md",
        "figures/figure4.svg",
        "claims.md",
    }
    assert run["artifacts"] == ["trajectories/1.md", "trajectories/2.md"]
    assert len(client.get_trace(run["traces"][0]).data.spans) == 2


@pytest.fixture
def evaluated(home):
    """The same with records of a system that is configured and of one that is not."""
    for system in ("mem1-rl", "gone"):
        row = synthetic_answer(system, 2)
        write_jsonl(home / "eval" / system / "2.jsonl", [row])
    return home / "eval"


def test_records_of_systems_that_are_not_configured_are_left_out(evaluated):
    analysis = analysis_section(load(ROOT / "config" / "config.yaml"))
    assert set(publishing.evaluated(evaluated, analysis)) == {"mem1-rl"}
    assert set(publishing.evaluated(evaluated)) == {"mem1-rl", "gone"}


def test_the_command_reads_which_systems_are_configured_beside_the_receipt(uri, home, evaluated):
    analysis = analysis_section(load(ROOT / "config" / "config.yaml"))
    for file in ("tables/table1.md", "figures/figure4.svg", "claims.md"):
        write_text(home / file, "synthetic")
    write_text(home / "config" / "analysis.json", analysis.model_dump_json())
    assert set(publish(uri, home)["systems"]) == {"mem1-rl"}


def test_results_without_figures_are_refused(uri, home):
    write_jsonl(home / "eval" / "mem1-rl" / "1.jsonl", [synthetic_answer("mem1-rl", 1)])
    with pytest.raises(InputError, match="make the tables first"):
        publish(uri, home)
