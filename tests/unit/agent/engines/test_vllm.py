"""A model served by vLLM acts as it does in process.

Needs vLLM, in this environment or in that of the Python named by MEM1_VLLM_PYTHON.
"""

import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from mem1.agent.engines.base import Sampling
from mem1.agent.engines.hf import HFEngine
from mem1.agent.engines.http import HTTPEngine
from mem1.agent.text import Codec
from mem1.config_systems import Server
from mem1.records import Trajectory
from mem1.train.model import load_model
from tests.unit.agent.engines.openai_server import BASE
from tests.unit.agent.engines.test_http import play

PYTHON = os.environ.get("MEM1_VLLM_PYTHON")
OPTIONS = "--dtype float32 --max-model-len 4096 --enforce-eager --max-num-seqs 16 --seed 0"

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(
        PYTHON is None and importlib.util.find_spec("vllm") is None, reason="vLLM is not installed"
    ),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("vllm") / "log"
    command = [PYTHON or sys.executable, "-m", "vllm.entrypoints.openai.api_server"]
    command += ["--model", str(BASE), "--served-model-name", "base", "--port", str(port)]
    command += ["--host", "127.0.0.1", "--generation-config", "vllm", *OPTIONS.split()]
    quiet = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "TORCHDYNAMO_DISABLE": "1"}
    cpu = {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_CPU_KVCACHE_SPACE": "1"}
    with open(log, "w", encoding="utf-8") as file:
        process = subprocess.Popen(
            command, env=os.environ | quiet | cpu, stdout=file, stderr=subprocess.STDOUT
        )
    try:
        wait(process, f"http://127.0.0.1:{port}/health", log)
        url = f"http://127.0.0.1:{port}/v1"
        yield Server(url=url, model="base", api="tokens", tokenizer=str(BASE))
    finally:
        process.terminate()
        process.wait(timeout=60)


def wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Until the server answers."""
    for _ in range(600):
        assert process.poll() is None, log.read_text(encoding="utf-8")[-3000:]
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
        else:
            return
    raise AssertionError(log.read_text(encoding="utf-8")[-3000:])


@pytest.fixture(scope="module")
def in_process() -> tuple[Codec, HFEngine]:
    model, codec = load_model(BASE)
    return codec, HFEngine(model, codec)


def test_greedy_trajectories_are_those_in_process(
    server: Server, in_process: tuple[Codec, HFEngine]
) -> None:
    codec, engine = in_process
    expected, played = play(engine, codec), play(HTTPEngine(server, codec), codec)
    assert [outputs(one) for one in played] == [outputs(one) for one in expected]
    for one, other in zip(played, expected, strict=True):
        for turn, same in zip(one.turns, other.turns, strict=True):
            assert turn.logprobs == pytest.approx(same.logprobs, abs=1e-3)


def outputs(one: Trajectory) -> list[list[int]]:
    return [turn.output for turn in one.turns]


def test_what_is_sampled_depends_on_the_seed_alone(
    server: Server, in_process: tuple[Codec, HFEngine]
) -> None:
    codec, _ = in_process
    contexts = [codec.encode(f"Answer Q1 to Q{n}.") for n in (1, 2, 3)] * 2
    engine = HTTPEngine(server, codec)
    sampling = Sampling(1.0, 30)
    first = engine.generate(contexts, sampling, range(6))
    assert [one.ids for one in first] == [
        one.ids for i in range(6) for one in engine.generate([contexts[i]], sampling, [i])
    ]
    assert first[0].ids != first[3].ids
    for one in first:
        assert len(one.logprobs) == len(one.ids)
