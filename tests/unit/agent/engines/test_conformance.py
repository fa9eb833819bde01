"""What holds for every engine. A new engine adds a case."""

from dataclasses import dataclass

import pytest

from mem1.agent import protocol
from mem1.agent.engines.base import Engine, Sampling, stop_end, until_stop
from mem1.agent.engines.hf import HFEngine
from mem1.agent.engines.http import HTTPEngine
from mem1.agent.engines.oracle_reader import OracleReader
from mem1.agent.engines.scripted import ScriptedEngine
from mem1.agent.text import Codec, load_codec
from mem1.config_systems import Server
from mem1.errors import InputError
from mem1.records import Hop, Task
from mem1.tasks.atlas_solver import PERFECT
from tests.unit.agent.engines.openai_server import BASE

CASES = [
    "hf",
    "hf-grouped-heads",
    "hf-bytes",
    "hf-small-groups",
    "oracle-mem1",
    "oracle-full",
    "script",
    "http",
]
SEEDS = list(range(18))


@dataclass
class Case:
    """An engine with eighteen contexts of many lengths that it can continue."""

    engine: Engine
    codec: Codec
    contexts: list[list[int]]
    rounding: float = 1e-5  # of log-probabilities


@pytest.fixture(params=CASES)
def case(request, tiny, words: Codec, characters: Codec, tasks: list[Task]) -> Case:  # type: ignore[no-untyped-def]
    kind, _, variant = request.param.partition("-")
    codec = characters if variant == "bytes" else words
    prompt_kind = "full" if variant == "full" else "mem1"
    prompts = [
        codec.encode(protocol.prompt_text([q.text for q in task.questions], prompt_kind))
        for task in tasks
    ]
    engine: Engine
    if kind == "http":
        url = request.getfixturevalue("base_server").url
        codec = load_codec(BASE)
        server = Server(url=url, model="base", api="tokens", tokenizer=str(BASE))
        contexts = [codec.encode(f"Answer Q1 to Q{i % 3 + 1}." + " Who" * i) for i in range(18)]
        return Case(HTTPEngine(server, codec), codec, contexts, rounding=1e-4)
    if kind == "oracle":
        turn = "<think> Answers: </think> <search> Ada </search> <information> red </information>"
        later = [prompt + codec.encode(turn) for prompt in prompts]
        return Case(OracleReader(tasks, prompt_kind, codec), codec, (prompts + later) * 3)
    if kind == "script":
        return Case(ScriptedEngine(chained(tasks), "mem1", codec, PERFECT, 0), codec, prompts * 6)
    limits = {"max_rows": 4, "group_bytes": 1 << 17} if variant == "small-groups" else {}
    model = tiny(codec, kv_heads=1 if variant == "grouped-heads" else 2)
    engine = HFEngine(model, codec, **limits)
    if variant == "bytes":  # long for this model: short ones instead
        prompts = [prompt[-20:] for prompt in prompts]
    contexts = [prompts[i % 3] + codec.encode("Ada red " * (i % 7)) for i in range(18)]
    return Case(engine, codec, contexts)


def chained(tasks: list[Task]) -> list[Task]:
    """``tasks`` with the facts that a script looks for."""

    def one(task: Task) -> Task:
        questions = [
            q.model_copy(
                update={
                    "chain": [
                        Hop(
                            entity=q.text.split()[2],
                            relation="home",
                            statement="home.",
                            value=q.golds[0],
                        )
                    ]
                }
            )
            for q in task.questions
        ]
        return task.model_copy(update={"questions": questions})

    return [one(task) for task in tasks]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_ids_logprobs_and_text_belong_together(case: Case, temperature: float) -> None:
    for output in case.engine.generate(case.contexts, Sampling(temperature, 40), SEEDS):
        assert len(output.ids) == len(output.logprobs) >= 1
        assert max(output.logprobs) <= 0
        assert output.text == until_stop(case.codec.decode(output.ids))


def test_an_output_ends_with_the_token_that_completes_the_first_closing_tag(case: Case) -> None:
    stopped = 0
    for output in case.engine.generate(case.contexts, Sampling(1.0, 40), SEEDS):
        assert stop_end(case.codec.decode(output.ids[:-1])) is None
        stopped += output.text.endswith(protocol.STOP)
        assert stop_end(output.text) in (None, len(output.text))
    assert stopped or case.codec.eos is None  # bytes hardly ever spell a tag by chance


def test_an_output_has_at_most_the_allowed_tokens(case: Case) -> None:
    if isinstance(case.engine, OracleReader | ScriptedEngine):  # cannot be cut: it refuses
        with pytest.raises(InputError, match=r"raise agent\.max_new_tokens"):
            case.engine.generate(case.contexts, Sampling(1.0, 5), SEEDS)
        return
    outputs = case.engine.generate(case.contexts, Sampling(1.0, 5), SEEDS)
    assert max(len(output.ids) for output in outputs) == 5


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_the_company_of_a_context_does_not_change_its_tokens(
    case: Case, temperature: float
) -> None:
    sampling = Sampling(temperature, 40)
    together = case.engine.generate(case.contexts, sampling, SEEDS)
    order = [17, 3, 11, 8]
    few = case.engine.generate(
        [case.contexts[i] for i in order], sampling, [SEEDS[i] for i in order]
    )
    for i, alone in zip(order, few, strict=True):
        assert alone.ids == together[i].ids
        assert alone.logprobs == pytest.approx(together[i].logprobs, abs=case.rounding)


def test_no_contexts_give_no_outputs(case: Case) -> None:
    assert case.engine.generate([], Sampling(1.0, 5), []) == []


def test_other_stop_strings_end_an_output(case: Case) -> None:
    stop = ("</think>",)
    contexts = case.contexts[:3]
    plain = case.engine.generate(contexts, Sampling(1.0, 40), SEEDS[:3])
    for output, known in zip(
        case.engine.generate(contexts, Sampling(1.0, 40, stop), SEEDS[:3]), plain, strict=True
    ):
        assert output.text == until_stop(case.codec.decode(output.ids), stop)
        if not isinstance(case.engine, OracleReader | ScriptedEngine):  # these write whole turns
            assert stop_end(case.codec.decode(output.ids[:-1]), stop) is None
            shared = min(len(output.ids), len(known.ids))
            assert output.ids[:shared] == known.ids[:shared]
