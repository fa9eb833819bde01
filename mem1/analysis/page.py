"""Trajectories as one self-contained HTML page: turns as steps, contexts, changes, tokens.

What others wrote (passages, pages, outputs) is data: it goes into the page as JSON in which
no character can end the element around it, and from there into text nodes, never into
markup. The page allows itself no request and no script but its own (by their digests, in a
content security policy).

Contexts are not written out: they are pieces of the trajectory's own history (``seen``), which
keeps the page about as large as the texts.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from string import Template
from typing import Any

from mem1.analysis import seen
from mem1.records import Task, Trajectory, Turn

SCRIPTS = ("dom.js", "list.js", "chart.js", "context.js", "turn.js", "main.js")
_UNSAFE = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"})


def trajectory_data(trajectory: Trajectory, decode: seen.Decode | None) -> dict[str, Any]:
    """One trajectory as JSON values.

    Args:
        trajectory: the record.
        decode: token ids to text, of the tokenizer the trajectory was made with; without it
            the prompt, and what is no part of an earlier turn, are sizes only.
    """
    score = trajectory.score
    views, full = seen.views(trajectory), seen.full_history(trajectory)
    turns: list[dict[str, Any]] = []
    state = ""
    for number, (turn, view) in enumerate(zip(trajectory.turns, views, strict=True)):
        data = _turn(turn, view, full[number], state if number else None)
        state = data["parts"][1]
        if any(p.kind == "other" and p.turn == number for p in view.context):
            _, ids = seen.pieces(trajectory.prompt, trajectory.turns[:number], turn.context)
            data["other"] = decode(ids) if decode else None
        turns.append(data)
    return {
        "task": trajectory.task_id,
        "system": trajectory.system,
        "policy": trajectory.policy,
        "horizon": trajectory.horizon,
        "sample": trajectory.sample,
        "end": trajectory.end,
        "answers": trajectory.answers,
        "score": score.model_dump(mode="json") if score else None,
        "prompt": decode(trajectory.prompt) if decode else None,
        "promptTokens": len(trajectory.prompt),
        "seconds": round(trajectory.seconds, 3),
        "turns": turns,
    }


def _turn(turn: Turn, view: seen.View, full: int, before: str | None) -> dict[str, Any]:
    """One turn; ``before`` is the internal state of the turn before, None in the first."""
    parts = seen.split_state(turn.text)
    return {
        "action": turn.action,
        "argument": turn.argument,
        "parts": parts,
        "changes": None if before is None else seen.changes(before, parts[1]),
        "info": turn.info_text,
        "passages": turn.passages,
        "tokens": {
            "context": len(turn.context),
            "output": len(turn.output),
            "info": len(turn.info),
            "full": full,
        },
        "context": compact(view.context),
        "dropped": compact(view.dropped),
        "seconds": round(turn.seconds, 3),
        "retrievalSeconds": round(turn.retrieval_seconds, 3),
        "calls": [
            {
                "purpose": call.purpose,
                "text": call.text,
                "malformed": call.malformed,
                "tokens": [len(call.context), len(call.output)],
            }
            for call in turn.calls
        ],
    }


def compact(pieces: Iterable[seen.Piece]) -> list[list[Any]]:
    """``pieces`` with neighbouring whole turns as one run, [kind, first, last]; last included.

    Kinds are prompt, turns (output and info of each), output, info and other; the last has its
    number of tokens as a fourth entry.
    """
    runs: list[list[Any]] = []
    for piece in pieces:
        last = runs[-1] if runs else [None, -1, -1]
        if piece.kind == "info" and last == ["output", piece.turn, piece.turn]:
            runs.pop()
            if runs and runs[-1][0] == "turns" and runs[-1][2] == piece.turn - 1:
                runs[-1][2] = piece.turn
            else:
                runs.append(["turns", piece.turn, piece.turn])
        else:
            size = [piece.tokens] if piece.kind == "other" else []
            runs.append([piece.kind, piece.turn, piece.turn, *size])
    return runs


def task_data(task: Task) -> dict[str, Any]:
    """What a page shows of a task: its questions and their golds, or what is to be bought."""
    return {
        "maxTurns": task.max_turns,
        "instruction": None if task.goal is None else task.goal.instruction,
        "questions": [{"text": q.text, "golds": q.golds} for q in task.questions],
    }


def page_data(
    trajectories: Sequence[dict[str, Any]],
    tasks: Mapping[str, Task],
    sources: Sequence[dict[str, Any]],
    left_out: int,
) -> dict[str, Any]:
    """All that the page shows.

    Trajectories are brought into the order of number of objectives, task, system and sample,
    so that those of one task stand together.

    Args:
        trajectories: values of ``trajectory_data``.
        tasks: known tasks by id; others are shown without their questions.
        sources: for each record file its name, digest, and number of trajectories.
        left_out: trajectories of those files that are not shown.
    """
    order: dict[str, int] = {}
    systems: dict[str, int] = {}
    for each in trajectories:
        order.setdefault(each["task"], len(order))
        systems.setdefault(each["system"], len(systems))
    shown = sorted(
        trajectories,
        key=lambda t: (t["horizon"], order[t["task"]], systems[t["system"]], t["sample"]),
    )
    return {
        "trajectories": shown,
        "tasks": {name: task_data(tasks[name]) for name in order if name in tasks},
        "sources": list(sources),
        "leftOut": left_out,
    }


def embedded(value: Any) -> str:
    """``value`` as JSON that can stand in a script element, whatever its texts contain."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(_UNSAFE)


def render(data: Mapping[str, Any]) -> str:
    """The page as HTML."""
    folder = files("mem1.analysis") / "page_files"
    style = (folder / "style.css").read_text(encoding="utf-8")
    parts = [(folder / name).read_text(encoding="utf-8") for name in SCRIPTS]
    script = "\n".join(['"use strict";', "(() => {", *parts, "})();"])
    policy = (
        f"default-src 'none'; img-src data:; style-src {_source(style)}; "
        f"script-src {_source(script)}; base-uri 'none'; form-action 'none'"
    )
    template = Template((folder / "page.html").read_text(encoding="utf-8"))
    return template.substitute(policy=policy, style=style, script=script, data=embedded(data))


def _source(text: str) -> str:
    """The digest by which a content security policy allows ``text``."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
