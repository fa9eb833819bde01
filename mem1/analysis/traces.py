"""Trajectories as MLflow traces: a root span each, below it what every turn consisted of.

A turn is a span for each call of the model (its output, and calls that keep a memory) and one
for what the environment did: a retriever span with documents for a search, a tool span for
anything else that came back. Spans last as long as was recorded, one after the other; where a
record has no time of its own for the environment, all of it counts for the model. The last
span ends when the file of records was written.

MLflow swallows what goes wrong while a trace is sent, so that each is looked for afterwards.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from mem1.analysis import seen
from mem1.errors import InputError
from mem1.provenance import json_digest
from mem1.records import Trajectory, Turn, iter_jsonl

TRACED = 2  # tasks of the smallest and of the largest number of objectives, the first ones
DIGEST = "mem1.digest"  # tag: what a trace shows
FORM = 1  # of the spans; part of the digest, so that another form is sent again
USAGE = "mlflow.chat.tokenUsage"  # attribute of a model span, by which MLflow sums tokens
_DOCUMENT = re.compile(r"(?<!\S)Doc (\d+): ")  # as envs.search numbers passages


@dataclass(frozen=True)
class Span:
    """One step of a turn."""

    name: str
    kind: str  # LLM, RETRIEVER or TOOL, MLflow's names
    inputs: Any
    outputs: Any
    seconds: float
    attributes: dict[str, Any]


def selected(files: Mapping[int, Path]) -> Iterator[tuple[Path, Trajectory]]:
    """The trajectories to trace of one system, whose record files are given by objectives.

    They are the first of each file, so that all systems show the same tasks.
    """
    for horizon in sorted({min(files), max(files)}):
        for trajectory in islice(iter_jsonl(files[horizon], Trajectory), TRACED):
            yield files[horizon], trajectory


def documents(turn: Turn) -> list[dict[str, Any]]:
    """What a search returned, in the form of ``mlflow.entities.Document``.

    One for each passage where the info numbers as many as were retrieved; else (a page, or a
    passage whose text looks like such a number) one with the whole info.
    """
    marks = list(_DOCUMENT.finditer(turn.info_text))
    if not marks or [int(m[1]) for m in marks] != list(range(1, len(turn.passages) + 1)):
        metadata = {"passages": turn.passages}
        return [{"page_content": turn.info_text, "metadata": metadata, "id": None}]
    ends = [mark.start() for mark in marks[1:]] + [len(turn.info_text)]
    return [
        {
            "page_content": turn.info_text[mark.end() : end].removesuffix("</information>").strip(),
            "metadata": {"rank": rank},
            "id": name,
        }
        for rank, (mark, end, name) in enumerate(zip(marks, ends, turn.passages, strict=True), 1)
    ]


def spans(trajectory: Trajectory, decode: seen.Decode | None) -> list[Span]:
    """All spans below the root of ``trajectory``, one after the other.

    Args:
        trajectory: the record.
        decode: its tokenizer, for the text of contexts; without it they are named by their
            parts and sizes.
    """
    views = zip(trajectory.turns, seen.views(trajectory), strict=True)
    return [
        span
        for number, (turn, view) in enumerate(views, start=1)
        for span in _turn(f"turn {number}", turn, view, decode)
    ]


def _turn(name: str, turn: Turn, view: seen.View, decode: seen.Decode | None) -> Iterator[Span]:
    environment = min(turn.retrieval_seconds, turn.seconds) if turn.info_text else 0.0
    rest = turn.seconds - environment - sum(call.seconds for call in turn.calls)
    for call in turn.calls:
        shown: Any = decode(call.context) if decode else f"{len(call.context)} tokens"
        usage = _usage(call.context, call.output)
        yield Span(f"{name}: {call.purpose}", "LLM", shown, call.text, call.seconds, usage)
    shown = decode(turn.context) if decode else [_name(piece) for piece in view.context]
    usage = _usage(turn.context, turn.output)
    yield Span(f"{name}: model", "LLM", shown, turn.text, max(0.0, rest), usage)
    if turn.info_text:
        search = turn.action == "search"
        yield Span(
            f"{name}: {'search' if search else 'environment'}",
            "RETRIEVER" if search else "TOOL",
            turn.argument,
            documents(turn) if search else turn.info_text,
            environment,
            {"info_tokens": len(turn.info)},
        )


def _usage(read: Sequence[int], written: Sequence[int]) -> dict[str, Any]:
    total = len(read) + len(written)
    return {
        USAGE: {
            "input_tokens": len(read),
            "output_tokens": len(written),
            "total_tokens": total,
        }
    }


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)


def _name(piece: seen.Piece) -> str:
    where = f" of turn {piece.turn + 1}" if piece.kind in ("output", "info") else ""
    return f"{piece.kind}{where}, {piece.tokens} tokens"


def log(
    client: Any,
    experiment: str,
    run_id: str,
    trajectory: Trajectory,
    written: int,
    decode: seen.Decode | None,
) -> str:
    """The id of the trace of ``trajectory``: the one that is there, or a new one.

    Args:
        client: ``MlflowClient``; the tracking address of MLflow must be its own.
        experiment: id of the experiment.
        run_id: the run it is linked to.
        trajectory: the record.
        written: when its file was written, nanoseconds since 1970.
        decode: its tokenizer, as for ``spans``.

    Raises:
        InputError: MLflow did not keep the trace.
    """
    steps = spans(trajectory, decode)
    digest = json_digest([FORM, trajectory.model_dump(mode="json"), decode is not None])
    known = _find(client, experiment, digest)
    if known is not None:
        client.link_traces_to_run([known], run_id)
        return known
    clock = written - sum(_ns(step.seconds) for step in steps)
    prompt = decode(trajectory.prompt) if decode else f"{len(trajectory.prompt)} tokens"
    root = client.start_trace(
        f"{trajectory.system} {trajectory.task_id}",
        span_type="AGENT",
        inputs={"task": trajectory.task_id, "prompt": prompt},
        attributes={"system": trajectory.system, "policy": trajectory.policy},
        tags={
            DIGEST: digest,
            "system": trajectory.system,
            "horizon": str(trajectory.horizon),
        },
        experiment_id=experiment,
        start_time_ns=clock,
        run_id=run_id,
    )
    for step in steps:
        span = client.start_span(
            step.name,
            trace_id=root.trace_id,
            parent_id=root.span_id,
            span_type=step.kind,
            inputs=step.inputs,
            attributes=step.attributes,
            start_time_ns=clock,
        )
        clock += _ns(step.seconds)
        client.end_span(root.trace_id, span.span_id, outputs=step.outputs, end_time_ns=clock)
    outputs = {
        "answers": trajectory.answers,
        "end": trajectory.end,
        "score": trajectory.score.model_dump() if trajectory.score else None,
    }
    client.end_trace(root.trace_id, outputs=outputs, end_time_ns=clock)
    if _find(client, experiment, digest) is None:
        raise InputError(
            f"MLflow did not keep the trace of task {trajectory.task_id}, system "
            f"{trajectory.system}: see its messages above, and run again."
        )
    return str(root.trace_id)


def _find(client: Any, experiment: str, digest: str) -> str | None:
    """A complete trace with this digest (tags are written when the root span ends)."""
    found = client.search_traces(
        locations=[experiment],
        filter_string=f"tags.`{DIGEST}` = '{digest}'",
        max_results=1,
        include_spans=False,
    )
    return str(found[0].info.trace_id) if found else None
