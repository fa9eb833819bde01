"""Every setting of the workflow: one typed schema with meaning, unit and range.

``config/config.yaml`` names every field (preset ``mini``); overlays change a few. Nothing
has a hidden default: what a run used is what its frozen stage file says. Resources
(threads, devices, memory) are not configuration, because they must not change a result.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mem1.errors import InputError

Policy = Literal["mem1", "full", "truncate"]
Share = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """Base of all sections: unknown keys are refused, values do not change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class World(Section):
    """The generated world (``tasks.atlas``)."""

    entities_per_type: int = Field(ge=4, le=60, description="entities of each of the types")
    hops: dict[int, Share] = Field(description="share of questions by hops (1-3), summing to 1")

    @model_validator(mode="after")
    def _hops_sum_to_one(self) -> "World":
        if set(self.hops) - {1, 2, 3} or abs(sum(self.hops.values()) - 1) > 1e-9:
            raise ValueError("hops takes shares for 1, 2 and 3 hops that sum to 1")
        return self


class Sources(Section):
    """Where questions and passages come from."""

    kind: Literal["atlas", "files"] = Field(
        description="atlas: generated worlds; files: the folder named by MEM1_SAMPLE_DATA"
    )
    max_passages: int | None = Field(
        ge=1, description="files only: read at most this many passages of each file; null: all"
    )


class Retrieval(Section):
    """BM25 over the passages."""

    k: int = Field(ge=1, le=20, description="passages returned for a query")
    k1: float = Field(gt=0, le=10, description="BM25 term saturation")
    b: Share = Field(description="BM25 length normalization")


class Tasks(Section):
    """Composition of questions to multi-objective tasks."""

    train_horizon: int = Field(ge=1, le=64, description="objectives of a training task")
    train_count: int = Field(ge=0, description="training tasks")
    test_horizons: list[Annotated[int, Field(ge=1, le=64)]] = Field(
        description="objectives of the evaluation panels"
    )
    test_count: int = Field(ge=1, description="tasks of each evaluation panel")
    consecutive: bool = Field(
        description="true: join consecutive rows as the official code does; false: shuffle"
    )
    max_turns: dict[int, Annotated[int, Field(ge=1)]] = Field(
        description="turn budget: {largest horizon it holds for: turns}; paper {4: 6, 16: 20}"
    )

    def turns_for(self, horizon: int) -> int:
        """The turn budget of a task with ``horizon`` objectives."""
        for largest in sorted(self.max_turns):
            if horizon <= largest:
                return self.max_turns[largest]
        raise InputError(
            f"tasks.max_turns has no budget for {horizon} objectives: add an entry for "
            f"{horizon} or more."
        )

    @model_validator(mode="after")
    def _budgets_cover_horizons(self) -> "Tasks":
        for horizon in [self.train_horizon, *self.test_horizons]:
            if horizon > max(self.max_turns, default=0):
                raise ValueError(f"max_turns has no entry for {horizon} objectives or more")
        return self


class Agent(Section):
    """The loop of turns."""

    max_context: int = Field(ge=64, description="tokens of a context plus its output, at most")
    max_new_tokens: int = Field(ge=8, description="tokens of one output, at most")
    max_info: int = Field(ge=16, description="tokens of one observation, at most")
    truncate_budget: int = Field(
        ge=16, description="policy truncate: tokens of newest turns kept behind the prompt"
    )


class Model(Section):
    """Shape of the model trained from nothing (Qwen2 architecture, tied embeddings)."""

    layers: int = Field(ge=1, le=64)
    hidden: int = Field(ge=16, le=8192, description="width of the residual stream")
    heads: int = Field(ge=1, le=128)
    intermediate: int = Field(ge=16, description="width of the feed-forward layer")
    max_position: int = Field(ge=128, description="largest position id")

    @model_validator(mode="after")
    def _heads_divide(self) -> "Model":
        if self.hidden % (2 * self.heads):
            raise ValueError(
                f"heads ({self.heads}) must divide hidden ({self.hidden}) into even widths"
            )
        return self


class Imperfections(Section):
    """How demonstrations go wrong, as probabilities per opportunity."""

    wrong_query: Share = Field(description="a turn searches for an unrelated entity")
    early_answer: Share = Field(description="a question of several hops is closed one hop early")
    forgotten_fact: Share = Field(description="a kept answer is lost when the state is rewritten")
    early_stop: Share = Field(description="the task is answered with questions still open")


class Optimizer(Section):
    """AdamW (and Muon for the base model), with linear warm-up and cosine decay."""

    lr: float = Field(gt=0, lt=1, description="peak learning rate of AdamW")
    weight_decay: float = Field(ge=0, lt=1)
    warmup: int = Field(ge=0, description="steps of linear warm-up")
    final_lr: Share = Field(description="share of the peak rate at the last step")
    clip: float = Field(gt=0, description="largest gradient norm")


class Base(Section):
    """The base model: all horizons, perfect demonstrations, both context policies."""

    seed: int = Field(ge=0)
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


class Sft(Section):
    """Supervised warm start on demonstrations."""

    steps: int = Field(ge=1, description="optimizer steps")
    batch: int = Field(ge=1, description="trajectories of one step")
    horizons: list[Annotated[int, Field(ge=1, le=64)]] = Field(
        description="objectives of the demonstrations, drawn uniformly; paper: 1, 2, 3"
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


class Rl(Section):
    """Reinforcement learning from the agent's own trajectories."""

    estimator: Literal["ppo", "grpo", "reinforce++"] = Field(
        description="advantages: ppo with a critic, token by token, as in the paper; grpo "
        "within groups of one task; reinforce++ over the batch"
    )
    critic: Critic | None = Field(description="ppo only")
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
        return self


class Run(Section):
    """One training run."""

    stage: Literal["sft", "rl"]
    policy: Literal["mem1", "full"]
    start: str = Field(description="base, scratch, or the name of another run")
    seed: int = Field(ge=0)


class System(Section):
    """One row of a table: weights x context policy x prompt format."""

    label: str = Field(description="name in tables and figures")
    engine: Literal["hf", "oracle-reader"] = Field(
        description="hf: a trained model; oracle-reader: searches the question, answers with "
        "the gold if it was retrieved"
    )
    run: str | None = Field(description="training run that gives the weights; null for oracles")
    policy: Policy
    prompt: Literal["mem1", "full"] = Field(description="wording of the task prompt")
    paper: str | None = Field(description="row of the paper's tables it corresponds to")

    @model_validator(mode="after")
    def _weights(self) -> "System":
        if (self.engine == "hf") != (self.run is not None):
            raise ValueError("run names the weights of an hf system, and is null for an oracle")
        return self


class Evaluation(Section):
    """Decoding and statistics."""

    temperature: float = Field(ge=0, le=2, description="0: greedy; paper 0.01")
    batch: int = Field(ge=1, description="trajectories decoded together")
    bootstrap: int = Field(ge=100, description="resamples for the 95 % intervals")


class Config(Section):
    """The whole workflow."""

    preset: Literal["mini", "smoke", "sample", "base"]
    seed: int = Field(ge=0, description="root of all named random streams")
    base_model: str = Field(description="folder of the committed base model")
    world: World
    sources: Sources
    retrieval: Retrieval
    tasks: Tasks
    agent: Agent
    model: Model
    base: Base
    sft: Sft
    rl: Rl
    runs: dict[str, Run]
    systems: dict[str, System]
    evaluation: Evaluation

    @model_validator(mode="after")
    def _names(self) -> "Config":
        for name, run in self.runs.items():
            if run.start not in {"base", "scratch"} | set(self.runs) or run.start == name:
                raise ValueError(
                    f"runs.{name}.start is {run.start!r}: use base, scratch or one of "
                    f"{sorted(set(self.runs) - {name})}"
                )
            if name in self._before(name):
                raise ValueError(
                    f"runs.{name} starts from itself in the end: let one of the runs it starts "
                    f"from start from base or scratch"
                )
        for name, system in self.systems.items():
            if system.run is not None and system.run not in self.runs:
                raise ValueError(
                    f"systems.{name}.run is {system.run!r}: use one of {sorted(self.runs)}"
                )
        return self

    def _before(self, name: str) -> list[str]:
        """The runs that ``name`` starts from, newest first; ends where one repeats."""
        found: list[str] = []
        start = self.runs[name].start
        while start in self.runs and start not in found:
            found.append(start)
            start = self.runs[start].start
        return found


def json_schema() -> dict[str, Any]:
    """JSON Schema of the configuration, for editors."""
    schema = Config.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
