"""A reader that knows the golds but must find them: the ceiling that retrieval sets.

It searches once for each question, with the question's own text. A question whose gold
stands in what its search returned is answered with that gold, any other with ``unknown``.
It remembers nothing itself. Under the prompt ``mem1`` its answers so far stand in its
internal state and are read from there; under ``full`` it reads all infos at the end. So what
it scores under a context policy is what that policy lets it see.

The log-probabilities are zeros: a rule is certain of what it writes, and nothing trains on
them.
"""

from collections.abc import Sequence

from mem1.agent import protocol
from mem1.agent.engines.base import Output, Sampling, certain
from mem1.agent.formats.short import SHORT
from mem1.agent.text import Codec
from mem1.config_systems import PromptFormat
from mem1.errors import InputError
from mem1.records import Question, Task
from mem1.tasks.scoring import contains_answer

UNKNOWN = "unknown"
_KNOWN = "Answers:"  # begins the list in an internal state


class OracleReader:
    """Plays all of ``tasks``, each found by its prompt.

    Raises:
        InputError: two tasks have the same prompt but not the same golds, or ``kind`` is a form
            that it does not write.
    """

    def __init__(self, tasks: Sequence[Task], kind: PromptFormat, codec: Codec) -> None:
        if kind not in SHORT:
            raise InputError(
                f"The oracle reader writes in the forms {' and '.join(SHORT)}, not in {kind}: give "
                f"its system one of these as prompt."
            )
        self._kind = kind
        self._codec = codec
        self._questions: dict[tuple[int, ...], list[Question]] = {}
        for task in tasks:
            prompt = tuple(SHORT[kind].prompt(task, codec))
            known = self._questions.setdefault(prompt, task.questions)
            if [q.golds for q in known] != [q.golds for q in task.questions]:
                raise InputError(
                    f"Task {task.id}: another task asks the same with other golds: remove one."
                )
        self._lengths = sorted({len(prompt) for prompt in self._questions}, reverse=True)

    def generate(
        self, contexts: Sequence[Sequence[int]], sampling: Sampling, seeds: Sequence[int]
    ) -> list[Output]:
        """The next output for each context; only ``sampling.max_new_tokens`` matters.

        Raises:
            InputError: an output has more tokens than that.
        """
        return [self._output(list(context), sampling) for context in contexts]

    def _output(self, context: list[int], sampling: Sampling) -> Output:
        questions, past = self._split(context)
        infos = _between(past, protocol.INFO, protocol.END_INFO)
        states = _between(past, protocol.THINK, protocol.END_THINK)
        if self._kind == "mem1":
            answers = _listed(states[-1]) if states else []
            if infos:
                answers.append(_answer(questions[len(answers)], infos[-1]))
            searched = len(answers)
            state = " ".join([_KNOWN, " ; ".join(answers)]).strip()
        else:
            searched = len(infos)
            answers = [_answer(*pair) for pair in zip(questions, infos, strict=False)]
            state = f"{searched} of {len(questions)}."
        if searched < len(questions):
            query = protocol.neutralize(questions[searched].text)
            action = f"{protocol.SEARCH} {query} {protocol.END_SEARCH}"
        else:
            action = f"{protocol.ANSWER} {' ; '.join(answers)} {protocol.END_ANSWER}"
        text = f"{protocol.THINK} {state} {protocol.END_THINK} {action}"
        return certain(text, self._codec, sampling)

    def _split(self, context: list[int]) -> tuple[list[Question], str]:
        """The questions whose prompt ``context`` starts with, and the text behind it."""
        for length in self._lengths:
            questions = self._questions.get(tuple(context[:length]))
            if questions is not None:
                return questions, self._codec.decode(context[length:])
        raise ValueError("the context starts with the prompt of no known task")


def _between(text: str, opening: str, closing: str) -> list[str]:
    """What stands between each ``opening`` and the next ``closing``."""
    return [part.split(closing)[0] for part in text.split(opening)[1:]]


def _listed(state: str) -> list[str]:
    """The answers in an internal state."""
    listed = state.partition(_listed_mark(state))[2]
    return protocol.split_answers(listed) if listed.strip() else []


def _listed_mark(state: str) -> str:
    """The start of the list, as a tokenizer may have spaced it."""
    return _KNOWN if _KNOWN in state else _KNOWN.replace(":", " :")


def _answer(question: Question, info: str) -> str:
    """The first gold of ``question`` if any of its golds stands in ``info``."""
    return question.golds[0] if contains_answer(info, question.golds) else UNKNOWN
