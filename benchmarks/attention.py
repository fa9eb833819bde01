"""How fast packed trees train on this CPU, against a dense mask and against one view per row.

    python benchmarks/attention.py --output attention.json

Input: none; views of random tokens in the shape of the policies (prompt 60 tokens, output
80, observation 150, each give or take a fifth). Output: a table on the screen and the same
numbers as JSON. Times are CPU milliseconds of one thread (a busy machine changes them little),
the least of several interleaved repetitions.

1. *Attention alone*, forward and backward, on one packed row of S tokens: the backends
   ``dense`` and ``branches``.
2. *A training step* (forward and backward of a 4-layer model) on one group of 8 trajectories
   of 5 turns: one row with its tree, against the naive way, padded views of similar length
   in batches of 10. Both give the same gradients.
"""

import argparse
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from mem1 import cli
from mem1.provenance import write_json
from mem1.train import attention
from mem1.train.batch import PackedBatch, collate
from mem1.train.forward import sampled_logprobs
from mem1.train.tree import Tree, View, join, pack

HEADS, WIDTH, LAYERS, VOCABULARY = 4, 32, 4, 2000


def group(
    rng: np.random.Generator, policy: str, trajectories: int, turns: int, first: int = 0
) -> list[View]:
    """The views of one task's group; nothing but the prompt is common to two trajectories."""

    def draw(mean: int) -> list[int]:
        return rng.integers(0, VOCABULARY, int(mean * rng.uniform(0.8, 1.2))).tolist()

    prompt, views = draw(60), []
    for number in range(first, first + trajectories):
        history: list[int] = []
        for turn in range(turns):
            output = draw(80)
            views.append(View(prompt + history, output, number, turn))
            history = (history if policy == "full" else []) + output + draw(150)
    return views


def fastest(runs: dict[str, Callable[[], None]], repeats: int) -> dict[str, float]:
    """CPU milliseconds of the fastest of ``repeats`` runs of each, taken in turn."""
    best = dict.fromkeys(runs, float("inf"))
    for _ in range(repeats):
        for name, run in runs.items():
            start = time.process_time()
            run()
            best[name] = min(best[name], 1e3 * (time.process_time() - start))
    return best


def attention_alone(length: int, policy: str, repeats: int) -> dict[str, Any]:
    """``dense`` against ``branches`` on a row of about ``length`` tokens."""
    rng = np.random.default_rng(length)
    row: list[Tree] = []
    while sum(map(len, row)) < 0.8 * length:  # trajectories of one task, then the next task
        left = length - sum(map(len, row))
        found = max(1, min(8, left // 1600))
        row.append(pack(group(rng, policy, found, 5 if left > 1200 else 2)))
    tree = join(row)
    end = torch.from_numpy(tree.subtree_end)[None]
    shape = (1, len(tree), HEADS, WIDTH)
    q, k, v = (torch.randn(shape).transpose(1, 2).requires_grad_() for _ in range(3))
    weight = torch.randn(shape).transpose(1, 2)

    def run(backend: str) -> Callable[[], None]:
        plan = attention.plan(end, backend)
        return lambda: (plan(q, k, v) * weight).sum().backward()

    times = fastest({name: run(name) for name in ("dense", "branches")}, repeats)
    pairs = int((tree.depth + 1).sum())
    return {
        "policy": policy,
        "tokens": len(tree),
        "share_of_causal_pairs": pairs / (len(tree) * (len(tree) + 1) / 2),
        **{f"{name}_ms": value for name, value in times.items()},
        "ratio": times["dense"] / times["branches"],
    }


def training_step(policy: str, hidden: int, repeats: int) -> dict[str, Any]:
    """One row of trees against padded views (rates count view tokens), with a whole model."""
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    model = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=VOCABULARY, hidden_size=hidden, intermediate_size=3 * hidden,
            num_hidden_layers=LAYERS, num_attention_heads=HEADS, num_key_value_heads=HEADS,
            tie_word_embeddings=True,
        )
    )  # fmt: skip
    views = group(rng, policy, 8, 5)
    ordered = sorted(views, key=lambda view: len(view.context) + len(view.output))
    packed = collate([pack(views)], pad_id=0)
    alone = [
        collate([pack([view]) for view in ordered[at : at + 10]], pad_id=0)
        for at in range(0, len(ordered), 10)
    ]

    def step(batches: list[PackedBatch]) -> None:
        for batch in batches:
            scores = sampled_logprobs(model, batch, entropy_gradient=False)
            scores.logprobs.sum().backward()
        model.zero_grad()

    times = fastest({"views": lambda: step(alone), "tree": lambda: step([packed])}, repeats)
    tokens = sum(len(view.context) + len(view.output) for view in views)
    return {
        "policy": policy,
        "hidden": hidden,
        "views": len(views),
        "view_tokens": tokens,
        "packed_tokens": packed.ids.numel(),
        **{f"{name}_ms": value for name, value in times.items()},
        **{f"{name}_tokens_per_s": 1e3 * tokens / value for name, value in times.items()},
        "ratio": times["views"] / times["tree"],
    }


def main(argv: Sequence[str]) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    print("attention, forward and backward     tokens  dense ms  branches ms  ratio", flush=True)
    alone = []
    for length in (1024, 4096):
        for policy in ("mem1", "full"):
            r = attention_alone(length, policy, arguments.repeats)
            alone.append(r)
            print(
                f"  {policy:<34}{r['tokens']:>6}{r['dense_ms']:>10.1f}"
                f"{r['branches_ms']:>13.1f}{r['ratio']:>7.1f}",
                flush=True,
            )
    print("training step            packed tokens  of views  views ms  tree ms  ratio", flush=True)
    steps = []
    for hidden in (128, 192):
        for policy in ("mem1", "full"):
            r = training_step(policy, hidden, arguments.repeats)
            steps.append(r)
            print(
                f"  {policy:<6}hidden {hidden:<10}{r['packed_tokens']:>13}{r['view_tokens']:>10}"
                f"{r['views_ms']:>10.0f}{r['tree_ms']:>9.0f}{r['ratio']:>7.2f}",
                flush=True,
            )
    results = {
        "machine": f"{platform.machine()}, one thread",
        "torch": torch.__version__,
        "attention": alone,
        "training_step": steps,
    }
    write_json(arguments.output, results)


if __name__ == "__main__":
    cli.run(main)
