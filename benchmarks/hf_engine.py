"""Decoding with ``HFEngine`` against ``generate`` of transformers, on the same contexts.

    python -m benchmarks.hf_engine

The base model plays a group of trajectories for each of some tasks in the generated world, as
a collection does. Then both go through the contexts of that rollout once more, turn by turn:
the engine as it is, ``generate`` with all contexts of a turn left-padded in one batch and the
closing tags as end tokens. Both return ids and their log-probabilities.

Greedy, their outputs are equal, which is checked. Sampled, at temperature 1, they draw other
random numbers and lengths differ: tokens a second are compared.
"""

import itertools
from argparse import Namespace
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import torch
from transformers import PreTrainedModel

from benchmarks import common
from benchmarks.decoding import Contexts, Decoded, ours, theirs
from mem1 import cli
from mem1.agent import context
from mem1.agent.engines.base import Sampling
from mem1.agent.engines.hf import HFEngine
from mem1.agent.formats.short import SHORT
from mem1.agent.rollout import rollout
from mem1.agent.text import Codec
from mem1.config import Config
from mem1.config_files import load
from mem1.envs.search import SearchEnvironment
from mem1.errors import InputError
from mem1.retrieval import bm25
from mem1.tasks import atlas
from mem1.train.collect import BATCH
from mem1.train.demonstrations import mixed_tasks
from mem1.train.model import load_model


def contexts_by_turn(
    model: PreTrainedModel, codec: Codec, settings: Config, horizon: int, arguments: Namespace
) -> list[Contexts]:
    """The contexts of each turn of a rollout, in groups that share a prompt."""
    world = atlas.generate(settings.world, arguments.seed, "train")
    agent = settings.agent.model_copy(update={"max_new_tokens": arguments.new_tokens})
    environment = SearchEnvironment(
        bm25.in_memory(world.passages, settings.retrieval), settings.retrieval.k, agent, codec
    )
    tasks = mixed_tasks(
        world.questions, [horizon], {horizon: arguments.turns}, Random(arguments.seed),
        count=arguments.tasks,
    )  # fmt: skip
    played = rollout(
        tasks,
        HFEngine(model, codec, max_rows=BATCH),
        context.policy("mem1", agent),
        environment,
        codec,
        agent,
        Sampling(1.0, arguments.new_tokens),
        prompt=SHORT["mem1"],
        system="benchmark",
        seed=arguments.seed,
        samples=range(arguments.group),
        batch=BATCH,
        progress=False,
    )
    by_turn = itertools.zip_longest(*(one.turns for one in played))
    return [[turn.context for turn in turns if turn is not None] for turns in by_turn]


def compare(
    model: PreTrainedModel,
    codec: Codec,
    turns: Sequence[Contexts],
    sampling: Sampling,
    repeats: int,
) -> dict[str, Any]:
    """Both in turn. ``ratio`` is that of their tokens a second, round by round.

    ``useful_share`` is that of the rectangle of ``generate`` (rows times longest output) that
    are sampled tokens: rows that have ended stay in it.
    """
    tokens: dict[str, list[int]] = {"engine": [], "generate": []}
    rates: dict[str, list[float]] = {"engine": [], "generate": []}
    shares = []
    for play in (ours, theirs):  # warm-up
        play(model, codec, turns[:1], sampling, -1)
    for seed in range(repeats):
        given = (model, codec, turns, sampling, seed)
        first, mine = common.timed(partial(ours, *given))
        second, other = common.timed(partial(theirs, *given))
        if not sampling.temperature:
            _check(mine, other)
        for name, seconds, decoded in (("engine", first, mine), ("generate", second, other)):
            tokens[name].append(sum(len(ids) for turn in decoded for ids in turn.ids))
            rates[name].append(tokens[name][-1] / seconds)
        rectangles = sum(len(turn.ids) * max(map(len, turn.ids)) for turn in other)
        shares.append(tokens["generate"][-1] / rectangles)
    return {
        **{
            name: {"tokens": common.spread(tokens[name]), "tokens_per_s": common.spread(each)}
            for name, each in rates.items()
        },
        "ratio": common.ratio(rates["engine"], rates["generate"]),
        "useful_share": common.spread(shares),
    }


def _check(mine: Sequence[Decoded], other: Sequence[Decoded]) -> None:
    """Refuse to compare what is not the same.

    Raises:
        InputError: greedy outputs or their log-probabilities differ.
    """
    for turn, (a, b) in enumerate(zip(mine, other, strict=True)):
        if a.ids != b.ids:
            raise InputError(f"Greedy outputs of turn {turn} differ: the engine has a fault.")
        pairs = zip(itertools.chain(*a.logprobs), itertools.chain(*b.logprobs), strict=True)
        if max(abs(x - y) for x, y in pairs) > 1e-3:
            raise InputError(f"Log-probabilities of turn {turn} differ: the engine has a fault.")


def main(argv: Sequence[str]) -> None:
    """Measure, print, write."""
    parser = cli.parser(__doc__)
    parser.add_argument("--model", type=Path, default=common.ROOT / "models" / "base")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--horizons", nargs="+", type=int, default=[2, 16], help="objectives")
    parser.add_argument("--tasks", type=int, default=12)
    parser.add_argument("--group", type=int, default=8, help="trajectories of each task")
    parser.add_argument("--turns", type=int, default=4, help="turns of a trajectory at most")
    parser.add_argument("--new-tokens", type=int, default=192, help="tokens of an output at most")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, help="JSON file; benchmarks/results/ without it")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    model, codec = load_model(arguments.model)
    model.to(torch.device(arguments.device))  # type: ignore[arg-type]
    model.eval()
    settings = load(common.ROOT / "config" / "config.yaml")
    results = []
    for horizon in arguments.horizons:
        turns = contexts_by_turn(model, codec, settings, horizon, arguments)
        lengths = [len(one) for contexts in turns for one in contexts]
        results.append(
            {
                "horizon": horizon,
                "contexts": [len(contexts) for contexts in turns],
                "context_tokens": sum(lengths) / len(lengths),
                "prompt_tokens": sum(map(len, turns[0])) / len(turns[0]),
                "greedy": compare(
                    model, codec, turns, Sampling(0.0, arguments.new_tokens), arguments.repeats
                ),
                "sampled": compare(
                    model, codec, turns, Sampling(1.0, arguments.new_tokens), arguments.repeats
                ),
            }
        )
        show(results[-1])
    chosen = {k: v for k, v in vars(arguments).items() if k not in ("model", "output")}
    common.write(arguments.output, "hf_engine", chosen, results)


def show(result: dict[str, Any]) -> None:
    """One number of objectives, as lines."""
    print(
        f"{result['horizon']} objectives: contexts by turn {result['contexts']}, prompt of "
        f"{result['prompt_tokens']:.0f} tokens, contexts of {result['context_tokens']:.0f}"
    )
    for mode in ("greedy", "sampled"):
        engine, generate = (result[mode][name]["tokens_per_s"] for name in ("engine", "generate"))
        spread = result[mode]["ratio"]
        print(
            f"  {mode:<8} engine {engine['median']:>7.0f} tokens/s, generate "
            f"{generate['median']:>7.0f}, ratio {spread['median']:.2f} "
            f"[{spread['least']:.2f}, {spread['most']:.2f}]",
            flush=True,
        )


if __name__ == "__main__":
    cli.run(main)
