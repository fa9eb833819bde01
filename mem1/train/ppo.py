"""Proximal policy optimization: credit by a critic, and how the critic learns."""

from dataclasses import dataclass

from torch import Tensor

from mem1 import config_learning
from mem1.train import credit
from mem1.train.batch import PackedBatch
from mem1.train.critic import Critic
from mem1.train.experience import Experience
from mem1.train.objective import value_loss
from mem1.train.session import Trainee, accumulate, means, update


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
        values = experience.gather(trainee.model)
        advantages, returns = credit.gae(
            rewards, values, experience.order, settings.gamma, settings.lam
        )
        whitened = credit.whiten(advantages)
        return cls(settings, trainee, experience, values, returns, whitened)

    def learn(self, factor: float) -> dict[str, float]:
        """All passes over the collection at ``factor`` of the peak rate; what is logged."""
        parts = [
            self._update(batches, factor)
            for _ in range(self.settings.passes)
            for batches in self.experience.minibatches
        ]
        explained = credit.explained_variance(self.values, self.returns)
        logged = means(parts) | {"explained_variance": explained}
        return {f"critic/{name}": value for name, value in logged.items()}

    def _update(self, batches: list[PackedBatch], factor: float) -> dict[str, float]:
        """One optimizer step."""
        count = sum(len(batch.row) for batch in batches)
        total: dict[str, float] = {}
        for batch in batches:
            places = self.experience.order.places(batch)
            terms = value_loss(
                self.trainee.model(batch),
                self.values[places],
                self.returns[places],
                self.settings.value_clip,
                count,
            )
            terms.loss.backward()
            accumulate(total, terms.values())
        total["gradient_norm"] = update(self.trainee, self.settings.optimizer.clip, factor)
        return total
