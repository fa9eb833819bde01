"""Every setting of the workflow: one typed schema with meaning, unit and range.

``config/config.yaml`` names every field (preset ``mini``); overlays change a few. Nothing
has a hidden default: what a run used is what its frozen stage file says. Resources
(threads, devices, memory) are not configuration, because they must not change a result.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from mem1 import config_checks
from mem1.config_learning import Base, Distill, Rl, Section, Sft, Share
from mem1.config_paths import Inside, Name
from mem1.config_retrieval import Encoder, Retrieval, RetrievalReport
from mem1.config_sources import Sources
from mem1.config_systems import SHOPS, Evaluation, Policy, Run, System
from mem1.config_vllm import Vllm
from mem1.config_webshop import ShopSft, WebShop
from mem1.errors import InputError

CALLING: frozenset[Policy] = frozenset({"amem", "summary", "overwrite"})  # keep a memory by calls


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


S = TypeVar("S", bound=Section)


def changed(section: S, changes: Mapping[str, Any], *place: str) -> S:
    """``section`` with ``changes``, which stand at ``place`` in the configuration.

    Raises:
        ValueError: a change is no setting of that section, or out of its range.
    """
    if not changes:
        return section
    try:
        return type(section).model_validate(merge(section.model_dump(), changes))
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(map(str, [*place, *first["loc"]]))
        raise ValueError(f"{path}: {first['msg'].removeprefix('Value error, ')}") from error


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


class Memory(Section):
    """Policies that keep a memory by calls of the model beside the turns."""

    summary_tokens: int = Field(ge=8, description="summary: tokens of the summary, at most")
    overwrite_tokens: int = Field(
        ge=8, description="overwrite: tokens of the memory, at most; 1024 in MemAgent"
    )
    note_tokens: int = Field(
        ge=8, description="amem: tokens of what is written about a turn, at most"
    )
    evolve_tokens: int = Field(
        ge=8, description="amem: tokens of one decision on links and older notes, at most"
    )
    notes: int = Field(
        ge=1,
        le=20,
        description="amem: notes that are shown, and compared with a new one; official code 3",
    )
    encoder: Encoder | None = Field(
        description="amem: what makes vectors of notes; null: TF-IDF of their words"
    )


class Agent(Section):
    """The loop of turns."""

    max_context: int = Field(ge=64, description="tokens of a context plus its output, at most")
    max_new_tokens: int = Field(ge=8, description="tokens of one output, at most")
    max_info: int = Field(ge=16, description="tokens of one observation, at most")
    truncate_budget: int = Field(
        ge=16, description="policy truncate: tokens of newest turns kept behind the prompt"
    )
    memory: Memory | None = Field(
        default=None, description="policies summary, overwrite and amem; null: they are not used"
    )

    def used_by(self, policy: Policy) -> "Agent":
        """These limits without the section memory, unless ``policy`` needs it.

        So that no change to it repeats a stage that does without.
        """
        return self if policy in CALLING else self.model_copy(update={"memory": None})

    @model_serializer(mode="wrap")
    def _without_null(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {k: v for k, v in handler(self).items() if k != "memory" or v is not None}


class Model(Section):
    """Shape of the model trained from nothing (Qwen2 architecture, tied embeddings)."""

    layers: int = Field(ge=1, le=64, description="blocks of attention and feed-forward layer")
    hidden: int = Field(ge=16, le=8192, description="width of the residual stream")
    heads: int = Field(ge=1, le=128, description="of attention, in each layer")
    intermediate: int = Field(ge=16, description="width of the feed-forward layer")
    max_position: int = Field(ge=128, description="largest position id")

    @model_validator(mode="after")
    def _heads_divide(self) -> "Model":
        if self.hidden % (2 * self.heads):
            raise ValueError(
                f"heads ({self.heads}) must divide hidden ({self.hidden}) into even widths"
            )
        return self


class MaskGap(Section):
    """Experiment: how far the paper's stitched row is from exact (paper, appendix A.7)."""

    system: str | None = Field(description="whose trajectories, of policy mem1; null: not done")
    horizons: list[Annotated[int, Field(ge=1, le=64)]] = Field(
        min_length=1, description="objectives"
    )
    tasks: int = Field(ge=1, description="trajectories of each panel, from its first task on")


class Config(Section):
    """The whole workflow."""

    preset: Literal[
        "mini", "smoke", "sample", "base", "ablations", "single-gpu", "paper", "vllm"
    ] = Field(description="name of the folder of results: results/<preset>")
    seed: int = Field(ge=0, description="root of all named random streams")
    seeds: list[Annotated[int, Field(ge=0)]] = Field(
        min_length=1,
        description="training seeds: every run is made once for each, which is added to its own; "
        "the first is 0",
    )
    base_model: Inside = Field(description="folder of the committed base model")
    world: World
    sources: Sources
    retrieval: Retrieval
    retrieval_report: RetrievalReport
    tasks: Tasks
    agent: Agent
    model: Model
    base: Base
    sft: Sft
    distill: Distill
    rl: Rl
    runs: dict[Name, Run]
    systems: dict[Name, System]
    evaluation: Evaluation
    vllm: Vllm
    mask_gap: MaskGap
    webshop: WebShop | None = Field(description="null: the preset is without it")

    @model_validator(mode="after")
    def _seeds(self) -> "Config":
        if self.seeds[0] != 0 or len(set(self.seeds)) < len(self.seeds):
            raise ValueError("seeds starts with 0, the runs as they are, and repeats no number")
        return self

    @model_validator(mode="after")
    def _runs(self) -> "Config":
        for name, run in self.runs.items():
            if run.start not in {"base", "scratch"} | set(self.runs) or run.start == name:
                raise ValueError(
                    f"runs.{name}.start is {run.start!r}: use base, scratch or one of "
                    f"{sorted(set(self.runs) - {name})}"
                )
            if name in self._before(name):
                raise ValueError(
                    f"runs.{name} starts from itself in the end: let one of the runs it starts "
                    f"or learns from start from base or scratch"
                )
            settings = self.settings_of(name)
            budgets = self.tasks.max_turns
            if isinstance(settings, Sft):
                self._check_demonstrations(name, settings.teacher)
                config_checks.turns(f"sft.horizons of runs.{name}", settings.horizons, budgets)
                if settings.teacher:  # who tries the horizons of the section
                    config_checks.turns("sft.horizons", self.sft.horizons, budgets)
            config_checks.packing(f"runs.{name}", run, settings)
        config_checks.training_data(self.runs, self.sources, self.tasks.train_count)
        return self

    @model_validator(mode="after")
    def _base(self) -> "Config":
        if self.preset == "base":
            config_checks.turns("base.growth", self.base.growth.values(), self.tasks.max_turns)
        return self

    @model_validator(mode="after")
    def _systems(self) -> "Config":
        for name, system in self.systems.items():
            if system.run is not None and system.run not in self.runs:
                raise ValueError(
                    f"systems.{name}.run is {system.run!r}: use one of {sorted(self.runs)}"
                )
            if system.environment == "webshop" or system.prompt in SHOPS:
                raise ValueError(f"systems.{name} shops: put it into webshop.systems")
            unknown = set(system.horizons or ()) - set(self.tasks.test_horizons)
            if unknown:
                raise ValueError(f"systems.{name}.horizons: {sorted(unknown)} are no test_horizons")
        return self

    @model_validator(mode="after")
    def _measured(self) -> "Config":
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
        if measured is not None:
            config_checks.measured(self.mask_gap.tasks, self.tasks.test_count)
        return self

    @model_validator(mode="after")
    def _webshop(self) -> "Config":
        shop = self.webshop
        if shop is None:
            return self
        for kind, mine, theirs in (
            ("runs", shop.runs, self.runs),
            ("systems", shop.systems, self.systems),
        ):
            both = sorted(set(mine) & set(theirs))
            if both:
                raise ValueError(f"webshop.{kind}.{both[0]} is in {kind} too: rename one of them")
        self.shop_agent()
        for name, run in shop.runs.items():
            settings = self.shop_settings_of(name)
            if isinstance(settings, Rl) and settings.format_reward:
                raise ValueError(
                    f"webshop.runs.{name} has format_reward, which is for questions: take it away"
                )
            config_checks.packing(f"webshop.runs.{name}", run, settings)
        return self

    def settings_of(self, name: str) -> Sft | Rl:
        """The section of the stage of run ``name``, with the run's own changes.

        Raises:
            ValueError: a change is no setting of that section, or out of its range.
        """
        run = self.runs[name]
        section: Sft | Rl = self.sft if run.stage == "sft" else self.rl
        return changed(section, run.changes, "runs", name, "changes")

    def shop_settings_of(self, name: str) -> ShopSft | Rl:
        """``settings_of`` for a run of the section webshop."""
        shop = self.needed_webshop()
        run = shop.runs[name]
        of_questions = self.rl.model_copy(update={"format_reward": False})
        rl = changed(of_questions, shop.rl, "webshop", "rl")
        section: ShopSft | Rl = shop.sft if run.stage == "sft" else rl
        return changed(section, run.changes, "webshop", "runs", name, "changes")

    def shop_agent(self) -> Agent:
        """The limits of the loop in WebShop."""
        return changed(self.agent, self.needed_webshop().agent, "webshop", "agent")

    def needed_webshop(self) -> WebShop:
        """The section webshop.

        Raises:
            InputError: it is null.
        """
        if self.webshop is None:
            raise InputError("The section webshop is null: fill it in.")
        return self.webshop

    def learners(self, teacher: str) -> list[str]:
        """The runs that learn from the system ``teacher``."""
        return [k for k in self.runs if getattr(self.settings_of(k), "teacher", None) == teacher]

    def _check_demonstrations(self, name: str, teacher: str | None) -> None:
        """Refuse a teacher whose trajectories are no examples for the run ``name``."""
        policy, prompt = self.runs[name].policy, self.runs[name].prompt
        if teacher is None:
            if prompt is not None:
                raise ValueError(
                    f"runs.{name} has the prompt {prompt} and no teacher: demonstrations of the "
                    f"script have the short form; name a teacher, or take the prompt away"
                )
            return
        system = self.systems.get(teacher)
        if system is None or (system.policy, system.environment) != (policy, "wiki"):
            fitting = [k for k, s in self.systems.items() if s.policy == policy]
            raise ValueError(
                f"runs.{name} has the teacher {teacher!r}: name a system of policy {policy} and "
                f"environment wiki (of that policy: {fitting}), or null"
            )
        if (system.prompt == "deepresearcher") != (prompt == "deepresearcher"):
            raise ValueError(
                f"runs.{name} has the teacher {teacher!r}, whose prompt has other tags than the "
                f"run: give one of them another prompt"
            )
        learners = self.learners(teacher)
        if any(self.runs[learner].prompt != prompt for learner in learners):
            raise ValueError(
                f"The runs {' and '.join(learners)} have different prompts and one teacher, "
                f"{teacher!r}, whose trajectories are kept in one form: give them one prompt, or "
                f"each a system of its own as teacher"
            )

    def _before(self, name: str) -> set[str]:
        """The runs behind ``name``: that it starts from, or whose system teaches it."""
        found: set[str] = set()
        waiting = [name]
        while waiting:
            run = waiting.pop()
            settings = self.settings_of(run)
            name_of_teacher = settings.teacher if isinstance(settings, Sft) else None
            teacher = self.systems.get(name_of_teacher or "")
            named = (self.runs[run].start, teacher.run if teacher else None)
            parents = {name for name in named if name is not None and name in self.runs}
            waiting += parents - found
            found |= parents
        return found


def json_schema() -> dict[str, Any]:
    """JSON Schema of the configuration, for editors."""
    schema = Config.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
