"""Reinforcement learning: collect with the current weights, score, credit, update.

One step is one collection and one pass over it, in ``minibatches`` optimizer steps. The
distance between the log-probabilities that the engine recorded and those of the trainer is
logged at every step.

Estimators: ``ppo`` is the paper's, with a critic that credits single tokens across turns
(``train.credit``, ``train.critic``). ``grpo`` and ``reinforce++`` share all of it but the
advantage.
"""

import time
from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from mem1.agent.engines.hf import HFEngine
from mem1.config_learning import Rl
from mem1.records import Task
from mem1.train.batch import PackedBatch
from mem1.train.collect import BATCH, Arena, collect, rewards, statistics
from mem1.train.credit import token_rewards
from mem1.train.critic import Critic
from mem1.train.experience import Experience, packing
from mem1.train.forward import sampled_logprobs
from mem1.train.objective import ESTIMATORS, rl_loss
from mem1.train.ppo import CriticStep
from mem1.train.session import Trainee, accumulate, means, peak_memory, rate, update


class RlTraining:
    """One collect-and-update round per step."""

    def __init__(
        self,
        settings: Rl,
        seed: int,
        policy: Trainee[PreTrainedModel],
        critic: Trainee[Critic] | None,
        reference: PreTrainedModel | None,
        tasks: Sequence[Task],
        arena: Arena,
    ) -> None:
        """``critic`` goes with ``ppo``; ``reference``, the starting policy, with a KL weight."""
        self._settings = settings
        self._seed = seed
        self._policy = policy
        self._critic = critic
        self._reference = reference
        self._tasks = tasks
        self._arena = arena
        self._engine = HFEngine(policy.model, arena.codec, max_rows=BATCH)

    def step(self, number: int) -> dict[str, float]:
        """Collect and update once; returns what is logged."""
        started = time.perf_counter()
        trajectories = collect(
            self._arena, self._engine, self._tasks, self._settings, self._seed, number
        )
        collected = time.perf_counter()
        experience = Experience.of(trajectories, rewards(trajectories), self._settings)
        reference = self._reference_logprobs(experience)
        critic = self._critic_step(experience, reference)
        advantages = self._advantages(experience) if critic is None else critic.advantages
        settings = self._settings
        factor = rate(number, settings.steps, settings.optimizer)
        values = statistics(trajectories) | packing(trajectories, experience)
        learns = critic is None or number >= critic.settings.warmup
        terms: list[dict[str, float]] = []
        for place, batches in enumerate(experience.minibatches):
            term, gap = self._update_policy(
                batches, experience, advantages, reference, factor if learns else None
            )
            terms.append(term)
            if place == 0:  # later parts are compared with weights that have moved
                values["logprob_gap_max"] = float(gap.max())
                values["logprob_gap_mean"] = float(gap.mean())
        values |= means(terms)
        if critic is not None:
            values |= critic.learn(rate(number, settings.steps, critic.settings.optimizer))
        values["rate"] = factor * settings.optimizer.lr
        updated = time.perf_counter()
        sampled = len(experience.order)
        values["machine/rollout_tokens_per_s"] = sampled / (collected - started)
        values["machine/update_tokens_per_s"] = experience.tokens / (updated - collected)
        values["machine/peak_bytes"] = peak_memory()
        return values

    def _reference_logprobs(self, experience: Experience) -> Tensor | None:
        """[N], or None where no reference is needed."""
        model = self._reference
        if model is None:
            return None
        temperature = self._settings.temperature
        return experience.gather(
            lambda batch: (
                sampled_logprobs(model, batch, temperature, entropy_gradient=False).logprobs
            )
        )

    def _critic_step(self, experience: Experience, reference: Tensor | None) -> CriticStep | None:
        """Credit by the critic, if there is one."""
        settings = self._settings
        if self._critic is None or settings.critic is None:
            return None
        penalized = reference is not None and settings.kl_in == "reward"
        logratio = experience.old - reference if penalized and reference is not None else None
        tokens = token_rewards(experience.rewards, experience.order, logratio, settings.kl)
        return CriticStep.begin(settings.critic, self._critic, experience, tokens)

    def _advantages(self, experience: Experience) -> Tensor:
        """[N]: credit of whole trajectories."""
        estimator = ESTIMATORS[self._settings.estimator]
        advantages = estimator(experience.rewards, experience.group)
        return advantages[experience.order.trajectory]

    def _update_policy(
        self,
        batches: list[PackedBatch],
        experience: Experience,
        advantages: Tensor,
        reference: Tensor | None,
        factor: float | None,
    ) -> tuple[dict[str, float], Tensor]:
        """One optimizer step; its loss terms, and |trainer - engine| log-probs [A].

        Without a ``factor`` on the peak rate nothing is learned: the terms are statistics.
        """
        settings = self._settings
        count = sum(len(batch.row) for batch in batches)
        total: dict[str, float] = {}
        gaps = []
        learns = factor is not None
        for batch in batches:
            with torch.set_grad_enabled(learns):
                result = sampled_logprobs(
                    self._policy.model,
                    batch,
                    settings.temperature,
                    entropy_gradient=settings.entropy > 0,
                )
            places = experience.order.places(batch)
            old = experience.old[places]
            terms = rl_loss(
                result.logprobs,
                result.entropy,
                old,
                advantages[places],
                clip_ratio=settings.clip_ratio,
                ref_logprobs=None if reference is None else reference[places],
                kl_weight=settings.kl if settings.kl_in == "loss" else 0.0,
                entropy_weight=settings.entropy,
                count=count,
            )
            if learns:
                terms.loss.backward()
            gaps.append((result.logprobs.detach() - old).abs())
            accumulate(total, terms.values())
        if factor is not None:
            total["gradient_norm"] = update(self._policy, settings.optimizer.clip, factor)
        return total, torch.cat(gaps)
