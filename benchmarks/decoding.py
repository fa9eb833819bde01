"""The two sides of ``benchmarks.hf_engine``: all turns of a rollout, decoded once more."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from mem1.agent import protocol
from mem1.agent.engines.base import Sampling
from mem1.agent.engines.hf import HFEngine
from mem1.agent.text import Codec
from mem1.errors import InputError
from mem1.seeding import derive
from mem1.train.collect import BATCH

Contexts = list[list[int]]


@dataclass(frozen=True)
class Decoded:
    """What a turn gave: of each context, the sampled ids and their log-probabilities."""

    ids: list[list[int]]
    logprobs: list[list[float]]


def ours(
    model: PreTrainedModel, codec: Codec, turns: Sequence[Contexts], sampling: Sampling, seed: int
) -> list[Decoded]:
    """All turns with one engine, which keeps from turn to turn what it can use again."""
    engine = HFEngine(model, codec, max_rows=BATCH)
    decoded = []
    for number, contexts in enumerate(turns):
        seeds = [derive(seed, number, row) for row in range(len(contexts))]
        outputs = engine.generate(contexts, sampling, seeds)
        decoded.append(Decoded([one.ids for one in outputs], [one.logprobs for one in outputs]))
    return decoded


def theirs(
    model: PreTrainedModel, codec: Codec, turns: Sequence[Contexts], sampling: Sampling, seed: int
) -> list[Decoded]:
    """All turns with ``generate``."""
    torch.manual_seed(seed)
    return [_generate(model, codec, contexts, sampling) for contexts in turns]


@torch.inference_mode()
def _generate(
    model: PreTrainedModel, codec: Codec, contexts: Contexts, sampling: Sampling
) -> Decoded:
    width = max(map(len, contexts))
    ids = torch.zeros(len(contexts), width, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, one in enumerate(contexts):
        ids[row, width - len(one) :] = torch.tensor(one)
        mask[row, width - len(one) :] = 1
    drawing = {"temperature": sampling.temperature, "top_k": 0, "top_p": 1.0}
    ends = _ends(codec)
    found = model.generate(  # type: ignore[operator]
        input_ids=ids.to(model.device),
        attention_mask=mask.to(model.device),
        max_new_tokens=sampling.max_new_tokens,
        do_sample=bool(sampling.temperature),
        eos_token_id=ends,
        pad_token_id=0,
        return_dict_in_generate=True,
        output_logits=True,
        **(drawing if sampling.temperature else {}),
    )
    new = found.sequences[:, width:]
    chosen = [
        logits.float().log_softmax(-1).gather(-1, new[:, at : at + 1])
        for at, logits in enumerate(found.logits)
    ]
    logprobs = torch.cat(chosen, dim=1).tolist()
    lengths = [next((i + 1 for i, t in enumerate(r) if t in ends), len(r)) for r in new.tolist()]
    return Decoded(
        [row[:length] for row, length in zip(new.tolist(), lengths, strict=True)],
        [row[:length] for row, length in zip(logprobs, lengths, strict=True)],
    )


def _ends(codec: Codec) -> list[int]:
    """The tokens that end an output.

    Raises:
        InputError: a closing tag is not one token, which ``generate`` could not stop at.
    """
    tags = [codec.encode(tag) for tag in protocol.STOP]
    if any(len(ids) != 1 for ids in tags):
        raise InputError("A closing tag is several tokens of this model: take models/base.")
    return [ids[0] for ids in tags] + ([] if codec.eos is None else [codec.eos])
