"""Log-probabilities of the sampled tokens of a packed batch.

One pass of the decoder over the packed rows; the vocabulary projection runs only where a
sampled token is predicted. The first token of a branch is predicted by the last token of its
parent, which is in general not the token that stands before it in the row.
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import PreTrainedModel

from mem1.errors import InputError
from mem1.train import attention
from mem1.train.batch import PackedBatch
from mem1.train.limits import CHUNK

# What some models do to the logits behind their head, and the value that does nothing.
_OF_LOGITS = {
    "final_logit_softcapping": None,
    "logit_scale": 1,
    "logits_scaling": 1,
    "lm_head_multiplier": 1,
}


def sampled_states(
    backbone: PreTrainedModel, batch: PackedBatch, backend: str | None = None
) -> Tensor:
    """[A, D]: the last hidden state from which each sampled token is predicted.

    ``backbone`` is a decoder of transformers without its head, on the device of ``batch``;
    ``backend`` as in ``attention.plan``.
    """
    attention.attach(backbone)
    plan = attention.plan(batch.subtree_end, backend)
    output = backbone(
        input_ids=batch.ids,
        position_ids=batch.position_ids,
        use_cache=False,
        **attention.model_arguments(plan, batch.ids.device),
    )
    return output.last_hidden_state[batch.row, batch.parent_column]


@dataclass(frozen=True)
class SampledLogprobs:
    """Of each sampled token of a batch, in its order."""

    logprobs: Tensor  # [A] natural logarithm
    entropy: Tensor  # [A] nats, of the distribution it was drawn from


def sampled_logprobs(
    model: PreTrainedModel,
    batch: PackedBatch,
    temperature: float = 1.0,
    backend: str | None = None,
    entropy_gradient: bool = True,
) -> SampledLogprobs:
    """Log-probability and entropy of each sampled token at ``temperature``.

    ``model`` is a causal language model of transformers on the device of ``batch``. Without
    ``entropy_gradient`` the entropy is a statistic only, which saves time and memory.

    Raises:
        InputError: the temperature is not positive, or the model does something to attention
            or logits that is not done here.
    """
    if temperature <= 0:
        raise InputError(f"temperature is {temperature}: log-probabilities need one above 0.")
    for name, nothing in _OF_LOGITS.items():
        if getattr(model.config.get_text_config(), name, None) not in (None, nothing):
            raise InputError(f"Models with {name} are not supported: choose another model.")
    head = model.get_output_embeddings()
    hidden = sampled_states(cast(PreTrainedModel, model.base_model), batch, backend)

    def score(states: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        logits = head(states)
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        logs = torch.log_softmax(logits / temperature, dim=-1)
        chosen = logs.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
        with torch.set_grad_enabled(entropy_gradient and torch.is_grad_enabled()):
            entropy = -(logs.exp() * logs).sum(-1)
        return chosen, entropy

    targets = batch.targets
    step = max(1, CHUNK // model.config.get_text_config().vocab_size)
    if len(targets) <= step:
        return SampledLogprobs(*score(hidden, targets))
    # Recomputed in the backward pass, so that one chunk of logits exists at a time.
    parts = [
        checkpoint(score, hidden[i : i + step], targets[i : i + step], use_reentrant=False)
        for i in range(0, len(targets), step)
    ]
    logprobs, entropy = zip(*parts, strict=True)
    return SampledLogprobs(torch.cat(logprobs), torch.cat(entropy))


class Actor(nn.Module):
    """``sampled_logprobs`` of a model as a module: ZeRO-3 gathers weights when one is called."""

    def __init__(
        self, model: PreTrainedModel, backend: str | None = None, autocast: bool = False
    ) -> None:
        """``autocast`` computes in bfloat16 with weights of another type."""
        super().__init__()
        self.model = model
        self._backend = backend
        self._autocast = autocast

    def forward(
        self, batch: PackedBatch, temperature: float, entropy_gradient: bool
    ) -> SampledLogprobs:
        """As ``sampled_logprobs``; ``batch`` may be on any device."""
        device = next(self.model.parameters()).device
        with torch.autocast(device.type, torch.bfloat16, enabled=self._autocast):
            return sampled_logprobs(
                self.model, batch.to(device), temperature, self._backend, entropy_gradient
            )
