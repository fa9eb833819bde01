"""What vLLM is started with, in process or as a server: settings to its arguments."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mem1.config_vllm import Vllm
from mem1.errors import InputError

VERSION = "0.32."  # begins the versions whose calls are known here
MOST_STOPS = 16  # stop strings of a request
_HERE = __name__.rpartition(".")[0]


def engine_arguments(
    settings: Vllm,
    folder: Path,
    *,
    max_tokens: int,
    temperature: float,
    weights: bool,
    gpu: bool,
) -> dict[str, Any]:
    """Arguments of vLLM's engine, by name.

    Args:
        settings: the section.
        folder: of the model: its shape, its tokenizer and, if ``weights``, its weights.
        max_tokens: of a context with its output.
        temperature: of what will be sampled; log-probabilities are those at it, or at 1 for 0.
        weights: whether to load them; they come by an update otherwise.
        gpu: whether it runs on GPUs.
    """
    arguments: dict[str, Any] = {
        "model": str(folder),
        "dtype": settings.dtype,
        "max_model_len": max_tokens,
        "max_num_seqs": settings.max_num_seqs,
        "seed": 0,  # every request has its own
        "generation_config": "vllm",  # not the model's, which may set a top-p
        "enable_prefix_caching": True,
        "enforce_eager": settings.eager,
        "tensor_parallel_size": settings.tensor_parallel,
        "worker_extension_cls": f"{_HERE}.worker.Weights",
        "logprobs_mode": "raw_logprobs" if temperature in (0, 1) else "processed_logprobs",
        "load_format": "auto" if weights else "dummy",
        "disable_log_stats": True,
    }
    if settings.block_size is not None:
        arguments["block_size"] = settings.block_size
    if settings.kv_cache_bytes is not None:
        arguments["kv_cache_memory_bytes"] = settings.kv_cache_bytes
    if gpu:
        arguments["gpu_memory_utilization"] = settings.gpu_memory
        arguments["enable_sleep_mode"] = settings.sleep
    else:  # vLLM 0.32 fails on a CPU over a context with a seed that it reads in parts
        arguments["enable_chunked_prefill"] = False
    if settings.transfer != "file":
        arguments["weight_transfer_config"] = {"backend": settings.transfer}
    return arguments


def environment(settings: Vllm, threads: int, gpu: bool) -> dict[str, str]:
    """Environment variables that vLLM reads."""
    variables = {
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_MAX_STOP_STRINGS": str(MOST_STOPS),
        "OMP_NUM_THREADS": str(threads),
    }
    if settings.eager:
        variables["TORCHDYNAMO_DISABLE"] = "1"
    if not gpu:
        variables["VLLM_CPU_OMP_THREADS_BIND"] = "nobind"  # others may compute here too
    if settings.transfer == "ipc":
        variables["VLLM_ALLOW_INSECURE_SERIALIZATION"] = "1"  # handles of memory are pickled
    return variables


def server_command(python: str, port: int, arguments: Mapping[str, Any], name: str) -> list[str]:
    """The command line of a server that listens on this machine only.

    Its key is no part of it: others can read command lines.
    """
    command = [python, "-m", "vllm.entrypoints.launchers.api_server.entry"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--served-model-name", name]
    command += ["--middleware", f"{_HERE}.routes.WeightRoute", "--disable-uvicorn-access-log"]
    command.append("--enable-scale-out")  # the route for ids
    for argument, value in arguments.items():
        flag = "--" + argument.replace("_", "-")
        if isinstance(value, bool):
            command.append(flag if value else f"--no-{flag.removeprefix('--')}")
        else:
            command += [flag, json.dumps(value) if isinstance(value, dict) else str(value)]
    return command


def check_settings(settings: Vllm, gpu: bool) -> None:
    """Refuse what cannot work on this machine.

    Raises:
        InputError: naming the setting.
    """
    if gpu:
        return
    if settings.kv_cache_bytes is None:
        raise InputError("vllm.kv_cache_bytes is null, and there is no GPU: set it.")
    if settings.block_size is None or settings.block_size % 32:
        raise InputError(
            f"vllm.block_size is {settings.block_size}, and there is no GPU: use a multiple of 32."
        )
    if settings.transfer != "file":
        raise InputError(
            f"vllm.transfer is {settings.transfer}, and there is no GPU: use transfer: file."
        )
    if settings.tensor_parallel != 1:
        raise InputError(
            f"vllm.tensor_parallel is {settings.tensor_parallel}, and there is no GPU: use 1."
        )


def check_version(version: str, where: str) -> None:
    """Refuse a vLLM whose calls are not known.

    Raises:
        InputError: naming what is there and what is needed.
    """
    if not version.startswith(VERSION):
        raise InputError(
            f"{where} has vLLM {version}, and this needs {VERSION}x: install that (docs/vllm.md)."
        )
