"""The critic before it has learned anything."""

import torch

from mem1.agent.text import Codec
from mem1.train.batch import collate
from mem1.train.critic import Critic
from mem1.train.model import new_model
from mem1.train.tree import View, pack
from tests.unit.train.conftest import MODEL


def test_all_of_it_is_where_the_policy_is(words: Codec) -> None:
    policy = new_model(MODEL, words.size, 0).to("meta")  # as onto a GPU, and none is needed
    critic = Critic(policy)
    assert {parameter.device.type for parameter in critic.parameters()} == {"meta"}


def test_it_starts_at_zero_with_weights_of_its_own(words: Codec) -> None:
    policy = new_model(MODEL, words.size, 0)
    critic = Critic(policy)
    batch = collate([pack([View([1, 2], [3, 4], 0, 0), View([1, 2], [5], 1, 0)])], 0)
    assert critic(batch).tolist() == [0.0] * 3
    with torch.no_grad():
        for parameter in critic.parameters():
            parameter.fill_(7)
    assert not any(bool((parameter == 7).all()) for parameter in policy.parameters())
