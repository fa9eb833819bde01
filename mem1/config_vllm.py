"""The settings of vLLM: how it runs, and how it is given new weights."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from mem1.config_learning import Section
from mem1.config_retrieval import ADDRESS


class Vllm(Section):
    """vLLM as what collects (``rl.rollout``) or evaluates (``engine`` of a system)."""

    python: str | None = Field(
        description="Python of the environment that a server runs in; null: the environment "
        "variable MEM1_VLLM_PYTHON, else this Python"
    )
    url: Annotated[str, Field(pattern=ADDRESS)] | None = Field(
        description="trainings: root of a server that was started by hand (docs/vllm.md), which is "
        "used and never stopped; null: one is started and stopped"
    )
    key: str | None = Field(
        description="url: environment variable that holds its key; null: none is sent"
    )
    dtype: Literal["float32", "bfloat16", "float16"] = Field(
        description="of weights and activations; what the trainer computes in, or less"
    )
    max_num_seqs: int = Field(ge=1, description="sequences that are decoded together")
    block_size: int | None = Field(
        ge=1,
        description="tokens of a block of keys and values, the unit of the prefix cache; on a CPU "
        "a multiple of 32; null: vLLM's",
    )
    kv_cache_bytes: int | None = Field(
        ge=1, description="memory for keys and values; null (GPUs only): what gpu_memory leaves"
    )
    gpu_memory: float = Field(
        gt=0, le=1, description="GPUs: share of the memory of each that vLLM takes"
    )
    tensor_parallel: int = Field(ge=1, description="GPUs that share each layer")
    eager: bool = Field(description="true: nothing is compiled or captured; needed on a CPU")
    sleep: bool = Field(
        description="GPUs: true: memory is given back while the policy is updated, for vLLM on "
        "the GPUs of the training"
    )
    transfer: Literal["file", "nccl", "ipc"] = Field(
        description="how new weights travel: file: safetensors in shared memory, on any machine; "
        "nccl and ipc: from GPU to GPU (never run so far)"
    )
    probes: int = Field(
        ge=1, le=64, description="prompts whose log-probabilities are compared after an update"
    )
    largest_gap: float = Field(
        gt=0,
        description="nats between engine and trainer in that comparison above which the training "
        "stops",
    )
    restarts: int = Field(
        ge=0,
        le=100,
        description="how often a server that is lost in a round, or in an evaluation, is started "
        "again",
    )
    start_timeout: float = Field(gt=0, description="seconds until a server must answer")
    timeout: float = Field(gt=0, description="seconds without an answer: a server is lost")

    @model_validator(mode="after")
    def _belongs_together(self) -> "Vllm":
        if self.key is not None and self.url is None:
            raise ValueError("key belongs to url, which is null")
        return self
