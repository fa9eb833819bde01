"""The frozen sections of evaluation and distillation: what decides a trajectory, nothing else.

Labels, bootstrap resamples and the like are no part of it: changing them repeats no rollout.
"""

from typing import Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from mem1.config import Agent, Config
from mem1.config_learning import Filter, Section
from mem1.config_retrieval import Retrieval, Split
from mem1.config_systems import (
    EngineName,
    LongPrompt,
    Policy,
    PromptFormat,
    Revision,
    Server,
    System,
)
from mem1.config_vllm import Vllm
from mem1.config_webshop import Shop
from mem1.errors import InputError


class HubModel(Section):
    """A checkpoint of the Hugging Face Hub."""

    name: str
    revision: Revision


class EvaluationRun(Section):
    """One system, ready to run on any panel of tasks. Weights in a folder are no part of it."""

    engine: EngineName
    hub: HubModel | None = Field(
        default=None, description="hf, vllm: weights that are in no folder"
    )
    server: Server | None = Field(default=None, description="http: where the model is served")
    policy: Policy
    prompt: PromptFormat
    agent: Agent
    k: int = Field(ge=1, description="passages or web results shown for a query")
    temperature: float = Field(ge=0, le=2, description="0: greedy")
    batch: int = Field(ge=1, description="trajectories decoded together")
    seed: int = Field(ge=0, description="root of all named random streams")
    retrieval: Retrieval | None = Field(
        default=None, description="null: BM25 in process, whose index knows its own settings"
    )
    stand_in: Retrieval | None = Field(
        default=None,
        description="in place of retrieval: what the index was built with that stands in for the "
        "web, asked for k results",
    )
    shop: Shop | None = Field(default=None, description="WebShop, in place of all retrieval")
    vllm: Vllm | None = Field(default=None, description="null: it runs without vLLM")

    @model_serializer(mode="wrap")
    def _without_unused(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without shop or vLLM as if there were none, so that no other section changes by it."""
        off = {"shop", "vllm"}
        return {k: v for k, v in handler(self).items() if k not in off or v is not None}

    @property
    def searches_index(self) -> bool:
        """Whether an index is searched, in this process or by a stand-in for the web."""
        if self.stand_in is not None or self.retrieval is None:
            return True
        return self.retrieval.searches_index


def stands_in(config: Config, system_name: str) -> bool:
    """Whether the passages of the preset stand in for the web that the system searches.

    They do where questions are about nothing the web knows, or about local files.
    """
    web = config.systems[system_name].environment == "web"
    return web and config.retrieval.kind != "web" and config.sources.kind != "hub"


def evaluation_run(config: Config, system_name: str, split: Split = "test") -> EvaluationRun:
    """The frozen section of the system ``system_name``, a key of ``config.systems``.

    Args:
        config: the whole configuration.
        system_name: which system.
        split: whose passages it searches.

    Raises:
        InputError: it searches the web, and ``retrieval.web`` is null.
    """
    system = config.systems[system_name]
    retrieval, k = config.retrieval.at(split), config.retrieval.k
    if system.environment == "web":
        if retrieval.web is None:
            raise InputError(
                f"systems.{system_name}.environment is web, and retrieval.web is null: fill it in."
            )
        k = retrieval.web.results
    stand_in = stands_in(config, system_name)
    if system.environment == "web" and not stand_in:
        asked = {**dict(retrieval), "url": None, "k": min(k, 20)}
        retrieval = Retrieval.model_validate(asked).of_kind("web")
    plain = retrieval.kind == "bm25" and retrieval.used() == retrieval.built()
    return EvaluationRun(
        engine=system.engine,
        hub=_hub(system),
        server=system.server,
        policy=system.policy,
        prompt=system.prompt,
        agent=config.agent.used_by(system.policy),
        k=k,
        temperature=config.evaluation.temperature,
        batch=config.evaluation.batch,
        seed=config.seed,
        retrieval=None if plain or stand_in else retrieval.used(),
        stand_in=retrieval.built() if stand_in else None,
        vllm=_vllm(config, system.engine),
    )


def shop_evaluation(config: Config, system_name: str) -> EvaluationRun:
    """The frozen section of the system ``system_name``, a key of ``config.webshop.systems``.

    Raises:
        InputError: the section webshop is null.
    """
    webshop = config.needed_webshop()
    system = webshop.systems[system_name]
    return EvaluationRun(
        engine=system.engine,
        hub=_hub(system),
        server=system.server,
        policy=system.policy,
        prompt=system.prompt,
        agent=config.shop_agent().used_by(system.policy),
        k=1,  # one page
        temperature=config.evaluation.temperature,
        batch=config.evaluation.batch,
        seed=config.seed,
        shop=webshop.shop,
        vllm=_vllm(config, system.engine),
    )


def _hub(system: System) -> HubModel | None:
    """The checkpoint of the Hub that ``system`` names, if it names one."""
    if system.model is None or system.revision is None:
        return None
    return HubModel(name=system.model, revision=system.revision)


def _vllm(config: Config, engine: EngineName) -> Vllm | None:
    """The settings of vLLM, where it is the engine; a server that stands elsewhere has no part."""
    if engine not in ("vllm", "vllm-server"):
        return None
    return config.vllm.model_copy(update={"url": None, "key": None})


class DistillRun(Section):
    """A system that teaches: what it tries, and what is kept of it."""

    teacher: EvaluationRun
    prompt: LongPrompt | None = Field(
        default=None, description="form of those who learn from it; null: the short one"
    )
    horizons: list[int] = Field(
        min_length=1, description="objectives of its tasks, drawn uniformly"
    )
    max_turns: dict[int, int] = Field(description="turn budget by number of objectives")
    tasks: int = Field(ge=1, description="tasks that it tries")
    filter: Filter


def distill_run(config: Config, system_name: str) -> DistillRun:
    """The frozen section of the teacher ``system_name``, a key of ``config.systems``.

    Raises:
        InputError: a turn budget is missing for one of its numbers of objectives.
    """
    horizons = sorted(set(config.sft.horizons))
    return DistillRun(
        teacher=evaluation_run(config, system_name, "train"),
        prompt=next((config.runs[k].prompt for k in config.learners(system_name)), None),
        horizons=horizons,
        max_turns={horizon: config.tasks.turns_for(horizon) for horizon in horizons},
        tasks=config.distill.tasks,
        filter=config.distill.filter,
    )
