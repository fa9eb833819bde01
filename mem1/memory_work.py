"""What a reinforcement learning run is, as far as memory goes, and how long its packed rows are."""

from dataclasses import dataclass
from typing import Literal

from mem1.activations import tree_tokens
from mem1.config import Agent
from mem1.config_learning import Rl
from mem1.config_systems import Policy
from mem1.config_vllm import Vllm
from mem1.model_shape import ModelShape
from mem1.train.limits import ROW_TOKENS, STITCHED_TOKENS

GIB = 2**30
Phase = Literal["collect", "learn", "step"]
PHASES: tuple[Phase, ...] = ("collect", "learn", "step")


@dataclass(frozen=True)
class Part:
    """Memory of one kind on each device."""

    name: str
    size: int  # bytes
    phases: tuple[Phase, ...]
    how: str  # the arithmetic
    less: str  # what makes it smaller


@dataclass(frozen=True)
class Work:
    """What is trained, and where."""

    shape: ModelShape
    rl: Rl
    agent: Agent
    policy: Policy
    turns: int  # of a training task, at most
    prompt: int  # tokens of a task's prompt
    processes: int
    device: int | None  # bytes of each GPU; None: a CPU
    vllm: Vllm | None  # what collects; None: HFEngine

    @property
    def gpu(self) -> bool:
        """Whether there are GPUs."""
        return self.device is not None

    @property
    def value(self) -> int:
        """Bytes of a number in a forward pass."""
        return 2 if self.rl.precision == "bf16" else 4

    @property
    def learners(self) -> int:
        """Models that learn."""
        return 2 if self.rl.estimator == "ppo" and self.rl.critic is not None else 1

    @property
    def shards(self) -> int:
        """Devices that share a model that learns."""
        return self.processes if self.rl.engine == "zero3" else 1


def longest_tree(work: Work) -> int:
    """``tree_tokens`` where every output and every observation is as long as it may be."""
    agent, stitched = work.agent, work.rl.packing != "tree"
    return tree_tokens(
        "full" if stitched else work.policy,  # a stitched row has one copy of each output
        work.prompt,
        agent.max_new_tokens,
        agent.max_info,
        work.turns,
        1 if stitched else work.rl.group,
        work.prompt + work.turns * (agent.max_new_tokens + agent.max_info)
        if stitched
        else agent.max_context,
    )


def row_tokens(work: Work) -> int:
    """Tokens of the longest row of one forward pass: a row is filled up with whole trees."""
    filled = ROW_TOKENS if work.rl.packing == "tree" else STITCHED_TOKENS
    tree = longest_tree(work)
    trees = work.rl.tasks // work.rl.minibatches // work.processes
    trees *= 1 if work.rl.packing == "tree" else work.rl.group
    return max(tree, min(filled, tree * max(1, trees)))
