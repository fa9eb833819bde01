"""Properties of the tree on real rollouts: an engine samples, the packed row agrees with it."""

from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
import torch
from transformers import PreTrainedModel

from mem1.agent.engines.base import Sampling
from mem1.agent.engines.hf import HFEngine
from mem1.agent.formats.short import SHORT
from mem1.agent.memory import catalogue
from mem1.agent.rollout import rollout
from mem1.agent.text import Codec
from mem1.config import Agent, Memory, Model, World
from mem1.config_files import load
from mem1.config_retrieval import Retrieval
from mem1.envs.search import SearchEnvironment
from mem1.records import Trajectory
from mem1.retrieval import bm25
from mem1.tasks import atlas, tokenizer
from mem1.train.batch import collate
from mem1.train.credit import TrajectoryOrder, gae, token_rewards
from mem1.train.critic import Critic
from mem1.train.demonstrations import mixed_tasks
from mem1.train.experience import Experience, packing
from mem1.train.forward import sampled_logprobs
from mem1.train.model import new_model
from mem1.train.objective import value_loss
from mem1.train.processes import ALONE
from mem1.train.tree import pack, views_of

MEMORY = Memory(
    summary_tokens=20, overwrite_tokens=20, note_tokens=8, evolve_tokens=8, notes=2, encoder=None
)
AGENT = Agent(max_context=2048, max_new_tokens=20, max_info=160, truncate_budget=150, memory=MEMORY)
RL = load(Path(__file__).parents[2] / "config" / "config.yaml").rl.model_copy(
    update={"tasks": 1, "group": 3, "minibatches": 1}
)
POLICIES = ("mem1", "full", "truncate", "summary", "amem")


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec(tokenizer.word_level())


@pytest.fixture(scope="module")
def model(codec: Codec) -> PreTrainedModel:
    made = new_model(
        Model(layers=2, hidden=32, heads=2, intermediate=64, max_position=4096), codec.size, 0
    )
    with torch.no_grad():  # weights of the usual size hardly look at their context
        for parameter in made.parameters():
            if parameter.ndim == 2:
                parameter.mul_(3)
    return made.eval()


@pytest.fixture(scope="module", params=POLICIES)
def group(request: pytest.FixtureRequest, model: PreTrainedModel, codec: Codec) -> list[Trajectory]:
    """Three samples of one task, as a group of GRPO has them."""
    world = atlas.generate(World(entities_per_type=8, hops={1: 1.0}), 2, "train")
    environment = SearchEnvironment(
        bm25.in_memory(world.passages, Retrieval(k=3, k1=1.5, b=0.75)), 3, AGENT, codec
    )
    tasks = mixed_tasks(world.questions, [3], {3: 5}, Random(0), count=1)
    form = SHORT["full" if request.param == "full" else "mem1"]
    return rollout(
        tasks,
        HFEngine(model, codec),
        catalogue.policy(request.param, AGENT, codec, form),
        environment,
        codec,
        AGENT,
        Sampling(1.0, AGENT.max_new_tokens),
        prompt=form,
        system="test",
        seed=1,
        samples=range(3),
        progress=False,
    )


def recorded(group: Sequence[Trajectory]) -> torch.Tensor:
    return torch.tensor([p for one in group for turn in one.turns for p in turn.logprobs])


def packed(group: Sequence[Trajectory]):
    views = [view for i, one in enumerate(group) for view in views_of(one, i)]
    return collate([pack(views)], 0)


@pytest.mark.parametrize("backend", ["branches", "dense"])
def test_logprobs_are_those_the_engine_recorded(
    group: list[Trajectory], model: PreTrainedModel, backend: str
) -> None:
    with torch.no_grad():
        found = sampled_logprobs(model, packed(group), backend=backend).logprobs

    assert len(group[0].turns) == 5
    torch.testing.assert_close(found, recorded(group), atol=1e-4, rtol=0)


def test_gradients_are_those_of_single_views(
    group: list[Trajectory], model: PreTrainedModel
) -> None:
    sampled = torch.linspace(-1, 1, len(recorded(group)))  # any weights

    def gradients(logprobs: torch.Tensor) -> list[torch.Tensor]:
        model.zero_grad()
        (logprobs * sampled).sum().backward()
        return [p.grad.clone() for p in model.parameters() if p.grad is not None]

    tree = gradients(sampled_logprobs(model, packed(group)).logprobs)
    alone = [
        sampled_logprobs(model, collate([pack([view])], 0)).logprobs
        for i, one in enumerate(group)
        for view in views_of(one, i)
    ]

    for ours, theirs in zip(tree, gradients(torch.cat(alone)), strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-4 * float(theirs.abs().max()), rtol=1e-4)


@pytest.mark.parametrize("backend", ["branches", "dense"])
def test_critic_values_and_gradients_are_those_of_single_views(
    group: list[Trajectory], model: PreTrainedModel, backend: str
) -> None:
    critic = Critic(model, backend)
    torch.nn.init.normal_(critic.head.weight, generator=torch.Generator().manual_seed(0))
    order = TrajectoryOrder([[len(turn.output) for turn in one.turns] for one in group])
    rewards = token_rewards(torch.arange(3.0), order)

    def learn(values: torch.Tensor) -> list[torch.Tensor]:
        critic.zero_grad()
        _, returns = gae(rewards, values.detach(), order, 0.99, 0.9)
        value_loss(values, values.detach() - 0.1, returns, 0.5).loss.backward()
        return [p.grad.clone() for p in critic.parameters() if p.grad is not None]

    batch = packed(group)
    ours = critic(batch)
    alone = torch.cat(
        [
            critic(collate([pack([view])], 0))
            for i, one in enumerate(group)
            for view in views_of(one, i)
        ]
    )

    assert order.places(batch).tolist() == list(range(len(order)))
    torch.testing.assert_close(ours, alone, atol=1e-4, rtol=1e-4)
    for one, other in zip(learn(ours), learn(alone), strict=True):
        torch.testing.assert_close(one, other, atol=2e-4 * float(other.abs().max()), rtol=1e-4)


def test_each_sampled_token_is_there_once(group: list[Trajectory]) -> None:
    batch = packed(group)
    ids = [i for one in group for turn in one.turns for i in turn.output]

    assert batch.targets.tolist() == ids
    places = set(zip(batch.row.tolist(), batch.column.tolist(), strict=True))
    assert len(places) == len(ids)


def test_duplicates_are_one_copy_of_each_state_and_none_under_full(
    group: list[Trajectory],
) -> None:
    experience = Experience.of(group, torch.zeros(3), RL, ALONE)
    share = packing(group, experience)["duplicate_share"]
    copies = round(share * experience.tokens)

    if group[0].policy == "full":
        assert share == 0
    elif group[0].policy == "mem1":
        # The first state stands behind the prompt already, where the next context has it.
        assert copies == sum(len(turn.output) for one in group for turn in one.turns[1:-1])
    else:
        assert copies > 0


def test_row_is_shorter_than_its_views(group: list[Trajectory]) -> None:
    views = sum(len(turn.context) + len(turn.output) for one in group for turn in one.turns)
    row = packed(group).ids.shape[1]

    if group[0].policy == "full":  # no duplicate: prompt once, then every turn once
        alone = sum(len(turn.output) + len(turn.info) for one in group for turn in one.turns)
        assert row <= len(group[0].prompt) + alone
    assert row < views
