"""What analysis needs of the configuration, frozen to ``analysis.json``.

Also which systems are compared: the paper's headline compares MEM1 with a larger untrained
model (Qwen2.5-14B-Instruct); here MEM1 is compared with full history *trained the same way*,
so that only the memory differs.
"""

from typing import Literal

from pydantic import Field

from mem1.analysis.arms import Arm, arms, estimators, format_pairs
from mem1.config import Config, Run, System
from mem1.config_learning import Section

Stage = Literal["rl", "sft", "oracle"]
TOKENIZERS = {
    "atlas": "words of the generated world",
    "files": "byte-level BPE of 16,000, trained on the passages",
    "hub": "that of the base model",
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


class Analysis(Section):
    """Everything tables and figures depend on besides the records."""

    preset: str
    systems: dict[str, System]
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
    comparisons: list[Comparison]
    runs: dict[str, Run] = Field(description="trainings whose curves are drawn")
    arms: list[Arm] = Field(description="what is compared in ablations; empty where nothing is")

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


def _stages(config: Config, name: str) -> set[str]:
    """All that the weights of the system ``name`` went through: rl, sft, base."""
    run, seen = config.systems[name].run, set()
    while run is not None and run in config.runs:
        seen.add(config.runs[run].stage)
        run = config.runs[run].start
    return seen | ({"base"} if run == "base" else set())


def _stage(config: Config, name: str) -> Stage:
    """The last training of the system ``name``."""
    run = config.systems[name].run
    return "oracle" if run is None else config.runs[run].stage


def _comparisons(config: Config) -> list[Comparison]:
    """Pairs of systems that differ in the memory only, then in RL only."""
    names = list(config.systems)
    pairs = []
    for stage in ("rl", "sft", "oracle"):
        same = [name for name in names if _stage(config, name) == stage]
        pairs += [
            Comparison(kind="memory", first=first, second=second, stage=stage)
            for first in same
            for second in same
            if config.systems[first].policy == "mem1" and config.systems[second].policy == "full"
        ]
    for first in names:
        for second in names:
            alike = all(
                getattr(config.systems[first], field) == getattr(config.systems[second], field)
                for field in ("policy", "prompt")
            )
            if alike and (_stage(config, first), _stage(config, second)) == ("rl", "sft"):
                pairs.append(Comparison(kind="training", first=first, second=second, stage="rl"))
    return pairs


def analysis_section(config: Config) -> Analysis:
    """The part of ``config`` that tables and figures depend on."""
    stages = set().union(*(_stages(config, name) for name in config.systems))
    return Analysis(
        preset=config.preset,
        systems=config.systems,
        horizons=sorted(set(config.tasks.test_horizons)),
        bootstrap=config.evaluation.bootstrap,
        seed=config.seed,
        base_horizons=(1, config.base.largest_horizon) if "base" in stages else None,
        sft_horizons=sorted(set(config.sft.horizons)) if "sft" in stages else None,
        rl_horizon=config.tasks.train_horizon if "rl" in stages else None,
        tokenizer=TOKENIZERS[config.sources.kind],
        comparisons=_comparisons(config),
        runs=config.runs,
        arms=arms(config),
    )
