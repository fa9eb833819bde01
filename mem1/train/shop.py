"""Learning to shop from demonstrations of a script, in catalogues that are always new.

Starts from the base model, which can read, copy and use the tags, and has never seen a shop: its
words are other ones, so the shop's take the places of the names of the generated world
(``agent.formats.shop``), which it knows as words to be found and copied.

As with the base model, a turn under ``mem1`` is a row of its own, a trajectory under ``full`` is
one row, position ids start at a random offset, and no catalogue is met twice.
"""

from collections.abc import Iterator

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
from mem1.train.batch import PAD, collate
from mem1.train.rows import batches, learned, with_context
from mem1.train.trainee import Trainee, rate
from mem1.train.tree import Tree, pack, views_of

CHUNK = {"mem1": 300, "full": 80}  # rows that are sorted by length together


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
            yield from batches(trees, chunk, self._sft.tokens, random)

    def _catalogue(self, number: int) -> list[Tree]:
        """The rows of some goals in catalogue ``number``."""
        seed = derive(self._seed, "catalogue", number)
        made = generate.generate(seed, "train", self._sft.products)
        shop = protocols.shop(protocols.named("mini"), made, seed=seed)
        count = min(self._sft.goals, len(shop.goals))
        played = play(self._run, shop, self._sft.imperfections, count, seed, self._codec)
        noise = array_stream(seed, "context")
        share, trees = self._sft.context_share, []
        for i, one in enumerate(played):
            views = views_of(one, i)
            if self._run.run.policy == "full":
                trees.append(with_context(pack(views), share, noise))
                continue
            for view, before in zip(views, [None, *one.turns], strict=False):
                # Under mem1 an earlier output stands where the first one would: not to be learned.
                said = len(view.context) - len(before.info) if before else 0
                kept = range(len(one.prompt), said)
                trees.append(with_context(pack([view]), share, noise, kept))
        return trees


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

    def step(self, number: int) -> dict[str, float]:
        """Train on step ``number``; returns what is logged."""
        sft = self._sft
        random = stream(self._seed, "offsets", number)
        trees = self._data.at(number)
        batch = collate(trees, PAD, [random.randint(0, sft.largest_offset) for _ in trees])
        half = sft.precision == "bf16"
        loss, logged = learned(self._trainee.module, batch, sft.context_weight, half)
        self._trainee.backward(loss, last=True)
        factor = rate(number, sft.steps, sft.optimizer)
        return logged | {
            "packed_tokens": float(batch.ids.numel()),
            "gradient_norm": self._trainee.update(factor),
            "rate": factor * sft.optimizer.lr,
        }
