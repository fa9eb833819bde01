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
    """All that starts as ``model``, which itself becomes the rollout model.

    Under ZeRO-3 ``model`` can be in the memory of the machine until then: the others are made
    from it one after the other, so that never more than one is whole on a device.
    """
    attention, half = backend(settings, processes.device), settings.precision == "bf16"
    cast = half and settings.engine == "plain"  # DeepSpeed has weights in bfloat16 instead
    if settings.engine == "plain":
        reference = Actor(copy.deepcopy(model).eval(), attention, half) if settings.kl else None
        critic = None if settings.critic is None else Critic(model, attention, cast)
        for backbone in [model, *([] if critic is None else [critic.backbone])]:
            _checkpoint(backbone, settings)
        return Players(
            policy=plain(Actor(model.train(), attention, cast), settings.optimizer),
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
    reference = None
    if settings.kl:
        reference = Actor(copy.deepcopy(model).eval(), attention)
        if half or processes.count > 1:  # else it would be whole, or in fp32, on each device
            reference = zero.frozen(reference, processes, half)
        else:
            reference.to(processes.device)
    learner = copy.deepcopy(model)
    _checkpoint(learner, settings)
    policy = zero.ZeroTrainee(
        Actor(learner.train(), attention), settings.optimizer, processes, half
    )
    judge = None
    if settings.critic is not None:
        critic = Critic(model, attention)
        _checkpoint(critic.backbone, settings)
        judge = zero.ZeroTrainee(critic, settings.critic.optimizer, processes, half)
    # vLLM has weights of its own: the model only receives the result, and needs no device.
    torch.nn.Module.to(model, processes.device if settings.rollout == "hf" else "cpu")
    whole = Actor(model)
    return Players(policy, model, lambda: policy.copy_to(whole), judge, reference)


def _checkpoint(backbone: PreTrainedModel, settings: Rl) -> None:
    """Compute the layers of ``backbone`` again in the backward pass, where that is asked for."""
    if settings.gradient_checkpointing:
        backbone.train().gradient_checkpointing_enable({"use_reentrant": False})


def plain(model: M, settings: Optimizer) -> PlainTrainee[M]:
    """``model`` with AdamW, in this process."""
    return PlainTrainee(model, [adamw(model, settings)], settings.clip)
