"""Reinforcement learning: collect with the current weights, score, credit, update.

One step is one collection and one pass over it, in ``minibatches`` optimizer steps. The
distance between the log-probabilities that the engine recorded and those of the trainer is
logged at every step.

Estimators: ``ppo`` is the paper's, with a critic that credits single tokens across turns
(``train.credit``, ``train.critic``). ``grpo`` and ``reinforce++`` share all of it but the
advantage.

With ``importance_cap`` the trainer's log-probabilities take the engine's place in the ratio, and
each token's loss is weighted with its probability by the trainer over that by the engine, cut at
the cap: for an engine that computes otherwise than the trainer.

With ``packing: stitched`` the trainer's own log-probabilities take the place of the engine's
in the ratio, as in the paper's code: their distance is not a matter of rounding then.

Several processes each play and pack their share of the tasks of every minibatch. What was
played is then known to all, so that rewards are compared and credit is given over the whole.
"""

import time
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from mem1.agent.engines.hf import HFEngine
from mem1.config_learning import Rl
from mem1.records import Task, Trajectory
from mem1.seeding import derive
from mem1.train.collect import BATCH, Arena, order, rewards, statistics
from mem1.train.credit import token_rewards
from mem1.train.experience import Experience, Minibatch, own_tasks, packing
from mem1.train.forward import Actor
from mem1.train.objective import ESTIMATORS, importance, rl_loss
from mem1.train.players import Players
from mem1.train.ppo import CriticStep
from mem1.train.processes import Processes
from mem1.train.rollouts import InModel, Rollouts
from mem1.train.session import accumulate, means, peak_memory
from mem1.train.trainee import rate


class RlTraining:
    """One collect-and-update round per step."""

    def __init__(
        self,
        settings: Rl,
        seed: int,
        players: Players,
        tasks: Sequence[Task],
        arena: Arena,
        processes: Processes,
        rollouts: Rollouts | None = None,
    ) -> None:
        """``rollouts`` collects; the model itself does where it is None.

        Raises:
            InputError: the tasks of a minibatch cannot be divided among the processes.
        """
        self._settings = settings
        self._seed = seed
        self._players = players
        self._tasks = tasks
        self._arena = arena
        self._processes = processes
        if rollouts is None:
            engine = HFEngine(players.rollout, arena.codec, max_rows=BATCH)
            rollouts = InModel(engine, players.sync)
        self._rollouts = rollouts
        self._own = own_tasks(settings.tasks, settings.minibatches, processes)

    def step(self, number: int) -> dict[str, float]:
        """Collect and update once; returns what is logged."""
        started = time.perf_counter()
        trajectories = self._collect(number)
        collected = time.perf_counter()
        settings, processes = self._settings, self._processes
        experience = Experience.of(trajectories, rewards(trajectories), settings, processes)
        weights, cap = None, settings.importance_cap
        if settings.packing != "tree" or cap is not None:
            # Stitched rows do not say what the engine did: as the paper.
            old = self._logprobs(self._players.policy.module, experience)
            experience = replace(experience, old=old)
        if cap is not None:
            weights = importance(experience.old, experience.recorded, cap)
        model = self._players.reference
        reference = None if model is None else self._logprobs(model, experience)
        critic = self._critic_step(experience, reference)
        advantages = self._advantages(experience) if critic is None else critic.advantages
        factor = rate(number, settings.steps, settings.optimizer)
        values = statistics(trajectories) | packing(trajectories, experience)
        values |= self._rollouts.measures()
        if weights is not None and cap is not None:
            values["importance_mean"] = float(weights.mean())
            values["importance_truncated"] = float((weights >= cap).double().mean())
        learns = critic is None or number >= critic.settings.warmup
        terms: list[dict[str, float]] = []
        for place, part in enumerate(experience.minibatches):
            term, gap = self._update_policy(
                part, experience, advantages, reference, weights, factor if learns else None
            )
            terms.append(term)
            if place == 0:  # later parts are compared with weights that have moved
                gaps = torch.cat(processes.gather(gap))
                values["logprob_gap_max"] = float(gaps.max())
                values["logprob_gap_mean"] = float(gaps.mean())
        values |= means(terms)
        if critic is not None:
            values |= critic.learn(rate(number, settings.steps, critic.settings.optimizer))
        values["rate"] = factor * settings.optimizer.lr if learns else 0.0
        updated = time.perf_counter()
        sampled = len(experience.order)
        values["machine/rollout_tokens_per_s"] = sampled / (collected - started)
        values["machine/update_tokens_per_s"] = experience.tokens / (updated - collected)
        values["machine/peak_bytes"] = peak_memory()
        return values

    def _collect(self, number: int) -> list[Trajectory]:
        """The trajectories of step ``number``, task by task: each process plays its own."""
        settings = self._settings
        chosen = order(self._tasks, settings.tasks, number, self._seed)
        own = [task for part in self._own for task in part]
        seed = derive(self._seed, "collect", number)
        tasks = [chosen[i] for i in own]
        played = self._rollouts.collect(
            lambda engine: self._arena.play(engine, tasks, settings, seed)
        )
        group = settings.group
        mine = {i: played[n * group : (n + 1) * group] for n, i in enumerate(own)}
        everyone = {i: one for part in self._processes.gather(mine) for i, one in part.items()}
        return [one for i in range(len(chosen)) for one in everyone[i]]

    def _logprobs(self, model: Actor, experience: Experience) -> Tensor:
        """[N]: what ``model`` says of the packed rows."""
        temperature = self._settings.temperature
        return experience.gather(lambda batch: model(batch, temperature, False).logprobs)

    def _critic_step(self, experience: Experience, reference: Tensor | None) -> CriticStep | None:
        """Credit by the critic, if there is one."""
        settings, critic = self._settings, self._players.critic
        if critic is None or settings.critic is None:
            return None
        penalized = reference is not None and settings.kl_in == "reward"
        logratio = experience.old - reference if penalized and reference is not None else None
        tokens = token_rewards(experience.rewards, experience.order, logratio, settings.kl)
        return CriticStep.begin(settings.critic, critic, experience, tokens)

    def _advantages(self, experience: Experience) -> Tensor:
        """[N]: credit of whole trajectories."""
        estimator = ESTIMATORS[self._settings.estimator]
        advantages = estimator(experience.rewards, experience.group)
        return advantages[experience.order.trajectory]

    def _update_policy(
        self,
        part: Minibatch,
        experience: Experience,
        advantages: Tensor,
        reference: Tensor | None,
        weights: Tensor | None,
        factor: float | None,
    ) -> tuple[dict[str, float], Tensor]:
        """One optimizer step; its loss terms, and this process's |trainer - engine| log-probs.

        Without a ``factor`` on the peak rate nothing is learned: the terms are statistics.
        """
        settings, policy = self._settings, self._players.policy
        total: dict[str, float] = {}
        gaps = []
        for batch in part.rows:
            with torch.set_grad_enabled(factor is not None):
                result = policy.module(batch, settings.temperature, settings.entropy > 0)
            device, places = result.logprobs.device, experience.order.places(batch)
            old = experience.old[places].to(device)
            terms = rl_loss(
                result.logprobs,
                result.entropy,
                old,
                advantages[places].to(device),
                clip_ratio=settings.clip_ratio,
                ref_logprobs=None if reference is None else reference[places].to(device),
                importance_weights=None if weights is None else weights[places].to(device),
                kl_weight=settings.kl if settings.kl_in == "loss" else 0.0,
                entropy_weight=settings.entropy,
                count=part.count,
            )
            if factor is not None:
                policy.backward(terms.loss, last=batch is part.rows[-1])
            gaps.append((result.logprobs.detach().cpu() - experience.recorded[places]).abs())
            accumulate(total, terms.values())
        total = experience.processes.sums(total)
        total["gradient_norm"] = 0.0 if factor is None else policy.update(factor)
        return total, torch.cat(gaps)
