"""mem1's half of ``benchmarks.trl_step``: a step of ``mem1.train.rl`` without an environment."""

from collections.abc import Sequence

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedModel

from mem1.agent.engines.base import Output, Sampling
from mem1.agent.engines.hf import HFEngine
from mem1.agent.text import Codec
from mem1.config_learning import Rl
from mem1.records import Trajectory, Turn
from mem1.seeding import derive
from mem1.train.collect import BATCH
from mem1.train.experience import Experience
from mem1.train.forward import Actor
from mem1.train.objective import ESTIMATORS, rl_loss
from mem1.train.processes import ALONE
from mem1.train.trainee import PlainTrainee, adamw

VOCABULARY = 1619  # of models/base


def words(*more: str) -> Tokenizer:
    """A tokenizer of words w0, w1, ...: none of them can end an output."""
    names = [f"w{number}" for number in range(VOCABULARY)]
    vocabulary = {word: number for number, word in enumerate([*names, *more])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="w0"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


class Ours:
    """A policy that learns from single turns."""

    def __init__(self, model: PreTrainedModel, settings: Rl, new_tokens: int, seed: int) -> None:
        self._settings = settings
        self._sampling = Sampling(1.0, new_tokens)
        self._seed = seed
        self._engine = HFEngine(model, Codec(words()), max_rows=BATCH)
        optimizer = settings.optimizer
        self._policy = PlainTrainee(Actor(model), [adamw(model, optimizer)], optimizer.clip)

    def step(self, number: int, prompts: Sequence[list[int]]) -> dict[str, float]:
        """Sample a group for each of ``prompts`` and learn from it."""
        group = self._settings.group
        contexts = [prompt for prompt in prompts for _ in range(group)]
        seeds = [derive(self._seed, number, row) for row in range(len(contexts))]
        outputs = self._engine.generate(contexts, self._sampling, seeds)
        played = [_trajectory(c, o) for c, o in zip(contexts, outputs, strict=True)]
        rewards = torch.tensor([sum(i % 2 == 0 for i in o.ids) / len(o.ids) for o in outputs])
        experience = Experience.of(played, rewards, self._settings, ALONE)
        each = ESTIMATORS[self._settings.estimator](rewards, experience.group)
        advantages = each[experience.order.trajectory]
        for part in experience.minibatches:
            for batch in part.rows:
                result = self._policy.module(batch, self._sampling.temperature, False)
                places = experience.order.places(batch)
                terms = rl_loss(
                    result.logprobs,
                    result.entropy,
                    experience.old[places],
                    advantages[places],
                    clip_ratio=self._settings.clip_ratio,
                    count=part.count,
                )
                self._policy.backward(terms.loss, last=batch is part.rows[-1])
            self._policy.update(1.0)
        sampled = sum(len(output.ids) for output in outputs)
        return {"tokens": sampled, "reward": float(rewards.mean())}


def _trajectory(context: list[int], output: Output) -> Trajectory:
    """One turn that never searches."""
    turn = Turn(
        context=context, output=output.ids, logprobs=output.logprobs, text=output.text,
        action="malformed", argument="",
    )  # fmt: skip
    return Trajectory(
        task_id="benchmark", horizon=1, system="benchmark", policy="mem1", prompt=context,
        turns=[turn], end="turns",
    )  # fmt: skip
