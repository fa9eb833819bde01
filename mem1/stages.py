"""What each stage of the workflow gets to see of the configuration.

The workflow freezes each of these to ``results/<preset>/config/<name>.json``, and a stage
reads its own file only: what is not in the file cannot influence the stage, and changing a
setting plans just the stages whose file changes. So a stage's section holds all it needs,
and nothing that it does not need.
"""

from collections.abc import Callable, Iterable
from typing import Any

from pydantic import Field, SerializerFunctionWrapHandler, ValidationError, model_serializer

from mem1.config import Agent, Config, Model, Run, Tasks, World
from mem1.config_learning import Base, Rl, Section, Sft
from mem1.config_retrieval import Encoder, Retrieval
from mem1.config_vllm import Vllm
from mem1.config_webshop import Shop, ShopSft, ShopTasks
from mem1.errors import InputError


class WithVllm(Section):
    """What may run vLLM."""

    vllm: Vllm | None = Field(default=None, description="null: it runs without vLLM")

    @model_serializer(mode="wrap")
    def _without_vllm(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without vLLM as if there were none, so that no other section changes by it."""
        return {k: v for k, v in handler(self).items() if k != "vllm" or v is not None}


class TrainingRun(WithVllm):
    """One training run: its own settings and those of everything it is fed with.

    ``world`` and ``tasks`` made the files that the run reads. They are here because those
    files are no triggers of their own (a training is not repeated for a new time stamp).
    """

    name: str = Field(description="name of the run")
    seed: int = Field(ge=0, description="root of all named random streams")
    run: Run
    world: World
    retrieval: Retrieval
    agent: Agent
    max_turns: dict[int, int] = Field(
        description="turn budget by number of objectives, for those the run trains on"
    )
    tasks: Tasks | None = Field(description="rl: what its training tasks were made with")
    model: Model | None = Field(description="shape, when the run starts from scratch")
    sft: Sft | None = Field(description="settings of the stage; null for a run of stage rl")
    rl: Rl | None = Field(description="settings of the stage; null for a run of stage sft")


class ShopGoals(Section):
    """The goals of every split: what a panel of WebShop is made with."""

    shop: Shop
    tasks: ShopTasks


class ShopRun(WithVllm):
    """One training run in WebShop: its own settings and those of everything it is fed with."""

    name: str = Field(description="name of the run")
    seed: int = Field(ge=0, description="root of all named random streams")
    run: Run
    shop: Shop
    tasks: ShopTasks
    agent: Agent
    sft: ShopSft | None = Field(description="settings of the stage; null for a run of stage rl")
    rl: Rl | None = Field(description="settings of the stage; null for a run of stage sft")


class BaseRun(Section):
    """The training of the base model, which needs no other stage before it."""

    seed: int = Field(ge=0, description="root of all named random streams")
    base: Base
    model: Model
    world: World
    retrieval: Retrieval
    agent: Agent
    max_turns: dict[int, int] = Field(
        description="turn budget by number of objectives, for all that base.growth spans"
    )


def budgets(tasks: Tasks, horizons: Iterable[int]) -> dict[int, int]:
    """The turn budget of each of ``horizons``.

    Raises:
        InputError: ``tasks.max_turns`` does not reach one of them.
    """
    return {horizon: tasks.turns_for(horizon) for horizon in sorted(set(horizons))}


def panel(tasks: Tasks, split: str, horizon: int) -> Tasks:
    """``tasks`` narrowed to the one panel of ``split`` with ``horizon`` objectives.

    What concerns other panels gets a value that says "none", so that a change to it leaves
    this panel alone.
    """
    training = split == "train"
    return Tasks(
        train_horizon=horizon,
        train_count=tasks.train_count if training else 0,
        test_horizons=[] if training else [horizon],
        test_count=1 if training else tasks.test_count,
        consecutive=tasks.consecutive,
        max_turns=budgets(tasks, [horizon]),
    )


def training_run(config: Config, name: str) -> TrainingRun:
    """The frozen section of the training run ``name``, a key of ``config.runs``.

    Raises:
        InputError: a turn budget is missing for one of its numbers of objectives.
    """
    run = config.runs[name]
    settings = config.settings_of(name)
    sft, rl = (settings, None) if isinstance(settings, Sft) else (None, settings)
    if rl is not None and rl.estimator != "ppo":  # no critic: its settings must not matter
        rl = rl.model_copy(update={"critic": None})
    horizons = [config.tasks.train_horizon] if sft is None else sft.horizons
    return TrainingRun(
        name=name,
        seed=config.seed,
        run=run.model_copy(update={"changes": {}}),  # they are in the settings
        world=config.world,
        retrieval=config.retrieval.used().at("train"),
        agent=config.agent.used_by(run.policy),
        max_turns=budgets(config.tasks, horizons),
        tasks=panel(config.tasks, "train", config.tasks.train_horizon) if sft is None else None,
        model=config.model if run.start == "scratch" else None,
        sft=sft,
        rl=rl,
        vllm=_vllm(config, rl),
    )


def shop_run(config: Config, name: str) -> ShopRun:
    """The frozen section of the training run ``name``, a key of ``config.webshop.runs``.

    Raises:
        InputError: the section webshop is null.
    """
    goals = shop_goals(config)
    run = config.needed_webshop().runs[name]
    settings = config.shop_settings_of(name)
    sft, rl = (None, settings) if isinstance(settings, Rl) else (settings, None)
    if rl is not None and rl.estimator != "ppo":
        rl = rl.model_copy(update={"critic": None})
    return ShopRun(
        name=name,
        seed=config.seed,
        run=run.model_copy(update={"changes": {}}),
        shop=goals.shop,
        tasks=goals.tasks,
        agent=config.shop_agent().used_by(run.policy),
        sft=sft,
        rl=rl,
        vllm=_vllm(config, rl),
    )


def _vllm(config: Config, rl: Rl | None) -> Vllm | None:
    """The settings of vLLM, where it collects."""
    return None if rl is None or rl.rollout == "hf" else config.vllm


def shop_goals(config: Config) -> ShopGoals:
    """What the panels of WebShop are made with.

    Raises:
        InputError: the section webshop is null.
    """
    webshop = config.needed_webshop()
    return ShopGoals(shop=webshop.shop, tasks=webshop.tasks)


def base_run(config: Config) -> BaseRun:
    """The frozen section of the base model's training.

    Raises:
        InputError: a turn budget is missing for one of its numbers of objectives.
    """
    largest = config.base.largest_horizon
    return BaseRun(
        seed=config.seed,
        base=config.base,
        model=config.model,
        world=config.world,
        retrieval=config.retrieval.of_kind("bm25").built(),  # it makes its own indices
        agent=config.agent.used_by("mem1"),
        max_turns=budgets(config.tasks, range(1, largest + 1)),
    )


def encoder(config: Config) -> Encoder:
    """The encoder of passages, which knows nothing of the index that they go into.

    Raises:
        InputError: there is none.
    """
    if config.retrieval.dense is None:
        raise InputError("retrieval.dense is null: name an encoder there.")
    return config.retrieval.dense.encoder


def retrieval_report(config: Config) -> Retrieval:
    """What the compared retrievers need: both indices, and how they are fused.

    ``k`` is how many passages of a query are looked at.

    Raises:
        InputError: there is nothing to compare, or a section is missing.
    """
    k = config.retrieval_report.k
    if k is None:
        raise InputError("retrieval_report.k is null: say how many passages are looked at.")
    try:
        return config.retrieval.of_kind("hybrid").built().model_copy(update={"k": k})
    except ValidationError as error:
        raise InputError(
            "retrieval_report compares what retrieval.dense and retrieval.hybrid describe: one of "
            "them is null, fill it in."
        ) from error


def frozen(config: Config, stage: str) -> Section:
    """The frozen section that is called ``stage``.

    Names: ``world``, ``sources``, ``retrieval``, ``encoder``, ``retrieval_report``,
    ``base``, ``mask_gap``, ``webshop``, ``analysis``, ``tasks-<split>-<horizon>``, ``run-<run>``,
    ``eval-<system>``, ``distill-<system>`` and, for kind hub, ``sources-<train, test or corpus>``.

    Raises:
        InputError: there is no such stage in this configuration.
    """
    from mem1.agent.settings import distill_run, evaluation_run, shop_evaluation
    from mem1.analysis.settings import analysis_section
    from mem1.tasks.imports import hub_import

    whole: dict[str, Callable[[], Section]] = {
        "world": lambda: config.world,
        "sources": lambda: config.sources,
        "retrieval": lambda: config.retrieval.built(),
        "encoder": lambda: encoder(config),
        "retrieval_report": lambda: retrieval_report(config),
        "base": lambda: base_run(config),
        "mask_gap": lambda: config.mask_gap,
        "webshop": lambda: shop_goals(config),
        "analysis": lambda: analysis_section(config),
    }
    if stage in whole:
        return whole[stage]()
    kind, _, name = stage.partition("-")
    if kind == "run" and name in config.runs:
        return training_run(config, name)
    if kind == "eval" and name in config.systems:
        return evaluation_run(config, name)
    shop = config.webshop
    if shop is not None and kind == "run" and name in shop.runs:
        return shop_run(config, name)
    if shop is not None and kind == "eval" and name in shop.systems:
        return shop_evaluation(config, name)
    if kind == "distill" and name in config.systems:
        return distill_run(config, name)
    if kind == "sources":
        return hub_import(config.sources, name)
    split, _, horizon = name.partition("-")
    if kind == "tasks" and horizon.isdecimal():
        return panel(config.tasks, split, int(horizon))
    runs = sorted([*config.runs, *(shop.runs if shop else ())])
    systems = sorted([*config.systems, *(shop.systems if shop else ())])
    raise InputError(
        f"There is no stage {stage!r}: use {', '.join(whole)}, sources-<split or corpus>, "
        f"tasks-<split>-<objectives>, run-<one of {runs}>, or eval- or distill-<one of {systems}>."
    )
