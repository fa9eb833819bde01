"""vLLM on a CPU: one engine in process and one server for all tests, because they take long.

`make test-vllm` runs these in an environment that has vLLM. In another one those that need a server
alone run too, where MEM1_VLLM_PYTHON names a Python that has it.
"""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mem1.agent.engines.hf import HFEngine
from mem1.agent.engines.vllm import process
from mem1.agent.engines.vllm.arguments import engine_arguments
from mem1.agent.engines.vllm.served import Address, ServedVLLM
from mem1.agent.text import Codec
from mem1.config_vllm import Vllm
from mem1.retrieval.transport import Patience
from mem1.train.model import load_model
from tests.unit.agent.engines.openai_server import BASE

HERE = importlib.util.find_spec("vllm") is not None
ANYWHERE = HERE or "MEM1_VLLM_PYTHON" in os.environ
MOST = 4096  # tokens of a context with its output
SETTINGS = Vllm(
    python=None, url=None, key=None, dtype="float32", max_num_seqs=16, block_size=32,
    kv_cache_bytes=128 << 20, gpu_memory=0.5, tensor_parallel=1, eager=True, sleep=False,
    transfer="file", probes=2, largest_gap=1e-3, restarts=1, start_timeout=600, timeout=300,
)  # fmt: skip
WEIGHTS = BASE / "model.safetensors"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    folder = Path(__file__).parent
    missing = pytest.mark.skip(reason="vLLM is not installed: make test-vllm")
    for item in items:
        if folder in item.path.parents:
            item.add_marker(pytest.mark.vllm)
            if not ANYWHERE:
                item.add_marker(missing)


@pytest.fixture(scope="session")
def base() -> tuple[Codec, HFEngine]:
    """The committed base model in process."""
    model, codec = load_model(BASE)
    return codec, HFEngine(model, codec)


@pytest.fixture(scope="session")
def local(base: tuple[Codec, HFEngine]) -> Iterator[object]:
    """vLLM in this process, with the base model."""
    if not HERE:
        pytest.skip("vLLM is not installed in this environment: make test-vllm")
    from mem1.agent.engines.vllm.local import VLLMEngine

    model = engine_arguments(
        SETTINGS, BASE, max_tokens=MOST, temperature=1.0, weights=True, gpu=False
    )
    engine = VLLMEngine(SETTINGS, model, base[0])
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[process.ServerProcess]:
    """A server with the base model. Tests may kill it, and then start it again."""
    model = engine_arguments(
        SETTINGS, BASE, max_tokens=MOST, temperature=1.0, weights=True, gpu=False
    )
    running = process.ServerProcess(SETTINGS, model, tmp_path_factory.mktemp("vllm") / "log")
    yield running
    running.stop()


def client(server: process.ServerProcess, codec: Codec) -> ServedVLLM:
    """An engine at ``server``, which gets the base model's weights again."""
    patience = Patience(attempts=2, timeout=300)
    engine = ServedVLLM(Address(server.root, server.headers, process.NAME, MOST, patience), codec)
    engine.load(str(WEIGHTS), f"base {id(engine)}")
    return engine


@pytest.fixture(params=["local", "served"])
def engine(request: pytest.FixtureRequest, base: tuple[Codec, HFEngine]) -> object:
    """vLLM with the base model's weights, in both placements."""
    if request.param == "served":
        return client(request.getfixturevalue("server"), base[0])
    found = request.getfixturevalue("local")
    model, _ = load_model(BASE)
    found.load(model.named_parameters(), "base")
    return found
