"""An engine that plays solvers from a script: it makes demonstrations, it learns nothing.

It knows the answers of its tasks. Its log-probabilities are zeros, because a script is
certain of what it writes; nothing trains on them.
"""

from collections.abc import Sequence

from tokenizers import Tokenizer

from mem1.agent import protocol
from mem1.agent.engines.base import Output, Sampling
from mem1.config import Imperfections
from mem1.records import Task
from mem1.seeding import stream
from mem1.tasks.atlas_solver import Solver


class ScriptedEngine:
    """Solves Atlas tasks with configurable imperfections.

    Keeps one solver for each task, found by its prompt; so each task is played once at a
    time, and prompts must differ.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        kind: protocol.PromptKind,
        tokenizer: Tokenizer,
        imperfections: Imperfections,
        seed: int,
    ) -> None:
        self._tokenizer = tokenizer
        self._think = tokenizer.token_to_id(protocol.THINK)
        names = sorted({hop.entity for task in tasks for q in task.questions for hop in q.chain})
        self._solvers: dict[tuple[int, ...], Solver] = {}
        for task in tasks:
            text = protocol.prompt_text([q.text for q in task.questions], kind, task.first)
            prompt = tuple(tokenizer.encode(text, add_special_tokens=False).ids)
            if prompt in self._solvers:
                raise ValueError(f"task {task.id}: another task has the same prompt")
            random = stream(seed, "solver", task.id)
            self._solvers[prompt] = Solver(task, kind, imperfections, random, names)

    def generate(
        self, contexts: Sequence[Sequence[int]], sampling: Sampling, seeds: Sequence[int]
    ) -> list[Output]:
        """The next turn of the solver of each context; sampling and seeds do not matter."""
        outputs = []
        for context in contexts:
            ids = list(context)
            end = ids.index(self._think) if self._think in ids else len(ids)
            solver = self._solvers[tuple(ids[:end])]
            info = None
            if end < len(ids):
                shown = self._tokenizer.decode(ids[end:], skip_special_tokens=False)
                info = shown.rpartition(protocol.INFO)[2]
            text = solver.turn(info)
            out = self._tokenizer.encode(text, add_special_tokens=False).ids
            outputs.append(Output(out, [0.0] * len(out), text))
        return outputs
