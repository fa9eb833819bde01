"""HFEngine against transformers itself."""

import numpy as np
import pytest
import torch
from transformers import Qwen2ForCausalLM

from mem1.agent import protocol
from mem1.agent.engines.base import Sampling, stop_end
from mem1.agent.engines.hf import HFEngine, choose
from mem1.agent.text import Codec
from mem1.errors import InputError

GREEDY = Sampling(0.0, 40)


def contexts_of(codec: Codec, count: int = 12) -> list[list[int]]:
    """Random contexts of 5 to 60 tokens without tags."""
    random = np.random.default_rng(3)
    first = 3 + len(protocol.TAGS)
    sizes = random.integers(5, 60, count)
    return [random.integers(first, codec.size, int(size)).tolist() for size in sizes]


def teacher_forced(
    model: Qwen2ForCausalLM, context: list[int], ids: list[int], temperature: float
) -> list[float]:
    """Log-probs of ``ids`` behind ``context`` in one plain forward pass."""
    with torch.inference_mode():
        logits = model(torch.tensor([context + ids])).logits[0, len(context) - 1 : -1]
    logprobs = (logits / temperature).log_softmax(-1)
    return logprobs.gather(1, torch.tensor(ids)[:, None])[:, 0].tolist()


def test_greedy_tokens_equal_those_of_transformers(model: Qwen2ForCausalLM, words: Codec) -> None:
    contexts = contexts_of(words)
    stops = [words.encode(tag)[0] for tag in protocol.STOP]
    for context, output in zip(
        contexts, HFEngine(model, words).generate(contexts, GREEDY, [0] * 12), strict=True
    ):
        expected = model.generate(
            torch.tensor([context]),
            attention_mask=torch.ones(1, len(context), dtype=torch.long),
            do_sample=False,
            max_new_tokens=40,
            eos_token_id=[words.eos, *stops],
        )
        assert output.ids == expected[0, len(context) :].tolist()


@pytest.mark.parametrize("temperature", [0.5, 1.0])
@pytest.mark.parametrize("kv_heads", [1, 2])
def test_logprobs_equal_teacher_forced_ones(tiny, words, temperature, kv_heads) -> None:  # type: ignore[no-untyped-def]
    model = tiny(words, kv_heads)
    contexts = contexts_of(words)
    outputs = HFEngine(model, words).generate(contexts, Sampling(temperature, 40), range(12))
    for context, output in zip(contexts, outputs, strict=True):
        expected = teacher_forced(model, context, output.ids, temperature)
        assert output.logprobs == pytest.approx(expected, abs=1e-5)


def test_greedy_logprobs_are_those_at_temperature_one(
    model: Qwen2ForCausalLM, words: Codec
) -> None:
    [context] = contexts_of(words, 1)
    [output] = HFEngine(model, words).generate([context], GREEDY, [0])
    assert output.logprobs == pytest.approx(
        teacher_forced(model, context, output.ids, 1.0), abs=1e-5
    )


def test_seeds_decide_the_tokens(model: Qwen2ForCausalLM, words: Codec) -> None:
    contexts = contexts_of(words, 1) * 20
    sampling = Sampling(1.0, 30)
    engine = HFEngine(model, words)
    first = [o.ids for o in engine.generate(contexts, sampling, range(20))]
    assert [o.ids for o in engine.generate(contexts, sampling, range(20))] == first
    assert len({tuple(ids) for ids in first}) > 10
    same = engine.generate(contexts, sampling, [5] * 20)
    assert {tuple(o.ids) for o in same} == {tuple(first[5])}


def test_a_turn_continued_from_the_last_call_equals_one_computed_anew(
    model: Qwen2ForCausalLM, words: Codec
) -> None:
    contexts = contexts_of(words)
    engine = HFEngine(model, words)
    outputs = engine.generate(contexts, Sampling(1.0, 30), range(12))
    full = [c + o.ids + [20, 21, 22] for c, o in zip(contexts, outputs, strict=True)]
    half = [[*c, 25, 26] for c in contexts]
    for longer in (full, half):
        reused = engine.generate(longer, Sampling(1.0, 30), range(12))
        anew = HFEngine(model, words, reuse_bytes=0).generate(longer, Sampling(1.0, 30), range(12))
        assert [o.ids for o in reused] == [o.ids for o in anew]
        for one, other in zip(reused, anew, strict=True):
            assert one.logprobs == pytest.approx(other.logprobs, abs=1e-5)


def test_what_the_last_call_computed_is_not_computed_again(
    model: Qwen2ForCausalLM, words: Codec
) -> None:
    [context] = contexts_of(words, 1)
    engine = HFEngine(model, words)
    [output] = engine.generate([context], GREEDY, [0])
    lengths = []
    hook = model.model.register_forward_pre_hook(
        lambda _module, _args, kwargs: lengths.append(kwargs["input_ids"].shape[1]),
        with_kwargs=True,
    )
    engine.generate([context + output.ids + [20, 21]], Sampling(0.0, 2), [0])
    hook.remove()
    assert lengths == [3, 1]  # the last sampled token was never an input


def test_it_knows_how_many_contexts_it_keeps(model: Qwen2ForCausalLM, words: Codec) -> None:
    token = 2 * 2 * 32 * 4  # layers, keys and values, width, bytes
    engine = HFEngine(model, words, reuse_bytes=token * 100)
    assert [engine.rows_kept(n) for n in (10, 33, 200)] == [10, 3, 1]


def test_new_weights_are_noticed_however_they_are_written(
    model: Qwen2ForCausalLM, words: Codec
) -> None:
    contexts = contexts_of(words)
    engine = HFEngine(model, words)
    engine.generate(contexts, GREEDY, [0] * 12)
    with torch.no_grad():
        model.model.layers[0].self_attn.q_proj.weight.data[3] += 0.5
    expected = HFEngine(model, words).generate(contexts, GREEDY, [0] * 12)
    assert engine.generate(contexts, GREEDY, [0] * 12) == expected


def test_the_token_that_completes_a_tag_stays_whole(tiny, characters: Codec) -> None:  # type: ignore[no-untyped-def]
    text = "<think>a</think><search>b</search>aaaa"
    ids = characters.encode(text)
    model, place = tiny(characters), characters.encode("x")
    follow_script(model, characters, place, ids)
    [output] = HFEngine(model, characters).generate([place], GREEDY, [0])
    assert output.text == "<think>a</think><search>b</search>"
    assert characters.decode(output.ids) == output.text + "a"
    assert output.ids == ids[: len(output.ids)]
    assert len(output.logprobs) == len(output.ids) < len(ids)


@pytest.mark.parametrize(
    ("stop", "written"),
    [
        (("</think>", "</search>"), "<think>a</think>"),
        (("earch>b",), "<think>a</think><search>b"),
        (("x", "b</"), "<think>a</think><search>b</"),
        (("\n",), "<think>a</think><search>b</search>a\n"),
    ],
)
def test_any_string_can_stop_an_output(tiny, characters, stop, written) -> None:  # type: ignore[no-untyped-def]
    ids = characters.encode("<think>a</think><search>b</search>a\na")
    model, place = tiny(characters), characters.encode("x")
    follow_script(model, characters, place, ids)
    engine = HFEngine(model, characters)
    for _ in range(2):  # also when it has met these strings before
        [output] = engine.generate([place], Sampling(0.0, len(ids), stop), [0])
        assert output.text == written
        assert output.ids == ids[: len(output.ids)]
        assert stop_end(characters.decode(output.ids[:-1]), stop) is None


def test_calls_between_turns_change_no_turn(model: Qwen2ForCausalLM, words: Codec) -> None:
    contexts = contexts_of(words)
    turn, call = Sampling(1.0, 30), Sampling(1.0, 9, ("</think>",))
    engine = HFEngine(model, words)
    undisturbed = HFEngine(model, words, reuse_bytes=0)
    for _ in range(3):
        asked = [context + words.encode("who is <think>") for context in contexts[::2]]
        engine.generate(asked, call, range(6))
        outputs = engine.generate(contexts, turn, range(12))
        expected = undisturbed.generate(contexts, turn, range(12))
        assert [one.ids for one in outputs] == [one.ids for one in expected]
        contexts = [c + one.ids + [20] for c, one in zip(contexts, outputs, strict=True)]


def follow_script(
    model: Qwen2ForCausalLM, codec: Codec, context: list[int], script: list[int]
) -> None:
    """Make ``model`` write ``script`` behind ``context``, whatever its weights say."""

    def say(_module: object, _args: object, kwargs: dict, output):  # type: ignore[no-untyped-def]
        places = kwargs["position_ids"][:, -1] - (len(context) - 1)
        forced = torch.full_like(output.logits, -9.0)
        for row, place in enumerate(places.tolist()):
            forced[row, -1, script[place]] = 9.0
        output.logits = forced
        return output

    model.register_forward_hook(say, with_kwargs=True)


def test_the_end_token_ends_an_output(model: Qwen2ForCausalLM, words: Codec) -> None:
    assert words.eos is not None
    script = [20, 21, words.eos, 22, 23]
    follow_script(model, words, [30], script)
    [output] = HFEngine(model, words).generate([[30]], GREEDY, [0])
    assert output.ids == script[:3]


def test_a_context_longer_than_the_model_reaches_is_refused(
    model: Qwen2ForCausalLM, words: Codec
) -> None:
    with pytest.raises(InputError, match=r"256 positions: lower agent\.max_context"):
        HFEngine(model, words).generate([[20] * 217], GREEDY, [0])


def test_a_tokenizer_larger_than_the_model_is_refused(
    model: Qwen2ForCausalLM, characters: Codec
) -> None:
    with pytest.raises(InputError, match="use the tokenizer that the model was trained with"):
        HFEngine(model, characters)


def test_the_model_is_left_as_it_was(model: Qwen2ForCausalLM, words: Codec) -> None:
    model.train()
    HFEngine(model, words).generate([[20]], Sampling(1.0, 2), [0])
    assert model.training
    assert model.config._attn_implementation == "sdpa"


def test_sampled_frequencies_are_the_probabilities() -> None:
    logits = torch.tensor([0.0, 1.0, 2.0, -torch.inf])
    uniform = (np.arange(10_000) + 0.5) / 10_000
    tokens, logprobs = choose(logits.expand(10_000, -1), 2.0, uniform)
    shares = np.bincount(tokens, minlength=4) / 10_000
    expected = (logits / 2).softmax(-1)
    assert shares == pytest.approx(expected.numpy(), abs=2e-4)
    assert logprobs == pytest.approx(expected.log()[tokens].numpy(), abs=1e-6)


def test_the_ends_of_the_unit_interval_choose_possible_tokens() -> None:
    logits = torch.tensor([-torch.inf, 0.0, 0.0, -torch.inf]).expand(2, -1)
    tokens, _ = choose(logits, 1.0, np.array([0.0, np.nextafter(1.0, 0.0)]))
    assert tokens.tolist() == [1, 2]
