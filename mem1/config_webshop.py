"""WebShop: the shop, its goals, and the trainings and systems that are compared in it.

A section of its own, so that nothing in it can change what the questions' stages read.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from mem1.config_learning import Optimizer, Section, ShopImperfections
from mem1.config_paths import Inside, Name
from mem1.config_systems import SHOPS, Run, System


class Shop(Section):
    """The shop, as ``mem1.envs.webshop`` opens it."""

    protocol: Literal["mini", "official-1k-synthetic", "human"] = Field(
        description="which catalogue and goals; see docs/webshop.md"
    )
    catalogue: Inside | None = Field(
        description="folder of the published files, seen from the repository; null: generated"
    )
    mode: Literal["compact", "text", "text_rich"] = Field(description="how pages read")

    @model_validator(mode="after")
    def _catalogue_of_protocol(self) -> "Shop":
        if (self.protocol == "mini") != (self.catalogue is None):
            raise ValueError(
                "protocol mini makes its catalogue (catalogue: null), the others need a folder"
            )
        return self


class ShopTasks(Section):
    """Goals that are drawn, without repetition, from all of a split's."""

    train_count: int = Field(ge=1, description="goals to train on with reward")
    test_count: int = Field(ge=1, description="goals of the evaluation panel")
    max_turns: int = Field(ge=1, description="turns of an episode; paper 10")


class ShopSft(Section):
    """Learning to shop from a script, in generated catalogues that are new all the time."""

    steps: int = Field(ge=1, description="optimizer steps")
    tokens: int = Field(ge=500, description="tokens of one step, context and padding included")
    products: int = Field(ge=20, le=800, description="products of a catalogue")
    goals: int = Field(ge=1, description="goals played in a catalogue")
    catalogues_at_once: int = Field(ge=1, description="catalogues that are mixed")
    muon_lr: float = Field(gt=0, lt=1, description="peak learning rate of Muon (matrices)")
    context_share: float = Field(ge=0, le=1, description="share of the context in the loss too")
    context_weight: float = Field(ge=0, description="weight of its mean loss")
    largest_offset: int = Field(ge=0, description="position ids start at random up to this one")
    precision: Literal["fp32", "bf16"] = Field(description="bf16: autocast, weights in fp32")
    imperfections: ShopImperfections
    optimizer: Optimizer
    checkpoint_every: int = Field(ge=1, description="steps between checkpoints")


class WebShop(Section):
    """Everything about WebShop; null in a preset leaves it out."""

    shop: Shop
    tasks: ShopTasks
    agent: dict[str, Any] = Field(description="settings of the section agent that differ here")
    sft: ShopSft
    rl: dict[str, Any] = Field(description="settings of the section rl that differ here")
    runs: dict[Name, Run] = Field(description="as in the section runs; start: base or a run here")
    systems: dict[Name, System] = Field(description="as in the section systems")

    @model_validator(mode="after")
    def _runs_of_shops(self) -> "WebShop":
        for name, run in self.runs.items():
            if run.prompt is not None:
                raise ValueError(f"runs.{name}.prompt is for questions: take it away in a shop")
            others = {n for n, other in self.runs.items() if other.stage == "sft"} - {name}
            allowed = {"base"} if run.stage == "sft" else others
            if run.start not in allowed:
                raise ValueError(
                    f"runs.{name}.start is {run.start!r}: a run of stage {run.stage} starts from "
                    f"{' or '.join(sorted(allowed)) or 'one of stage sft, which is missing'}"
                )
            if self.shop.protocol != "mini":
                raise ValueError(
                    f"runs.{name}: agents are trained on protocol mini only; take the runs away "
                    f"(null), or use that protocol"
                )
        return self

    @model_validator(mode="after")
    def _systems_of_shops(self) -> "WebShop":
        for name, system in self.systems.items():
            if system.environment != "webshop" or system.prompt not in SHOPS:
                raise ValueError(
                    f"systems.{name}: give it environment: webshop and a prompt of "
                    f"{', '.join(sorted(SHOPS))}"
                )
            if system.engine == "oracle-reader" or system.horizons is not None:
                raise ValueError(f"systems.{name}: a shop has no oracle-reader and no horizons")
            if system.run is not None and system.run not in self.runs:
                raise ValueError(
                    f"systems.{name}.run is {system.run!r}: use one of {sorted(self.runs)}"
                )
        return self


def without_removed(values: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` less the entries of runs and systems that are null."""
    kept = dict(values)
    for section in ("runs", "systems"):
        if isinstance(kept.get(section), Mapping):
            kept[section] = {k: v for k, v in kept[section].items() if v is not None}
    return kept
