"""The critic of PPO: what reward is still to come in the state before each sampled token.

A backbone of its own, starting as a copy of the policy's, with a linear head that starts at
zero; the same trees and the same mask as the policy. Like the policy's logits, the value of a
token is read at its parent. Departure from the paper's code, whose head starts at random: at
zero, the first advantages are the rewards.
"""

import copy
from typing import cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from mem1.train.batch import PackedBatch
from mem1.train.forward import sampled_states


class Critic(nn.Module):
    """Values of the sampled tokens of a batch."""

    def __init__(
        self, policy: PreTrainedModel, backend: str | None = None, autocast: bool = False
    ) -> None:
        """On the device of ``policy``; ``backend`` as in ``attention.plan``.

        ``autocast`` computes in bfloat16 with weights of another type.
        """
        super().__init__()
        self._backend = backend
        self._autocast = autocast
        self.backbone = copy.deepcopy(cast(PreTrainedModel, policy.base_model))
        width = policy.config.get_text_config().hidden_size
        self.head = nn.Linear(width, 1, device=policy.device)
        for parameter in self.head.parameters():
            nn.init.zeros_(parameter)

    def forward(self, batch: PackedBatch) -> Tensor:
        """[A] values, float32, in the order of the sampled tokens of ``batch``."""
        device = self.head.weight.device
        with torch.autocast(device.type, torch.bfloat16, enabled=self._autocast):
            states = sampled_states(self.backbone, batch.to(device), self._backend)
            return self.head(states).squeeze(-1).to(torch.float32)
