"""Ablations: which reinforcement learning runs are compared, derived from the configuration.

Runs of one context policy that start from the same weights and differ in nothing but the seed
are an *arm*. Arms of one start are a family, and a family of two runs or more is an ablation;
its first arm, in the order of the configuration, is what the others are compared with. With one
run for each policy there is none. What ``seeds`` of the configuration repeats are seeds of one
arm, each from the start of its own seed, and no ablation by itself.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from mem1.config import Config
from mem1.config_learning import Rl, Section
from mem1.config_seeds import plain

NAMES = {"ppo": "PPO", "grpo": "GRPO", "reinforce++": "REINFORCE++"}
SHOWN = ("estimator", "packing", "format_reward")  # settings that every label tells


class Arm(Section):
    """Training runs that differ in their seed alone."""

    label: str = Field(description="name in tables and figures")
    family: str = Field(description="context policy and start, which arms that compare share")
    estimator: Literal["ppo", "grpo", "reinforce++"]
    kl_in: Literal["reward", "loss"]
    packing: Literal["tree", "stitched", "stitched-restarted"]
    format_reward: bool
    otherwise: dict[str, Any] = Field(
        description="further settings that differ from the first arm of the same estimator"
    )
    runs: dict[str, str | None] = Field(
        description="run to the system that plays its weights under its policy; null: none does"
    )

    @property
    def name(self) -> str:
        """The label with the number of seeds."""
        seeds = len(self.runs)
        return f"{self.label}; {seeds} seed{'' if seeds == 1 else 's'}"

    def differs_in(self, other: "Arm") -> set[str]:
        """Which of the fields that say what an arm is are not those of ``other``."""
        fields = ("family", *SHOWN, "kl_in", "otherwise")
        return {name for name in fields if getattr(self, name) != getattr(other, name)}


def _settings(config: Config, run: str) -> dict[str, Any]:
    """The settings of ``run``, flat, names dotted; without a critic where it has none."""
    settings = config.settings_of(run)
    values = settings.model_dump()
    if isinstance(settings, Rl) and settings.estimator != "ppo":
        values.pop("critic")

    def flat(section: dict[str, Any], prefix: str = "") -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in section.items():
            nested = isinstance(value, dict)
            found |= flat(value, f"{prefix}{name}.") if nested else {f"{prefix}{name}": value}
        return found

    return flat(values)


def _system(config: Config, run: str) -> str | None:
    """The first system that plays ``run`` under its policy, and searches where it was trained."""
    wanted = run, config.runs[run].policy, "wiki"
    return next(
        (n for n, s in config.systems.items() if (s.run, s.policy, s.environment) == wanted), None
    )


def _label(settings: dict[str, Any], otherwise: dict[str, Any]) -> str:
    parts = [NAMES[settings["estimator"]]]
    if settings["packing"] != "tree":
        parts.append(settings["packing"])
    if settings["format_reward"]:
        parts.append("format reward")
    return ", ".join([*parts, *(f"{name} {value}" for name, value in otherwise.items())])


def arms(config: Config) -> list[Arm]:
    """The arms of all ablations, in the order of the configuration."""
    families: dict[str, list[str]] = defaultdict(list)
    for name, run in config.runs.items():
        if run.stage == "rl":
            families[f"{run.policy} from {plain(run.start)}"].append(name)
    compared = {family: runs for family, runs in families.items() if len(set(map(plain, runs))) > 1}
    return [
        arm
        for family, runs in compared.items()
        for arm in _family(config, family, runs, f"{family}: " if len(compared) > 1 else "")
    ]


def _family(config: Config, family: str, runs: Sequence[str], prefix: str) -> list[Arm]:
    """The arms of one family; ``prefix`` stands before their labels."""
    alike: list[tuple[dict[str, Any], list[str]]] = []
    for run in runs:
        settings = _settings(config, run)
        same = next((names for known, names in alike if known == settings), None)
        if same is None:
            alike.append((settings, [run]))
        else:
            same.append(run)
    found = []
    for settings, names in alike:
        first = next(s for s, _ in alike if s["estimator"] == settings["estimator"])
        otherwise = {
            name: value
            for name, value in settings.items()
            if name not in SHOWN and first[name] != value
        }
        found.append(
            Arm(
                label=prefix + _label(settings, otherwise),
                family=family,
                **{name: settings[name] for name in (*SHOWN, "kl_in")},
                otherwise=otherwise,
                runs={name: _system(config, name) for name in names},
            )
        )
    return found


def firsts(arms: Sequence[Arm]) -> dict[str, Arm]:
    """Family to its first arm."""
    found: dict[str, Arm] = {}
    for arm in arms:
        found.setdefault(arm.family, arm)
    return found


def estimators(arms: Sequence[Arm]) -> list[Arm]:
    """Arms of a family that differ in the estimator alone; none where only one was used.

    Where the KL penalty counts goes with the estimator: in the reward of tokens with a critic only.
    """
    found = []
    for first in firsts(arms).values():
        same = [arm for arm in arms if arm.differs_in(first) <= {"estimator", "kl_in"}]
        found += same if len(same) > 1 else []
    return found


def format_pairs(arms: Sequence[Arm]) -> list[tuple[Arm, Arm]]:
    """Arms with and without the format reward that differ in nothing else."""
    return [
        (one, other)
        for one in arms
        for other in arms
        if one.format_reward and one.differs_in(other) == {"format_reward"}
    ]
