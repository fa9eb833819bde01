"""Learning to shop from nothing: demonstrations of a script in catalogues that are always new.

Stands in for two things of the paper at once: pretraining, without which its model could not read
a page, and the imperfect agent that reinforcement learning starts from. As with the base model,
a turn under ``mem1`` is a row of its own, a trajectory under ``full`` is one row, position ids
start at a random offset, and no catalogue is met twice. In the first steps some rows are random
words said twice: nothing teaches a model sooner to copy what it has seen, which is most of
shopping (what stands in the instruction is searched, what stands on the page is clicked).
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from transformers import PreTrainedModel

from mem1.agent import context
from mem1.agent.engines.base import Sampling
from mem1.agent.engines.shopper import ShopperEngine
from mem1.agent.formats.shop import SHOP
from mem1.agent.rollout import rollout
from mem1.agent.text import Codec
from mem1.config_learning import ShopImperfections
from mem1.envs.webshop import generate, opening, protocols
from mem1.envs.webshop.shop import Shop
from mem1.records import Trajectory
from mem1.seeding import array_stream, derive, stream
from mem1.stages import ShopRun
from mem1.train.base import cut, whole_turns, with_context
from mem1.train.batch import PAD, collate
from mem1.train.forward import sampled_logprobs
from mem1.train.trainee import Trainee, rate
from mem1.train.tree import Tree, View, pack, views_of

CHUNK = {"mem1": 300, "full": 80}  # rows that are sorted by length together
LENGTHS = 20, 55  # of random words, before they are said again
SPECIAL = 3  # ids of a word-level tokenizer before its words
REPEAT = -2  # trajectory of repeated words; context that is in the loss has -1


class Demonstrations:
    """An endless supply of rows, decided by seed and step alone."""

    def __init__(self, run: ShopRun, seed: int, codec: Codec) -> None:
        assert run.sft is not None
        self._run = run
        self._sft = run.sft
        self._seed = seed
        self._codec = codec
        self._batches = enumerate(self._all())

    def at(self, step: int) -> list[Tree]:
        """The rows of ``step``; steps are asked for in increasing order."""
        return next(batch for number, batch in self._batches if number == step)

    def _all(self) -> Iterator[list[Tree]]:
        number = 0
        chunk = CHUNK[self._run.run.policy]
        while True:
            trees: list[Tree] = []
            for _ in range(self._sft.catalogues_at_once):
                trees += self._catalogue(number)
                number += 1
            random = stream(self._seed, "order", number)
            random.shuffle(trees)
            batches = []
            for start in range(0, len(trees), chunk):
                ordered = sorted(trees[start : start + chunk], key=len)
                batches += cut(ordered, self._sft.tokens)
            random.shuffle(batches)
            yield from batches

    def _catalogue(self, number: int) -> list[Tree]:
        """The rows of some goals in catalogue ``number``."""
        seed = derive(self._seed, "catalogue", number)
        made = generate.generate(seed, "train", self._sft.products)
        shop = protocols.shop(protocols.named("mini"), made, seed=seed)
        count = min(self._sft.goals, len(shop.goals))
        played = play(self._run, shop, self._sft.imperfections, count, seed, self._codec)
        views = [views_of(one, i) for i, one in enumerate(played)]
        if self._run.run.policy == "full":
            return [pack(one) for one in views]
        return [pack([view]) for one in views for view in one]


def play(
    run: ShopRun, shop: Shop, imperfections: ShopImperfections, count: int, seed: int, codec: Codec
) -> list[Trajectory]:
    """The script's trajectories on ``count`` goals of ``shop``."""
    policy = run.run.policy
    tasks = opening.drawn(shop, "train", count, run.tasks.max_turns, seed)
    return rollout(
        tasks,
        ShopperEngine(codec, imperfections),
        context.policy(policy, run.agent),
        opening.around(run.shop, shop, run.agent, codec),
        codec,
        run.agent,
        Sampling(temperature=1.0, max_new_tokens=run.agent.max_new_tokens),
        prompt=SHOP[policy],
        system="script",
        seed=seed,
        batch=count,
        progress=False,
    )


class ShopTraining:
    """One optimizer step on rows that are new to the model."""

    def __init__(
        self, run: ShopRun, seed: int, trainee: Trainee[PreTrainedModel], codec: Codec
    ) -> None:
        assert run.sft is not None
        self._sft = run.sft
        self._seed = seed
        self._trainee = trainee
        self._data = Demonstrations(run, seed, codec)
        self._first, self._size = SPECIAL, codec.size

    def step(self, number: int) -> dict[str, float]:
        """Train on step ``number``; returns what is logged."""
        sft = self._sft
        noise = array_stream(self._seed, "context", number)
        random = stream(self._seed, "offsets", number)
        trees = [with_context(tree, sft.context_share, noise) for tree in self._data.at(number)]
        if number < sft.repeats.steps:
            trees = self._with_repeats(trees, number)
        batch = collate(trees, PAD, [random.randint(0, sft.largest_offset) for _ in trees])
        with torch.autocast("cpu", torch.bfloat16):  # weights in fp32
            result = sampled_logprobs(self._trainee.module, batch, entropy_gradient=False)
        outputs = batch.trajectory >= 0
        loss = -result.logprobs[outputs].mean()
        others = loss * 0
        values = {}
        for name, kind in (("context_loss", -1), ("repeats_loss", REPEAT)):
            if (batch.trajectory == kind).any():
                part = -result.logprobs[batch.trajectory == kind].mean()
                others = others + sft.context_weight * part
                values[name] = float(part.detach())
        self._trainee.backward(loss + others, last=True)
        right = result.logprobs.detach() > -0.6931  # likelier than not
        factor = rate(number, sft.steps, sft.optimizer)
        return values | {
            "loss": float(loss.detach()),
            "tokens_right": float(right[outputs].float().mean()),
            "turns_right": whole_turns(right, batch),
            "packed_tokens": float(batch.ids.numel()),
            "gradient_norm": self._trainee.update(factor),
            "rate": factor * sft.optimizer.lr,
        }

    def _with_repeats(self, trees: list[Tree], number: int) -> list[Tree]:
        """``trees`` with repeated words in place of a share of them."""
        random = stream(self._seed, "repeats", number)
        kept = trees[: max(1, round(len(trees) * (1 - self._sft.repeats.share)))]
        room = sum(map(len, trees)) - sum(map(len, kept))
        while room > 0:
            words = [random.randrange(self._first, self._size) for _ in range(random.randint(*LENGTHS))]
            tree = pack([View(words, list(words), 0, 0)])
            kept.append(replace(tree, trajectory=np.full_like(tree.trajectory, REPEAT)))
            room -= len(tree)
        return kept
