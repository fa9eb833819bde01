"""Rollouts with HFEngine, vLLM in process and a server of vLLM; what a step with a server costs.

    python -m benchmarks.rollout_engines

Run it with the Python of an environment that has vLLM (docs/vllm.md); in another one, leave its
sides in process out. The base model plays the same tasks of the generated world with each engine,
under mem1, at temperature 1 with the same seeds: 1, 16 and 64 trajectories at a time. vLLM does it
twice: all trajectories go from turn to turn together (a barrier, as HFEngine does), and each at
its own pace. Engines draw other random numbers, so their trajectories differ: tokens and
trajectories a second are compared, round by round. On a CPU these are CPU seconds of this process
and of the server together, on a GPU seconds on the wall.

Then the model learns for a few rounds (PPO, plain torch) with the server as what collects: how much
of a round is rollout, update, new weights, and the comparison after them, on the wall.
"""

import os
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import torch

from benchmarks import common
from mem1 import cli
from mem1.agent import context, continuous, rollout
from mem1.agent.engines.base import Engine, Sampling
from mem1.agent.engines.hf import HFEngine
from mem1.agent.engines.vllm import process
from mem1.agent.engines.vllm.arguments import engine_arguments
from mem1.agent.engines.vllm.served import Address, ServedVLLM
from mem1.agent.formats.short import SHORT
from mem1.agent.text import Codec
from mem1.config import Config
from mem1.config_files import load
from mem1.config_vllm import Vllm
from mem1.envs.search import SearchEnvironment
from mem1.errors import InputError
from mem1.records import Task, Trajectory
from mem1.retrieval import bm25
from mem1.retrieval.transport import Patience
from mem1.tasks import atlas
from mem1.train.collect import BATCH, Arena
from mem1.train.demonstrations import mixed_tasks
from mem1.train.model import load_model
from mem1.train.placement import Served
from mem1.train.players import players
from mem1.train.processes import ALONE
from mem1.train.rl import RlTraining
from mem1.train.rollouts import WithVllm

BASE = common.ROOT / "models" / "base"
SIDES = ("hf", "vllm/barrier", "vllm", "server/barrier", "server")


@dataclass(frozen=True)
class Stage:
    """Where all engines play."""

    codec: Codec
    tasks: list[Task]
    environment: SearchEnvironment
    settings: Config

    @classmethod
    def of(cls, settings: Config, codec: Codec, arguments: Namespace) -> "Stage":
        """The tasks of ``arguments`` in the world of ``settings``."""
        world = atlas.generate(settings.world, arguments.seed, "train")
        agent = settings.agent
        turns = {arguments.horizon: settings.tasks.turns_for(arguments.horizon)}
        tasks = mixed_tasks(
            world.questions, [arguments.horizon], turns, Random(arguments.seed),
            count=max(arguments.counts),
        )  # fmt: skip
        retriever = bm25.in_memory(world.passages, settings.retrieval)
        environment = SearchEnvironment(retriever, settings.retrieval.k, agent, codec)
        return cls(codec, tasks, environment, settings)

    def play(self, engine: Engine, barrier: bool, count: int, seed: int) -> list[Trajectory]:
        """``count`` trajectories at a time, of as many tasks."""
        agent = self.settings.agent
        loop = rollout.rollout if barrier else continuous.rollout
        return loop(
            self.tasks[:count], engine, context.policy("mem1", agent), self.environment,
            self.codec, agent, Sampling(1.0, agent.max_new_tokens),
            prompt=SHORT["mem1"], system="benchmark", seed=seed, batch=count, progress=False,
        )  # fmt: skip


def now() -> float:
    """Seconds: on a CPU those that this process and its descendants have computed so far."""
    if torch.cuda.is_initialized():
        common.synchronize()
        return time.perf_counter()
    parents, ticks = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        parents[int(folder.name)] = int(fields[1])
        ticks[int(folder.name)] = int(fields[11]) + int(fields[12])
    family = {os.getpid()}
    while grown := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= grown
    family.discard(os.getpid())  # its own clock is finer
    others = sum(ticks[pid] for pid in family) / os.sysconf("SC_CLK_TCK")
    return time.process_time() + others


def measure(
    runs: dict[str, Callable[[int, int], list[Trajectory]]], count: int, repeats: int
) -> dict[str, Any]:
    """All of ``runs`` in turn, ``count`` trajectories at a time.

    ``over_hf`` is the ratio of tokens a second to those of HFEngine in the same round.
    """
    tokens: dict[str, list[float]] = {name: [] for name in runs}
    whole: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run(min(count, 4), -1)  # warm-up
    for seed in range(repeats):
        for name, run in runs.items():
            started = now()
            played = run(count, seed)
            seconds = now() - started
            sampled = sum(len(turn.output) for one in played for turn in one.turns)
            tokens[name].append(sampled / seconds)
            whole[name].append(count / seconds)
    return {
        name: {
            "tokens_per_s": common.spread(tokens[name]),
            "trajectories_per_s": common.spread(whole[name]),
            "over_hf": common.ratio(tokens[name], tokens["hf"]),
        }
        for name in runs
    }


def steps(
    server: process.ServerProcess, stage: Stage, vllm: Vllm, arguments: Namespace, scratch: Path
) -> dict[str, Any]:
    """Shares of the seconds of a round of PPO whose engine is ``server``."""
    model, codec = load_model(BASE)
    torch.nn.Module.to(model, arguments.device)
    rl = stage.settings.rl.model_copy(
        update={"engine": "plain", "rollout": "vllm-server", "steps": arguments.steps}
    )
    ready = players(model, rl, ALONE)
    arena = Arena(stage.environment, codec, stage.settings.agent, "mem1")
    most = stage.settings.agent.max_context
    form = arena.forms["mem1"]
    probes = [form.prompt(task, codec) for task in stage.tasks[: vllm.probes]]
    placement = Served(vllm, codec, ALONE, server, most, scratch)
    rollouts = WithVllm(placement, ready.policy, vllm, ALONE, probes, arena.sampling(rl), 0)
    training = RlTraining(rl, 0, ready, stage.tasks, arena, ALONE, rollouts)
    shares: dict[str, list[float]] = {}
    seconds, gaps = [], []
    for number in range(arguments.steps):
        started = time.perf_counter()
        values = training.step(number)
        seconds.append(time.perf_counter() - started)
        gaps.append(values["logprob_gap_max"])
        update = values["packed_tokens"] / values["machine/update_tokens_per_s"]
        parts = {
            "update": update,
            "weights": values["machine/weights_seconds"],
            "comparison": values["machine/probe_seconds"],
        }
        parts["rollout"] = seconds[-1] - sum(parts.values())
        for name, each in parts.items():
            shares.setdefault(name, []).append(each / seconds[-1])
    kept = slice(1 if arguments.steps > 1 else 0, None)  # the first round warms up
    return {
        "trajectories": rl.tasks * rl.group,
        "seconds": common.spread(seconds[kept]),
        "shares": {name: common.spread(each[kept]) for name, each in shares.items()},
        "logprob_gap_max": max(gaps),
    }


def main(argv: Sequence[str]) -> None:
    """Measure, print, write."""
    parser = cli.parser(__doc__)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--counts", nargs="+", type=int, default=[1, 16, 64])
    parser.add_argument("--horizon", type=int, default=2, help="objectives of a task")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, default=4, help="rounds of learning; 0: none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="JSON file; benchmarks/results/ without it")
    arguments = parser.parse_args(argv)
    if "hf" not in arguments.sides:
        raise InputError("All others are compared with hf: name it among --sides.")
    gpu = arguments.device == "cuda"
    settings = load(common.ROOT / "config" / "config.yaml")
    vllm = settings.vllm.model_copy(
        update={"eager": not gpu, "max_num_seqs": max(arguments.counts)}
    )
    started = engine_arguments(
        vllm, BASE, max_tokens=settings.agent.max_context, temperature=1.0, weights=True, gpu=gpu
    )
    # vLLM 0.32 fails on a CPU when a context with a seed is prefilled in parts, so none may be:
    # all contexts of a turn must fit into one step of the engine.
    started["max_num_batched_tokens"] = max(8192, 512 * max(arguments.counts))
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=_shared_memory())))
        runs: dict[str, Callable[[int, int], list[Trajectory]]] = {}
        model, codec = load_model(BASE)
        engines: dict[str, Engine] = {}
        if {"vllm", "vllm/barrier"} & set(arguments.sides):
            from mem1.agent.engines.vllm.local import VLLMEngine

            local = VLLMEngine(vllm, started, codec)
            stack.callback(local.close)
            engines["vllm"] = local
        server = None
        if arguments.steps or {"server", "server/barrier"} & set(arguments.sides):
            server = process.ServerProcess(vllm, started, scratch / "log", gpu=gpu)
            stack.callback(server.stop)
            address = Address(
                server.root, server.headers, process.NAME, settings.agent.max_context,
                Patience(attempts=2, timeout=vllm.timeout),
            )  # fmt: skip
            served = ServedVLLM(address, codec)
            engines["server"] = served
        torch.set_num_threads(1)
        torch.nn.Module.to(model, arguments.device)
        engines["hf"] = HFEngine(model.eval(), codec, max_rows=BATCH)
        stage = Stage.of(settings, codec, arguments)
        for side in arguments.sides:
            name, _, barrier = side.partition("/")
            runs[side] = partial(stage.play, engines[name], bool(barrier) or name == "hf")
        found: dict[str, Any] = {"engines": {}}
        for count in arguments.counts:
            found["engines"][str(count)] = measure(runs, count, arguments.repeats)
            show(count, found["engines"][str(count)])
        if arguments.steps and server is not None:
            found["step"] = steps(server, stage, vllm, arguments, scratch)
            print(found["step"], flush=True)
        found["load_average"] = os.getloadavg()
    chosen = {k: v for k, v in vars(arguments).items() if k != "output"}
    common.write(arguments.output, "rollout_engines", chosen, found, clock="wall" if gpu else "cpu")


def _shared_memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def show(count: int, found: dict[str, Any]) -> None:
    """One number of trajectories, as lines."""
    for name, side in found.items():
        rate, over = side["tokens_per_s"]["median"], side["over_hf"]
        print(
            f"{count:>3} at a time, {name:<15} {rate:>7.0f} tokens/s, "
            f"{side['trajectories_per_s']['median']:>6.2f} trajectories/s, "
            f"{over['median']:.2f} [{over['least']:.2f}, {over['most']:.2f}] times HFEngine",
            flush=True,
        )


if __name__ == "__main__":
    cli.run(main)
