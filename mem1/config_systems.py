"""Trainings, and the systems that are compared: the rows of the tables."""

from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from mem1.config_learning import Section
from mem1.config_paths import Inside
from mem1.config_retrieval import ADDRESS

UNVERIFIED = "unverified"
# A commit of the Hub. What nobody could look up is written `unverified`, and is not downloaded.
Revision = Annotated[str, Field(pattern=f"^([0-9a-f]{{40}}|{UNVERIFIED})$")]
Api = Literal["tokens", "text", "chat"]
Policy = Literal["mem1", "full", "truncate", "amem", "summary", "overwrite"]
PromptFormat = Literal[
    "mem1", "full", "search-r1", "deepresearcher", "instruct", "shop", "shop-full", "shop-instruct"
]
LongPrompt = Literal["instruct", "search-r1", "deepresearcher"]
EnvironmentName = Literal["wiki", "web", "webshop"]
EngineName = Literal["hf", "vllm", "vllm-server", "http", "oracle-reader"]
LOADED: frozenset[EngineName] = frozenset({"hf", "vllm", "vllm-server"})  # from a folder
SHOPS: frozenset[PromptFormat] = frozenset({"shop", "shop-full", "shop-instruct"})  # of WebShop


class Run(Section):
    """One training run."""

    stage: Literal["sft", "rl"] = Field(description="which section it takes its settings from")
    policy: Literal["mem1", "full"] = Field(description="what its contexts show of the past")
    start: str = Field(description="base, scratch, or the name of another run")
    seed: int = Field(ge=0, description="of its order, samples and weights from scratch")
    changes: dict[str, Any] = Field(
        default={}, description="settings of the section of its stage that this run has otherwise"
    )
    prompt: LongPrompt | None = Field(
        default=None,
        description="stage rl, or sft with a teacher: form of prompt, turns and tags; null: the "
        "short one of its policy, for small models",
    )

    @model_serializer(mode="wrap")
    def _without_prompt(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The usual form as if there were none, so that what has it stays the same section."""
        return {k: v for k, v in handler(self).items() if k != "prompt" or v is not None}


class Server(Section):
    """A model behind an OpenAI-compatible API. Its key comes from the environment."""

    url: str = Field(
        pattern=ADDRESS, description="root of the API, for example http://127.0.0.1:8000/v1"
    )
    model: str = Field(min_length=1, description="name that the server knows the model by")
    api: Api = Field(
        description="tokens: /completions with token ids, as vLLM takes them; text: /completions "
        "with text; chat: /chat/completions, for servers that have nothing else"
    )
    tokenizer: Inside = Field(
        min_length=1,
        description="a folder, or a name on the Hub: the model's tokenizer; with text and chat "
        "it only counts",
    )
    revision: Revision | None = Field(
        default=None, description="of tokenizer on the Hub: the commit; null for a folder"
    )
    key: str | None = Field(
        default=None,
        pattern="^[A-Za-z_][A-Za-z0-9_]*$",
        description="environment variable that holds the key; null: none is sent",
    )
    concurrency: int = Field(default=10, ge=1, le=1024, description="requests at once; paper 10")
    timeout: float = Field(
        default=120.0, gt=0, description="seconds without a byte after which a request failed"
    )
    retries: int = Field(default=8, ge=0, le=100, description="of a request that failed")


class System(Section):
    """One row of a table: weights x context policy x prompt format x environment."""

    label: str = Field(description="name in tables and figures")
    engine: EngineName = Field(
        description="hf: a model in process; vllm: the same with vLLM; vllm-server: with a server "
        "of vLLM (section vllm); http: a served model; oracle-reader: searches the question, "
        "answers with the gold if it was retrieved"
    )
    run: str | None = Field(
        default=None, description="hf, vllm: training run that gives the weights, or null"
    )
    model: Inside | None = Field(
        default=None,
        min_length=1,
        description="hf, vllm, in place of run: a folder, or a name on the Hub; its own tokenizer "
        "holds",
    )
    revision: Revision | None = Field(
        default=None, description="of model on the Hub: the commit; null for a folder"
    )
    server: Server | None = Field(default=None, description="http: where the model is served")
    policy: Policy = Field(description="what its contexts show of the past")
    prompt: PromptFormat = Field(description="form of prompt, turns and tags")
    environment: EnvironmentName = Field(
        default="wiki",
        description="wiki: the preset's retriever; web: search results of the web, all of "
        "retrieval.web.results shown (a stand-in where sources.kind is atlas or files)",
    )
    horizons: list[Annotated[int, Field(ge=1, le=64)]] | None = Field(
        default=None,
        description="objectives of the panels it is evaluated on; null: all; empty: a teacher only",
    )
    paper: str | None = Field(
        default=None, description="row of the paper's tables it corresponds to"
    )

    @model_validator(mode="after")
    def _weights(self) -> "System":
        named = [name for name in ("run", "model", "server") if getattr(self, name) is not None]
        sources = {"http": ["server"], "oracle-reader": []}.get(self.engine, ["run", "model"])
        if len(named) != min(1, len(sources)) or not set(named) <= set(sources):
            raise ValueError(
                f"engine {self.engine} needs {' or '.join(sources) or 'none'} of run, model and "
                f"server; {' and '.join(named) or 'none'} is given"
            )
        if self.revision is not None and self.model is None:
            raise ValueError("revision belongs to model, which is null")
        return self


class Evaluation(Section):
    """Decoding and statistics."""

    temperature: float = Field(ge=0, le=2, description="0: greedy; paper 0.01")
    batch: int = Field(ge=1, description="trajectories decoded together")
    bootstrap: int = Field(ge=100, description="resamples for the 95 % intervals")
