"""Updates to be measured: a random model, a trajectory, and one run that tells what it takes."""

import multiprocessing
import resource
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor
from transformers import PreTrainedModel, Qwen2Config, Qwen2ForCausalLM

from benchmarks import common
from benchmarks.rows import VARIANTS, Lengths, Variant, trajectory
from mem1.config_files import load
from mem1.train.batch import PackedBatch
from mem1.train.forward import sampled_logprobs
from mem1.train.model import new_model
from mem1.train.objective import sft_loss
from mem1.train.tree import View

VOCABULARY = 1500  # of the tiny model
POSITIONS = 65_536
QWEN = {  # hidden, intermediate, layers, heads, key-value heads, vocabulary, tied embeddings
    "0.5b": (896, 4864, 24, 14, 2, 151_936, True),
    "7b": (3584, 18_944, 28, 28, 4, 152_064, False),
}
SHAPES = ("tiny", *QWEN)


def build(shape: str, device: str) -> PreTrainedModel:
    """A random model: fp32 of the shape that ``mini`` trains, or bf16 of Qwen2.5's."""
    if shape == "tiny":
        settings = load(common.ROOT / "config" / "config.yaml").model
        settings = settings.model_copy(update={"max_position": POSITIONS})
        return new_model(settings, VOCABULARY, 0).to(torch.device(device))  # type: ignore[arg-type]
    hidden, intermediate, layers, heads, groups, vocabulary, tied = QWEN[shape]
    config = Qwen2Config(
        vocab_size=vocabulary, hidden_size=hidden, intermediate_size=intermediate,
        num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=groups,
        max_position_embeddings=POSITIONS, tie_word_embeddings=tied, use_sliding_window=False,
    )  # fmt: skip
    torch.manual_seed(0)
    with torch.device(device):
        model = Qwen2ForCausalLM._from_config(config, dtype=torch.bfloat16)
    if shape == "7b":
        model.gradient_checkpointing_enable({"use_reentrant": False})
    return cast(PreTrainedModel, model.train())


@dataclass(frozen=True)
class Case:
    """One trajectory, and a weight for each of its sampled tokens, as advantages are."""

    lengths: Lengths
    views: list[View]
    weights: Tensor  # [A]

    @classmethod
    def of(cls, lengths: Lengths, policy: str) -> "Case":
        """The same trajectory for the same arguments."""
        generator = torch.Generator().manual_seed(0)
        weights = torch.randn(lengths.turns * lengths.output, generator=generator)
        return cls(lengths, trajectory(lengths, policy, VOCABULARY, 0), weights)


def update(
    model: PreTrainedModel, batches: Sequence[PackedBatch], backend: str, weights: Tensor
) -> float:
    """Forward and backward of all ``batches``; the loss."""
    model.zero_grad(set_to_none=True)
    total, start = 0.0, 0
    for batch in batches:
        part = weights[start : start + len(batch.row)]
        start += len(part)
        result = sampled_logprobs(model, batch, backend=backend, entropy_gradient=False)
        loss = sft_loss(result.logprobs, part, len(weights))
        loss.backward()
        total += float(loss.detach())
    return total


@dataclass(frozen=True)
class Limits:
    """What is not begun: more bytes (on a CPU) or more seconds than these."""

    bytes: float
    seconds: float


def first_runs(
    model: PreTrainedModel, name: str, cases: Sequence[Case], limits: Limits
) -> list[dict[str, Any]]:
    """One run of each case, which grow, with its memory; ``not_run`` says why there is none.

    On a CPU each is a process of its own, so that the most it ever used is its own.
    """
    variant, cpu = VARIANTS[name], model.device.type == "cpu"
    # A dense mask is a boolean, and in each layer the fp32 copy that the kernel adds and keeps.
    pair_bytes = 1 + 4 * model.config.num_hidden_layers if variant.backend == "dense" else 0
    found: list[dict[str, Any]] = []
    width, seconds = 0, 0.0
    for case in cases:
        batches = [batch.to(model.device) for batch in variant.batches(case.views)]
        widest = max(batch.ids.shape[1] for batch in batches)
        needed = pair_bytes * widest**2
        predicted = seconds * (widest / width) ** 2 if width else 0.0
        if cpu and needed > limits.bytes:
            found.append({"not_run": f"would need {needed / 1e9:.1f} GB"})
        elif predicted > limits.seconds:
            found.append({"not_run": f"would take about {predicted:.0f} s, see --longest"})
        else:
            run = partial(_first_run, model, variant, batches, case.weights.to(model.device))
            found.append(apart(run) if cpu else run())
            if "first_s" in found[-1]:
                width, seconds = widest, found[-1]["first_s"]
    return found


def apart(run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What ``run`` gives in a forked process. No backward pass may have run in this one."""
    fork = multiprocessing.get_context("fork")
    here, there = fork.Pipe(duplex=False)
    process = fork.Process(target=lambda: there.send(run()))
    process.start()
    there.close()
    try:
        found: dict[str, Any] = here.recv()
    except EOFError:
        found = {"not_run": "killed, probably for memory"}
    process.join()
    if process.exitcode is None or process.exitcode > 0:
        raise RuntimeError("a first run failed: see its message above")
    return found


def _first_run(
    model: PreTrainedModel, variant: Variant, batches: Sequence[PackedBatch], weights: Tensor
) -> dict[str, Any]:
    small = Case.of(Lengths(8, 4, 8, 2), "mem1")
    warm = [batch.to(model.device) for batch in variant.batches(small.views)]
    update(model, warm, variant.backend, small.weights.to(model.device))  # libraries take memory
    model.zero_grad(set_to_none=True)
    if model.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    before = peak_bytes(model.device)
    run = partial(update, model, batches, variant.backend, weights)
    try:
        if model.device.type == "cuda":
            run()  # kernels are compiled for each length of a row
        seconds, loss = common.timed(run)
    except torch.OutOfMemoryError:
        model.zero_grad(set_to_none=True)
        torch.cuda.empty_cache()
        return {"not_run": "out of memory"}
    return {
        "first_s": common.significant(seconds),
        "peak_bytes": peak_bytes(model.device) - before,
        "loss": loss,
        "gradient_norm": gradient_norm(model),
    }


def gradient_norm(model: PreTrainedModel) -> float:
    """Of all parameters together."""
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    return float(torch.linalg.vector_norm(torch.stack([g.float().norm() for g in gradients])))


def peak_bytes(device: torch.device) -> int:
    """The most in use so far: of the GPU since the last reset, or of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
