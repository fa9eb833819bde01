"""The records that the parts hand to each other, and JSONL in and out.

Everything that is kept between two commands is one of these. Analysis reads only them.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from mem1.errors import InputError
from mem1.provenance import read_json, replacing


class Record(BaseModel):
    """Base of all records: unknown fields are refused, so that a typo cannot be lost."""

    model_config = ConfigDict(extra="forbid")


class Passage(Record):
    """One retrievable passage."""

    id: str
    title: str
    text: str


class Hop(Record):
    """One step of the chain that answers a generated question."""

    entity: str  # the page to look up
    relation: str  # name of the relation
    value: str  # what the page says
    statement: str  # the sentence of the page that says it


class Question(Record):
    """One objective: a question with all accepted answers."""

    id: str
    text: str
    golds: list[str]  # aliases; the first is the one to print
    source: str  # data set it comes from
    hops: int | Literal["multi"] | None = None  # facts needed: number, several, or unknown
    chain: list[Hop] = []  # generated worlds only


class _Sparse(Record):
    """A record that leaves out what does not concern it, so that others keep their bytes."""

    optional: ClassVar[frozenset[str]] = frozenset()  # fields that are not written when null

    @model_serializer(mode="wrap")
    def _without_nulls(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written = handler(self)
        return {k: v for k, v in written.items() if v is not None or k not in self.optional}


class Goal(Record):
    """What a shopper is asked to buy."""

    index: int  # in the goals of the shop
    instruction: str


class Task(_Sparse):
    """A composite prompt of N questions (its horizon), or one goal, with a budget of turns."""

    optional = frozenset({"goal"})

    id: str
    split: str
    questions: list[Question]
    max_turns: int
    first: int = 1  # number of the first question in the prompt
    goal: Goal | None = None  # in place of questions

    @property
    def horizon(self) -> int:
        """Number of objectives; a goal is one."""
        return len(self.questions) if self.goal is None else 1


class Call(Record):
    """A call of the model beside the turns: what a context policy needs to keep its memory."""

    purpose: str  # for example summary, note, evolve
    context: list[int]
    output: list[int]
    text: str  # decoded output
    malformed: bool = False  # the text is not what was asked for, and the policy did without it
    seconds: float = 0.0  # wall time, shared by the batch


class Turn(Record):
    """One model output and the observation that follows it.

    ``context`` and ``output`` are the view: exactly the ids the engine was given and sampled.
    """

    context: list[int]
    output: list[int]
    logprobs: list[float]  # of each output token, natural log, at the sampling temperature; or none
    text: str  # decoded output
    action: Literal["search", "answer", "act", "malformed"]
    argument: str  # the query, the answer, what is done, or why it is malformed
    info: list[int] = []  # observation as token ids; empty after the last turn
    info_text: str = ""
    passages: list[str] = []  # ids of what was retrieved, best first
    seconds: float = 0.0  # wall time of all that belongs to the turn, shared by the batch
    retrieval_seconds: float = 0.0  # of these, spent in the environment
    calls: list[Call] = []  # made before this turn's output, in order; their time is in seconds


class Score(_Sparse):
    """What one scorer says of one final answer; see ``tasks.scoring``."""

    optional = frozenset({"reward"})
    em: float  # exact matches, summed over the questions; 0 if the count is wrong
    f1: float  # token F1, summed likewise
    given: int  # answers given; 0 when there was none
    expected: int  # questions
    zero: Literal["none", "format", "count"]  # why the paper's rule gives zero, if it does
    question_em: list[float]  # per question by position, whatever the count
    reward: float | None = None  # of a purchase, 0 to 1; em is 1 where it is 1


# bought: the environment ended it; context: no room was left for another turn; format: an output
# was malformed, and the rollout was told to end there
End = Literal["answered", "bought", "turns", "context", "format", "running"]


class Trajectory(Record):
    """All turns of one task under one system."""

    version: Literal[2] = 2  # of the record; 1 had no calls
    task_id: str
    horizon: int
    system: str
    policy: str
    sample: int = 0  # number within its group
    prompt: list[int]  # ids of the task prompt, shared by all contexts
    turns: list[Turn]
    end: End
    answers: list[str] = []
    score: Score | None = None
    seconds: float = 0.0


class StepMetrics(Record):
    """One line of a training run's ``metrics.jsonl``."""

    step: int  # optimizer steps (sft, base) or collect-and-update rounds (rl) done
    values: dict[str, float]


R = TypeVar("R", bound=BaseModel)


def complaint(error: ValidationError, whole: str = "the file") -> str:
    """Where and what is wrong first: ``chain.0.value: Field required``.

    ``whole`` stands for the place where the value itself is of a wrong kind.
    """
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or whole}: {first['msg']}"


def parse(line: str | bytes, kind: type[R], path: Path, number: int) -> R:
    """The record of ``kind`` in one line of ``path``.

    Raises:
        InputError: it is no such record, or one of another version; the message names the line
            by its number.
    """
    try:
        row = kind.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        if first["loc"] == ("version",):
            raise _other_version(kind, path, number, first["input"]) from error
        cut = ", so it is cut or damaged" if first["type"] == "json_invalid" else ""
        raise InputError(
            f"{path}, line {number}: no valid {kind.__name__} "
            f"({complaint(error, 'the line')}{cut}); correct or rebuild the file."
        ) from error
    if "version" in kind.model_fields and "version" not in row.model_fields_set:
        raise _other_version(kind, path, number, 1)  # which did not say so
    return row


def _other_version(kind: type[BaseModel], path: Path, number: int, found: object) -> InputError:
    ours = kind.model_fields["version"].default
    return InputError(
        f"{path}, line {number}: a {kind.__name__} of version {found}, and this is the program for "
        f"version {ours}: make the file again, or read it with the program that made it."
    )


def read_record(path: Path, kind: type[R], what: str, fix: str) -> R:
    """The record of ``kind`` in the JSON file at ``path``.

    Args:
        path: the file.
        kind: of record.
        what: such a file in words, for the message.
        fix: what the user can do, for the message.

    Raises:
        InputError: missing, no JSON, or no such record.
    """
    try:
        return kind.model_validate(read_json(path))
    except ValidationError as error:
        raise InputError(f"{path} is no {what} ({complaint(error)}): {fix}.") from error


def iter_jsonl(path: Path, kind: type[R]) -> Iterator[R]:
    """The records of ``kind`` in ``path``, one at a time (evaluation files can be large).

    Raises:
        InputError: the file is missing, or a line is no such record (named by its number).
    """
    try:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                yield parse(line, kind, path, number)
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist: make it first, or correct the path.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text ({error.reason}): rebuild it.") from error


def read_jsonl(path: Path, kind: type[R]) -> list[R]:
    """All records of ``kind`` in ``path``; raises as ``iter_jsonl`` does."""
    return list(iter_jsonl(path, kind))


def write_jsonl(path: Path, rows: Iterable[BaseModel]) -> None:
    """Write one record a line, whole or not at all."""
    with replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        for row in rows:
            file.write(row.model_dump_json() + "\n")
