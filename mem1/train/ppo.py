"""Proximal policy optimization: credit by a critic, and how the critic learns."""

from dataclasses import dataclass

from torch import Tensor

from mem1 import config_learning
from mem1.train import credit
from mem1.train.critic import Critic
from mem1.train.experience import Experience, Minibatch
from mem1.train.objective import value_loss
from mem1.train.session import accumulate, means
from mem1.train.trainee import Trainee


@dataclass(frozen=True)
class CriticStep:
    """The critic's part of one step; tensors [N] in trajectory order."""

    settings: config_learning.Critic
    trainee: Trainee[Critic]
    experience: Experience
    values: Tensor  # when credit was given
    returns: Tensor  # what the values should have been
    advantages: Tensor  # whitened over all sampled tokens

    @classmethod
    def begin(
        cls,
        settings: config_learning.Critic,
        trainee: Trainee[Critic],
        experience: Experience,
        rewards: Tensor,
    ) -> "CriticStep":
        """Credit ``experience`` for ``rewards`` [N] of its tokens."""
        values = experience.gather(trainee.module)
        advantages, returns = credit.gae(
            rewards, values, experience.order, settings.gamma, settings.lam
        )
        whitened = credit.whiten(advantages)
        return cls(settings, trainee, experience, values, returns, whitened)

    def learn(self, factor: float) -> dict[str, float]:
        """All passes over the collection at ``factor`` of the peak rate; what is logged."""
        parts = [
            self._update(part, factor)
            for _ in range(self.settings.passes)
            for part in self.experience.minibatches
        ]
        explained = credit.explained_variance(self.values, self.returns)
        logged = means(parts) | {"explained_variance": explained}
        return {f"critic/{name}": value for name, value in logged.items()}

    def _update(self, part: Minibatch, factor: float) -> dict[str, float]:
        """One optimizer step."""
        total: dict[str, float] = {}
        for batch in part.rows:
            values, places = self.trainee.module(batch), self.experience.order.places(batch)
            terms = value_loss(
                values,
                self.values[places].to(values.device),
                self.returns[places].to(values.device),
                self.settings.value_clip,
                part.count,
            )
            self.trainee.backward(terms.loss, last=batch is part.rows[-1])
            accumulate(total, terms.values())
        total = self.experience.processes.sums(total)
        total["gradient_norm"] = self.trainee.update(factor)
        return total
