"""Every setting of the workflow: one typed schema with meaning, unit and range.

``config/config.yaml`` names every field (preset ``mini``); overlays change a few. Nothing
has a hidden default: what a run used is what its frozen stage file says. Resources
(threads, devices, memory) are not configuration, because they must not change a result.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from mem1.config_learning import Base, Rl, Section, Sft, Share
from mem1.config_retrieval import Retrieval, RetrievalReport
from mem1.config_sources import Sources
from mem1.errors import InputError

Policy = Literal["mem1", "full", "truncate"]


def merge(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``overlay`` laid over it, section by section, as Snakemake does."""
    merged = dict(base)
    for key, value in overlay.items():
        old = merged.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            merged[key] = merge(old, value)
        else:
            merged[key] = value
    return merged


class World(Section):
    """The generated world (``tasks.atlas``)."""

    entities_per_type: int = Field(ge=4, le=60, description="entities of each of the types")
    hops: dict[int, Share] = Field(description="share of questions by hops (1-3), summing to 1")

    @model_validator(mode="after")
    def _hops_sum_to_one(self) -> "World":
        if set(self.hops) - {1, 2, 3} or abs(sum(self.hops.values()) - 1) > 1e-9:
            raise ValueError("hops takes shares for 1, 2 and 3 hops that sum to 1")
        return self


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


class Run(Section):
    """One training run."""

    stage: Literal["sft", "rl"]
    policy: Literal["mem1", "full"]
    start: str = Field(description="base, scratch, or the name of another run")
    seed: int = Field(ge=0)
    changes: dict[str, Any] = Field(
        default={}, description="settings of the section of its stage that this run has otherwise"
    )


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


class MaskGap(Section):
    """Experiment: how far the paper's stitched row is from exact (paper, appendix A.7)."""

    system: str | None = Field(description="whose trajectories, of policy mem1; null: not done")
    horizons: list[Annotated[int, Field(ge=1, le=64)]] = Field(
        min_length=1, description="objectives"
    )
    tasks: int = Field(ge=1, description="trajectories of each panel, from its first task on")


class Config(Section):
    """The whole workflow."""

    preset: Literal["mini", "smoke", "sample", "base", "ablations", "paper"]
    seed: int = Field(ge=0, description="root of all named random streams")
    base_model: str = Field(description="folder of the committed base model")
    world: World
    sources: Sources
    retrieval: Retrieval
    retrieval_report: RetrievalReport
    tasks: Tasks
    agent: Agent
    model: Model
    base: Base
    sft: Sft
    rl: Rl
    runs: dict[str, Run]
    systems: dict[str, System]
    evaluation: Evaluation
    mask_gap: MaskGap

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
            settings = self.settings_of(name)
            if isinstance(settings, Rl) and settings.packing != "tree" and run.policy != "mem1":
                raise ValueError(
                    f"runs.{name} has policy {run.policy} and packing {settings.packing}, which "
                    f"is the paper's row for mem1: use packing: tree"
                )
        for name, system in self.systems.items():
            if system.run is not None and system.run not in self.runs:
                raise ValueError(
                    f"systems.{name}.run is {system.run!r}: use one of {sorted(self.runs)}"
                )
        measured = self.mask_gap.system
        trained = {n for n, system in self.systems.items() if system.run is not None}
        if measured is not None and (
            measured not in trained or self.systems[measured].policy != "mem1"
        ):
            raise ValueError(
                f"mask_gap.system is {measured!r}: name a trained system of policy mem1, or null"
            )
        unknown = set(self.mask_gap.horizons) - set(self.tasks.test_horizons)
        if measured is not None and unknown:
            raise ValueError(f"mask_gap.horizons: {sorted(unknown)} are no test_horizons")
        return self

    def settings_of(self, name: str) -> Sft | Rl:
        """The section of the stage of run ``name``, with the run's own changes.

        Raises:
            ValueError: a change is no setting of that section, or out of its range.
        """
        run = self.runs[name]
        section: Sft | Rl = self.sft if run.stage == "sft" else self.rl
        if not run.changes:
            return section
        try:
            return type(section).model_validate(merge(section.model_dump(), run.changes))
        except ValidationError as error:
            first = error.errors()[0]
            path = ".".join(map(str, ["runs", name, "changes", *first["loc"]]))
            raise ValueError(f"{path}: {first['msg'].removeprefix('Value error, ')}") from error

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
