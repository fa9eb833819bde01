"""The settings of learning: base model, warm start, reinforcement learning."""

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """Base of all sections: unknown keys are refused, values do not change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Imperfections(Section):
    """How demonstrations go wrong, as probabilities per opportunity."""

    wrong_query: Share = Field(description="a turn searches for an unrelated entity")
    early_answer: Share = Field(description="a question of several hops is closed one hop early")
    forgotten_fact: Share = Field(description="a kept answer is lost when the state is rewritten")
    early_stop: Share = Field(description="the task is answered with questions still open")


class ShopImperfections(Section):
    """How demonstrations of shopping go wrong, as probabilities per opportunity."""

    wrong_product: Share = Field(description="a product that fits is overlooked")
    settled: Share = Field(description="a product is kept although it lacks an option asked for")
    forgotten_option: Share = Field(description="it is bought with an option still to choose")


class Optimizer(Section):
    """AdamW (and Muon for the base model), with linear warm-up and cosine decay."""

    lr: float = Field(gt=0, lt=1, description="peak learning rate of AdamW")
    weight_decay: float = Field(ge=0, lt=1, description="of AdamW, decoupled from the rate")
    warmup: int = Field(ge=0, description="steps of linear warm-up")
    final_lr: Share = Field(description="share of the peak rate at the last step")
    clip: float = Field(gt=0, description="largest gradient norm")


class Base(Section):
    """The base model: all horizons, perfect demonstrations, both context policies."""

    seed: int = Field(ge=0, description="root of the streams of its training")
    steps: int = Field(ge=1, description="optimizer steps")
    tokens: int = Field(ge=1000, description="tokens of one step, context and padding included")
    full_share: Share = Field(description="share of the tokens shown under policy full")
    muon_lr: float = Field(gt=0, lt=1, description="peak learning rate of Muon (matrices)")
    growth: dict[int, Annotated[int, Field(ge=1, le=64)]] = Field(
        description="curriculum: {first step: largest number of objectives from there on}"
    )
    restarts: dict[int, Share] = Field(
        description="{step: share of the peak rates}: from there they fall once more, as a cosine "
        "to the next restart or the end; the supply of demonstrations starts anew too"
    )
    world_entities: int = Field(ge=4, le=60, description="entities per type of a training world")
    world_questions: int = Field(ge=16, description="questions asked in a training world")
    worlds_at_once: int = Field(ge=1, description="training worlds that are mixed")
    context_share: Share = Field(description="share of the context tokens in the loss too")
    context_weight: float = Field(ge=0, description="weight of their mean loss beside the outputs'")
    largest_offset: int = Field(ge=0, description="position ids start at random up to this one")
    precision: Literal["fp32", "bf16"] = Field(description="bf16: autocast, weights in fp32")
    imperfections: Imperfections
    optimizer: Optimizer
    checkpoint_every: int = Field(ge=1, description="steps between checkpoints")

    @property
    def largest_horizon(self) -> int:
        """Objectives of the longest tasks that are ever shown."""
        return max(self.growth.values())

    @model_validator(mode="after")
    def _grows_from_the_start(self) -> "Base":
        if 0 not in self.growth:
            raise ValueError("growth must say what holds from step 0 on")
        if any(not 0 < step < self.steps for step in self.restarts):
            raise ValueError("restarts lie between the first and the last step")
        return self


class Filter(Section):
    """Which trajectories of a teacher are worth learning from."""

    least_em: Share = Field(description="share of a task's questions that must be right")
    well_formed: bool = Field(
        description="true: only those that end with an answer and have no malformed output"
    )


class Distill(Section):
    """Trajectories of a teacher, which a run learns from that names it (``sft.teacher``)."""

    tasks: int = Field(ge=1, description="tasks that the teacher tries")
    filter: Filter


class Sft(Section):
    """Supervised warm start on demonstrations."""

    steps: int = Field(ge=1, description="optimizer steps")
    batch: int = Field(ge=1, description="trajectories of one step")
    teacher: str | None = Field(
        description="system whose trajectories are learned from (see distill); null: a script "
        "with the imperfections"
    )
    horizons: list[Annotated[int, Field(ge=1, le=64)]] = Field(
        min_length=1,
        description="objectives of the demonstrations, drawn uniformly; paper: 1, 2, 3",
    )
    imperfections: Imperfections
    optimizer: Optimizer
    checkpoint_every: int = Field(ge=1, description="steps between checkpoints")


class Critic(Section):
    """The critic of PPO and how it credits tokens."""

    optimizer: Optimizer
    gamma: float = Field(gt=0, le=1, description="discount per sampled token; paper's code: 1")
    lam: float = Field(ge=0, le=1, description="lambda of GAE; paper's code: 1")
    value_clip: float = Field(gt=0, description="largest change of a value; paper's code: 0.5")
    warmup: int = Field(ge=0, description="first rounds, in which only the critic learns")
    passes: int = Field(ge=1, description="passes of the critic over each collection")


class Rl(Section):
    """Reinforcement learning from the agent's own trajectories."""

    estimator: Literal["ppo", "grpo", "reinforce++"] = Field(
        description="advantages: ppo with a critic, token by token, as in the paper; grpo "
        "within groups of one task; reinforce++ over the batch"
    )
    critic: Critic | None = Field(description="ppo only")
    engine: Literal["plain", "zero3"] = Field(
        description="plain: torch in one process; zero3: DeepSpeed ZeRO-3, one process or several"
    )
    rollout: Literal["hf", "vllm", "vllm-server"] = Field(
        default="hf",
        description="what collects: hf: the model in process; vllm: vLLM in process; vllm-server: "
        "a server of vLLM (section vllm)",
    )
    importance_cap: float | None = Field(
        default=None,
        ge=1,
        description="largest weight of a sampled token: trainer's probability over the engine's, "
        "cut there; null: engine and trainer agree, so no weights",
    )
    precision: Literal["fp32", "bf16"] = Field(
        description="bf16: forward passes in bfloat16, optimizer and its weights in fp32"
    )
    gradient_checkpointing: bool = Field(
        description="true: layers are computed again in the backward pass, for less memory"
    )
    packing: Literal["tree", "stitched", "stitched-restarted"] = Field(
        description="tree: exact; stitched: the paper's row with one copy of each output, "
        "positions contiguous, or restarted as in the views (policy mem1 only)"
    )
    format_reward: bool = Field(
        description="true: a malformed output ends the trajectory with reward -1, as in the "
        "paper's ablation; false: it costs a turn"
    )
    steps: int = Field(ge=1, description="collect-and-update rounds")
    tasks: int = Field(ge=1, description="tasks of one step")
    group: int = Field(ge=1, description="trajectories sampled for each task")
    minibatches: int = Field(ge=1, description="optimizer steps made of one collection")
    clip_ratio: float = Field(gt=0, lt=1, description="PPO clip of the probability ratio")
    kl: float = Field(ge=0, description="weight of the KL penalty to the starting policy")
    kl_in: Literal["reward", "loss"] = Field(
        description="where the penalty counts: in the reward of each token, as in the official "
        "scripts (ppo only), or in the loss"
    )
    entropy: float = Field(ge=0, description="weight of the entropy bonus")
    temperature: float = Field(gt=0, le=2, description="sampling temperature of collection")
    least_valid: Share = Field(
        description="share of valid actions below which a policy counts as collapsed"
    )
    patience: int = Field(ge=1, description="rounds below it after which the run stops")
    optimizer: Optimizer
    checkpoint_every: int = Field(ge=1, description="steps between checkpoints")

    @model_validator(mode="after")
    def _groups(self) -> "Rl":
        if self.estimator == "grpo" and self.group < 2:
            raise ValueError("grpo compares trajectories of one task: group must be 2 or more")
        if self.estimator == "ppo" and self.critic is None:
            raise ValueError("ppo needs the section critic: add it, or use another estimator")
        if self.estimator != "ppo" and self.kl and self.kl_in == "reward":
            raise ValueError(
                f"kl_in: reward penalizes single tokens, and {self.estimator} credits whole "
                f"trajectories: use kl_in: loss, or ppo"
            )
        if self.tasks % self.minibatches:
            raise ValueError(f"minibatches ({self.minibatches}) must divide tasks ({self.tasks})")
        if self.importance_cap is not None and self.packing != "tree":
            raise ValueError(
                f"importance_cap weighs what the engine sampled, and rows packed as {self.packing} "
                f"are not what it saw: use packing: tree, or importance_cap: null"
            )
        return self

    @model_serializer(mode="wrap")
    def _without_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what is off as if there were none, so that no trained run changes by it."""
        off = {"rollout": "hf", "importance_cap": None}
        return {k: v for k, v in handler(self).items() if k not in off or v != off[k]}
