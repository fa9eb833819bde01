"""What analysis needs of the configuration, frozen to ``analysis.json``.

Also which systems are compared: the paper's headline compares MEM1 with a larger untrained
model (Qwen2.5-14B-Instruct); here MEM1 is compared with full history *trained the same way*,
so that only the memory differs.

A system here is a row of a table: one that was trained with several seeds is still one, and
``replicas`` names the records of each seed.
"""

from typing import Any, Literal

from pydantic import Field, model_validator

from mem1.agent.settings import stands_in
from mem1.analysis.arms import Arm, arms, estimators, format_pairs
from mem1.config import Config
from mem1.config_learning import Section
from mem1.config_seeds import MARK, replica
from mem1.config_systems import EnvironmentName, Run, System

Stage = Literal["rl", "sft", "given", "oracle"]
TOKENIZERS = {
    "atlas": "words of the generated world",
    "files": "byte-level BPE of 16,000, trained on the passages",
    "hub": "that of the base model",
}
SHOP_TOKENIZERS = {"mini": "words of the generated shop"}
LIMITS = {
    "mini": "A model of about a million parameters in a generated world. Its baselines are the "
    "same model with another memory (full history after the same warm start and training, other "
    "memories over weights of the two), not the paper's models.",
    "ablations": "A model of about a million parameters in a generated world, under the memory "
    "of MEM1 alone: other memories have no row.",
    "smoke": "Next to no training and a handful of tasks: its numbers mean nothing.",
    "sample": "Real text, an oracle reader and no training: scores are the ceiling that retrieval "
    "sets, and contexts have the sizes of real text.",
    "paper": "The paper's own scale.",
    "base": "The base model alone.",
}


class Comparison(Section):
    """Two systems that differ in one thing."""

    kind: Literal["memory", "training"] = Field(
        description="memory: mem1 against full, same training; training: RL against SFT, "
        "same memory"
    )
    first: str = Field(description="system key: mem1, or after RL")
    second: str = Field(description="system key: full, or after SFT")
    stage: Stage = Field(description="memory: the training of both; training: rl")
    environment: EnvironmentName = Field(description="where both search")


class Analysis(Section):
    """Everything tables and figures depend on besides the records."""

    preset: str
    order: list[str] = Field(
        description="the systems as the configuration has them: a frozen file sorts its keys"
    )
    systems: dict[str, System] = Field(description="rows of the tables")
    replicas: dict[str, list[str]] = Field(
        description="system to the names of its records, one for each training seed"
    )
    horizons: list[int] = Field(description="objectives of the evaluation panels")
    bootstrap: int = Field(ge=100, description="resamples for the 95 % intervals")
    seed: int = Field(ge=0, description="root of the resampling streams")
    base_horizons: tuple[int, int] | None = Field(
        description="smallest and largest number of objectives the base model was trained on; "
        "null where no evaluated system descends from it"
    )
    sft_horizons: list[int] | None = Field(
        description="objectives of the supervised warm start; null where there was none"
    )
    rl_horizon: int | None = Field(description="objectives of the RL tasks; null without RL")
    tokenizer: str = Field(description="what a token is, in words")
    web_stand_in: bool = Field(
        description="the preset's passages stand in for the web that systems search"
    )
    comparisons: list[Comparison]
    runs: dict[str, Run] = Field(description="trainings whose curves are drawn")
    arms: list[Arm] = Field(description="what is compared in ablations; empty where nothing is")
    shop: "Analysis | None" = Field(
        default=None, description="the same for the systems that shop; null where there are none"
    )

    @model_validator(mode="before")
    @classmethod
    def _in_order(cls, values: Any) -> Any:
        """Systems in the order of the configuration again."""
        if not isinstance(values, dict) or not isinstance(values.get("systems"), dict):
            return values
        order = values.get("order")
        place = {name: i for i, name in enumerate(order if isinstance(order, list) else [])}
        names = sorted(values["systems"], key=lambda name: place.get(name, len(place)))
        return {**values, "systems": {name: values["systems"][name] for name in names}}

    @property
    def curves(self) -> list[str]:
        """Names of the figures that show trainings, as far as there are runs for them."""
        there = {
            "training": bool(self.runs),
            "figure6": any(run.stage == "rl" for run in self.runs.values()),
            "figure7": bool(format_pairs(self.arms)),
            "estimators": bool(estimators(self.arms)),
        }
        return [name for name, drawn in there.items() if drawn]

    @property
    def warm_start_to(self) -> int | None:
        """The largest number of objectives any supervised training covered."""
        covered = [*(self.base_horizons or []), *(self.sft_horizons or [])]
        return max(covered, default=None)

    def of_environment(self, environment: EnvironmentName) -> dict[str, System]:
        """The systems that search in ``environment``."""
        return {k: s for k, s in self.systems.items() if s.environment == environment}

    def evaluates(self, system: str, horizon: int) -> bool:
        """Whether ``system`` has a panel of ``horizon`` objectives."""
        own = self.systems[system].horizons
        return horizon in self.horizons and (own is None or horizon in own)

    def compared(
        self, kind: Literal["memory", "training"], environment: EnvironmentName = "wiki"
    ) -> list[Comparison]:
        """The comparisons of one kind in one environment, best trained first."""
        order: list[Stage] = ["rl", "sft", "given", "oracle"]
        found = [c for c in self.comparisons if (c.kind, c.environment) == (kind, environment)]
        return sorted(found, key=lambda comparison: order.index(comparison.stage))

    def trained_on(self) -> str:
        """Which horizons training covered, as one sentence."""
        parts = []
        if self.base_horizons:
            low, high = self.base_horizons
            parts.append(f"the base model on {low}-{high} objectives")
        if self.sft_horizons:
            parts.append(
                f"the warm start (SFT) on {', '.join(map(str, sorted(self.sft_horizons)))}"
            )
        if self.rl_horizon:
            parts.append(f"RL on {self.rl_horizon}")
        if not parts:
            return "No system here was trained."
        return f"Training covered: {'; '.join(parts)}."

    def trained_with(self) -> str:
        """Over what the intervals are, as one sentence."""
        repeated = max((len(names) for names in self.replicas.values()), default=1)
        if repeated > 1:
            return (
                f"Intervals are over tasks and over the {repeated} seeds that each training was "
                f"repeated with."
            )
        if any(len(arm.runs) > 1 for arm in self.arms):
            return (
                "Intervals of arms are over tasks and seeds, those of a single training over tasks."
            )
        if not self.runs:
            return "Intervals are over tasks."
        return (
            "Intervals are over tasks: each training has one seed, and how much another would "
            "change is in no interval."
        )

    def counted_in(self) -> str:
        """What a token is, in words, for every system."""
        own = {
            system.label: system.server.tokenizer if system.server else f"that of {system.model}"
            for system in self.systems.values()
            if system.server is not None or system.model is not None
        }
        others = "".join(f"; {label}: {name}" for label, name in own.items())
        return self.tokenizer + others

    def limits(self) -> list[str]:
        """What a reader must know before reading a verdict, in sentences."""
        own = LIMITS.get(self.preset)
        return [*([own] if own else []), self.trained_on(), self.trained_with()]


def _stages(config: Config, name: str) -> set[str]:
    """All that the weights of the system ``name`` went through: rl, sft, base."""
    run, seen = config.systems[name].run, set()
    while run is not None and run in config.runs:
        seen.add(config.runs[run].stage)
        run = config.runs[run].start
    return seen | ({"base"} if run == "base" else set())


def _recipe(config: Config, name: str) -> list[object]:
    """What the weights of the system ``name`` went through, with the settings of each training."""
    run, found = config.systems[name].run, list[object]()
    while run is not None and run in config.runs:
        shops = config.webshop is not None and run in config.webshop.runs
        settings = config.shop_settings_of(run) if shops else config.settings_of(run)
        found.append((config.runs[run].stage, settings))
        run = config.runs[run].start
    return [*found, run]


def _stage(system: System, config: Config) -> Stage:
    """The last training of ``system`` here; given: weights from elsewhere."""
    if system.run is not None:
        return config.runs[system.run].stage
    return "oracle" if system.engine == "oracle-reader" else "given"


def _comparisons(config: Config, names: list[str]) -> list[Comparison]:
    """Pairs of ``names`` that differ in the memory only, then in RL only."""
    systems = {name: config.systems[name] for name in names}

    def pairs(*fields: str) -> list[tuple[str, str]]:
        return [
            (first, second)
            for first in names
            for second in names
            if all(
                getattr(systems[first], field) == getattr(systems[second], field)
                for field in (*fields, "engine", "environment")
            )
        ]

    found = []
    for stage in ("rl", "sft", "given", "oracle"):
        for first, second in pairs("model", "revision", "server"):
            stages = {_stage(systems[name], config) for name in (first, second)}
            policies = systems[first].policy, systems[second].policy
            alike = _recipe(config, first) == _recipe(config, second)
            if stages == {stage} and policies == ("mem1", "full") and alike:
                place = systems[first].environment
                found.append(
                    Comparison(
                        kind="memory", first=first, second=second, stage=stage, environment=place
                    )
                )
    for first, second in pairs("policy", "prompt"):
        stages_in_order = tuple(_stage(systems[name], config) for name in (first, second))
        if stages_in_order == ("rl", "sft"):
            place = systems[first].environment
            found.append(
                Comparison(
                    kind="training", first=first, second=second, stage="rl", environment=place
                )
            )
    return found


def _replicas(config: Config, names: list[str]) -> dict[str, list[str]]:
    """Each of ``names`` with what its records are called, one for each seed that it has."""
    return {
        name: [own for seed in config.seeds if (own := replica(name, seed)) in config.systems]
        for name in names
    }


def analysis_section(config: Config) -> Analysis:
    """The part of ``config`` that tables and figures depend on."""
    names = [name for name in config.systems if MARK not in name]
    stages = set().union(*(_stages(config, name) for name in names))
    return Analysis(
        preset=config.preset,
        order=names,
        systems={name: config.systems[name] for name in names},
        replicas=_replicas(config, names),
        horizons=sorted(set(config.tasks.test_horizons)),
        bootstrap=config.evaluation.bootstrap,
        seed=config.seed,
        base_horizons=(1, config.base.largest_horizon) if "base" in stages else None,
        sft_horizons=sorted(set(config.sft.horizons)) if "sft" in stages else None,
        rl_horizon=config.tasks.train_horizon if "rl" in stages else None,
        tokenizer=TOKENIZERS[config.sources.kind],
        web_stand_in=any(stands_in(config, name) for name in names),
        comparisons=_comparisons(config, names),
        runs=config.runs,
        arms=arms(config),
        shop=_shop(config),
    )


def _shop(config: Config) -> Analysis | None:
    """What Table 2 depends on: a panel of one objective, the goal."""
    shop = config.webshop
    if shop is None or not shop.systems:
        return None
    names = [name for name in shop.systems if MARK not in name]
    own = config.model_copy(update={"runs": shop.runs, "systems": shop.systems})
    return Analysis(
        preset=config.preset,
        order=names,
        systems={name: shop.systems[name] for name in names},
        replicas=_replicas(own, names),
        horizons=[1],
        bootstrap=config.evaluation.bootstrap,
        seed=config.seed,
        base_horizons=None,
        sft_horizons=None,
        rl_horizon=None,
        tokenizer=SHOP_TOKENIZERS.get(shop.shop.protocol, "that of each model"),
        web_stand_in=False,
        comparisons=_comparisons(own, names),
        runs=shop.runs,
        arms=[],
    )
