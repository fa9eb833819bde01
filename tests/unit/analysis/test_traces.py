"""Trajectories as traces: which, with what in them, and once, in a real tracker on sqlite."""

import json

import pytest

from mem1 import tracking
from mem1.analysis import traces
from mem1.errors import InputError
from mem1.records import Call, Trajectory, Turn, write_jsonl

INFO = (
    "<information> [HINT: YOU HAVE 2 TURNS LEFT] Doc 1: Ada. Ada lives in Rome. "
    "Doc 2: Bo. Bo knows Doc 7. </information>"
)
WRITTEN = 1_700_000_000 * 10**9


def synthetic_turn(context, output, action, **more) -> Turn:
    return Turn(
        context=context,
        output=output,
        logprobs=[-0.1] * len(output),
        text=f"<think> s </think> <{action}> x </{action}>",
        action=action,
        argument="x",
        **more,
    )


@pytest.fixture
def trajectory(synthetic_trajectory) -> Trajectory:
    """A search, a malformed output after a call beside it, an answer."""
    summary = Call(purpose="summary", context=[7] * 9, output=[6] * 4, text="so far", seconds=0.25)
    turns = [
        synthetic_turn(
            [1, 2], [3, 4], "search", info=[5] * 6, info_text=INFO, passages=["p9", "p4"]
        ),
        synthetic_turn([1, 2, 3, 4, *[5] * 6], [3], "malformed", info=[8], info_text="no"),
        synthetic_turn([1, 2, 3, 8], [9, 9], "answer"),
    ]
    turns[0].seconds, turns[0].retrieval_seconds = 2.0, 0.5
    turns[1].seconds, turns[1].calls = 1.0, [summary]
    turns[2].seconds = 0.5
    return synthetic_trajectory().model_copy(
        update={"turns": turns, "prompt": [1, 2], "seconds": 3.5}
    )


def test_spans_are_model_and_environment_of_each_turn(trajectory):
    found = [(s.name, s.kind, s.seconds) for s in traces.spans(trajectory, None)]
    assert found == [
        ("turn 1: model", "LLM", 1.5),
        ("turn 1: search", "RETRIEVER", 0.5),
        ("turn 2: summary", "LLM", 0.25),
        ("turn 2: model", "LLM", 0.75),
        ("turn 2: environment", "TOOL", 0.0),
        ("turn 3: model", "LLM", 0.5),
    ]


def test_contexts_are_text_with_a_tokenizer_and_their_parts_without(trajectory):
    bare, known = (
        traces.spans(trajectory, decode)[3].inputs
        for decode in (None, lambda ids: " ".join(map(str, ids)))
    )
    assert bare == ["prompt, 2 tokens", "output of turn 1, 2 tokens", "info of turn 1, 6 tokens"]
    assert known == "1 2 3 4 5 5 5 5 5 5"


def test_documents_are_the_passages_of_the_info(trajectory):
    first, second = traces.documents(trajectory.turns[0])
    assert (first["id"], first["page_content"]) == ("p9", "Ada. Ada lives in Rome.")
    assert (second["id"], second["page_content"]) == ("p4", "Bo. Bo knows Doc 7.")


@pytest.mark.parametrize("info", ["a page without numbers", INFO.replace("Doc 7.", "Doc 3: Cy")])
def test_an_info_that_cannot_be_divided_is_one_document(trajectory, info):
    turn = trajectory.turns[0].model_copy(update={"info_text": info})
    assert traces.documents(turn) == [
        {"page_content": info, "metadata": {"passages": ["p9", "p4"]}, "id": None}
    ]


def test_the_first_tasks_of_the_smallest_and_largest_horizon_are_taken(
    synthetic_trajectory, tmp_path
):
    files = {}
    for horizon in (2, 1, 8):
        files[horizon] = tmp_path / f"{horizon}.jsonl"
        rows = [synthetic_trajectory(f"{horizon}-{i}", horizon=horizon) for i in range(4)]
        write_jsonl(files[horizon], rows)
    chosen = [(path, each.task_id) for path, each in traces.selected(files)]
    assert chosen == [(files[h], f"{h}-{i}") for h in (1, 8) for i in (0, 1)]


@pytest.fixture
def client(uri):
    """A real tracker, to which MLflow sends the traces of the test."""
    import mlflow

    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    yield tracking.connect(uri)
    mlflow.set_tracking_uri(before)


def logged(client, trajectory, name) -> tuple[str, str, str]:
    """Experiment, run and trace."""
    home = tracking.experiment_id(client, name)
    run = client.create_run(home).info.run_id
    return home, run, traces.log(client, home, run, trajectory, WRITTEN, None)


def test_a_trace_holds_the_turns_with_their_times_tokens_and_documents(client, trajectory):
    _, run, name = logged(client, trajectory, "whole")
    trace = client.get_trace(name)
    root, *spans = sorted(trace.data.spans, key=lambda s: (s.start_time_ns, s.parent_id or ""))
    by_name = {span.name: span for span in spans}
    assert (root.start_time_ns, root.end_time_ns) == (WRITTEN - 3_500_000_000, WRITTEN)
    assert {span.parent_id for span in spans} == {root.span_id}
    search = by_name["turn 1: search"]
    assert (search.start_time_ns, search.end_time_ns) == (
        WRITTEN - 2_000_000_000,
        WRITTEN - 1_500_000_000,
    )
    assert [document["id"] for document in search.outputs] == ["p9", "p4"]
    assert by_name["turn 2: model"].attributes[traces.USAGE]["input_tokens"] == 10
    assert json.loads(trace.info.trace_metadata["mlflow.trace.tokenUsage"]) == {
        "input_tokens": 2 + 9 + 10 + 4,
        "output_tokens": 2 + 4 + 1 + 2,
        "total_tokens": 34,
    }
    assert trace.info.trace_metadata["mlflow.sourceRun"] == run


def test_the_same_trajectory_is_one_trace_and_another_is_another(client, trajectory):
    home, _, first = logged(client, trajectory, "once")
    _, run, again = logged(client, trajectory, "once")
    other = trajectory.model_copy(update={"sample": 1})
    _, _, second = logged(client, other, "once")
    assert first == again != second
    assert len(client.search_traces(locations=[home], include_spans=False)) == 2
    linked = client.search_traces(locations=[home], run_id=run, include_spans=False)
    assert [trace.info.trace_id for trace in linked] == [first]


def test_a_trace_that_mlflow_does_not_keep_is_an_error(client, trajectory, tmp_path):
    import mlflow

    mlflow.set_tracking_uri(f"file://{tmp_path / 'elsewhere'}")
    with pytest.raises(InputError, match=r"did not keep the trace of task t0"):
        logged(client, trajectory, "lost")
