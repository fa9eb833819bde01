"""The models of a reinforcement learning run, around the engine that its settings name."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from transformers import PreTrainedModel

from mem1.config_learning import Optimizer, Rl
from mem1.train.critic import Critic
from mem1.train.forward import Actor
from mem1.train.processes import Processes
from mem1.train.session import Resumable, Together
from mem1.train.trainee import PlainTrainee, Trainee, adamw

M = TypeVar("M", bound=torch.nn.Module)


@dataclass(frozen=True)
class Players:
    """Who acts, who learns, who judges."""

    policy: Trainee[Actor]
    rollout: PreTrainedModel  # whole and in this process: what collects, or is saved in the end
    sync: Callable[[], None]  # makes its weights exactly those of the policy
    critic: Trainee[Critic] | None  # ppo only
    reference: Actor | None  # the starting policy, where there is a KL weight

    @property
    def resumable(self) -> Resumable:
        """Policy and critic."""
        parts: dict[str, Resumable] = {"policy": self.policy}
        return Together(parts | ({} if self.critic is None else {"critic": self.critic}))


def backend(settings: Rl, device: torch.device) -> str:
    """The attention backend for the rows of ``settings`` on ``device``."""
    if device.type != "cpu":
        return "flex"
    return "branches" if settings.packing == "tree" else "dense"


def players(model: PreTrainedModel, settings: Rl, processes: Processes) -> Players:
    """All that starts as ``model``, which itself becomes the rollout model."""
    attention, half = backend(settings, model.device), settings.precision == "bf16"
    cast = half and settings.engine == "plain"  # DeepSpeed has weights in bfloat16 instead
    reference = None
    if settings.kl:
        reference = Actor(copy.deepcopy(model).eval(), attention, half)
    critic = None if settings.critic is None else Critic(model, attention, cast)
    learner = model if settings.engine == "plain" else copy.deepcopy(model)
    actor = Actor(learner.train(), attention, cast)
    if settings.gradient_checkpointing:
        for each in [learner, *([] if critic is None else [critic.backbone.train()])]:
            each.gradient_checkpointing_enable({"use_reentrant": False})
    if settings.engine == "plain":
        return Players(
            policy=plain(actor, settings.optimizer),
            rollout=model,
            sync=lambda: None,  # they are the same
            critic=(
                plain(critic, settings.critic.optimizer)
                if critic is not None and settings.critic is not None
                else None
            ),
            reference=reference,
        )
    from mem1.train import zero  # DeepSpeed takes seconds to import

    zero.start(processes)
    policy = zero.ZeroTrainee(actor, settings.optimizer, processes, half)
    judge = (
        zero.ZeroTrainee(critic, settings.critic.optimizer, processes, half)
        if critic is not None and settings.critic is not None
        else None
    )
    if settings.rollout != "hf":  # it only receives the result: no second copy on the device
        torch.nn.Module.to(model, "cpu")
    whole = Actor(model)
    return Players(policy, model, lambda: policy.copy_to(whole), judge, reference)


def plain(model: M, settings: Optimizer) -> PlainTrainee[M]:
    """``model`` with AdamW, in this process."""
    return PlainTrainee(model, [adamw(model, settings)], settings.clip)
