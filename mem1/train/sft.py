"""Supervised warm start: next-token loss on the sampled tokens of demonstrations.

Same trees, same loss mask and same loop as reinforcement learning. The demonstrations are a
script's, imperfect on purpose (configuration), or a teacher's (``sft.teacher``); the paper's come
from GPT-4o (appendix, Table 4).
"""

from mem1.config_learning import Sft
from mem1.seeding import stream
from mem1.train.batch import PAD, collate
from mem1.train.demonstrations import Source
from mem1.train.forward import Actor
from mem1.train.limits import ROW_TOKENS
from mem1.train.objective import likelier_than_not, sft_loss
from mem1.train.trainee import Trainee, rate
from mem1.train.tree import pack, split_rows, views_of

LARGEST_OFFSET = 1024  # position ids start at random up to this one, as in the base model


class SftTraining:
    """One optimizer step on demonstrations that are drawn for it."""

    def __init__(
        self,
        settings: Sft,
        seed: int,
        trainee: Trainee[Actor],
        source: Source,
    ) -> None:
        self._settings = settings
        self._seed = seed
        self._trainee = trainee
        self._source = source

    def step(self, number: int) -> dict[str, float]:
        """Train on step ``number``; returns what is logged."""
        settings = self._settings
        random = stream(self._seed, "sft", number)
        played = self._source.draw(number, settings.batch, random)
        trees = [
            pack(views_of(one, index)).shifted(random.randint(0, LARGEST_OFFSET))
            for index, one in enumerate(played)
        ]
        count = sum(len(tree.sampled) for tree in trees)
        loss = right = 0.0
        rows = split_rows(trees, ROW_TOKENS)
        for row in rows:
            result = self._trainee.module(collate([row], PAD), 1.0, False)
            part = sft_loss(result.logprobs, count=count)
            self._trainee.backward(part, last=row is rows[-1])
            loss += float(part.detach())
            right += float(likelier_than_not(result.logprobs).sum())
        factor = rate(number, settings.steps, settings.optimizer)
        norm = self._trainee.update(factor)
        return {
            "loss": loss,
            "tokens_right": right / count,
            "sampled_tokens": float(count),
            "packed_tokens": float(sum(map(len, trees))),
            "gradient_norm": norm,
            "rate": factor * settings.optimizer.lr,
        }
