"""An engine that plays solvers from a script: it makes demonstrations, it learns nothing.

It knows the answers of its tasks. Its log-probabilities are zeros; nothing trains on them.
"""

from collections.abc import Sequence

from mem1.agent import protocol
from mem1.agent.engines.base import Output, Sampling, certain
from mem1.agent.formats.short import SHORT
from mem1.agent.text import Codec
from mem1.config_learning import Imperfections
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
        codec: Codec,
        imperfections: Imperfections,
        seed: int,
    ) -> None:
        self._codec = codec
        [self._think] = codec.encode(protocol.THINK)
        names = sorted({hop.entity for task in tasks for q in task.questions for hop in q.chain})
        self._solvers: dict[tuple[int, ...], Solver] = {}
        for task in tasks:
            prompt = tuple(SHORT[kind].prompt(task, codec))
            if prompt in self._solvers:
                raise ValueError(f"task {task.id}: another task has the same prompt")
            random = stream(seed, "solver", task.id)
            self._solvers[prompt] = Solver(task, kind, imperfections, random, names)

    def generate(
        self, contexts: Sequence[Sequence[int]], sampling: Sampling, seeds: Sequence[int]
    ) -> list[Output]:
        """The next turn of each context's solver; only ``sampling.max_new_tokens`` matters.

        Raises:
            InputError: a turn has more tokens than that.
        """
        outputs = []
        for context in contexts:
            ids = list(context)
            end = ids.index(self._think) if self._think in ids else len(ids)
            solver = self._solvers[tuple(ids[:end])]
            info = None
            if end < len(ids):
                info = self._codec.decode(ids[end:]).rpartition(protocol.INFO)[2]
            outputs.append(certain(solver.turn(info), self._codec, sampling))
        return outputs
