"""What collects during reinforcement learning, and how it comes to have the newest weights.

``Rollouts`` is the model itself behind ``HFEngine``, or vLLM (``rl.rollout``). vLLM holds
weights of its own, so before each collection

    it is given those of the policy, under a version that no other weights have,
    it continues a few prompts, and the trainer says how likely what it sampled is: where they
    differ by more than ``vllm.largest_gap`` nats the training stops.

Every output names the version it was sampled with. An engine that is gone, or has other weights
(a server that was killed, or started again by somebody), is brought back, given the weights, and
the whole collection is repeated: random numbers belong to (task, sample, turn), so it is the
one that would have been.
"""

import secrets
import time
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import torch

from mem1.agent.engines.base import Engine, Output, Sampling
from mem1.agent.engines.hf import HFEngine
from mem1.agent.engines.vllm.base import repeated
from mem1.config_vllm import Vllm
from mem1.errors import StoppedError
from mem1.seeding import derive
from mem1.train.batch import PAD, collate
from mem1.train.forward import Actor
from mem1.train.placement import Placement, together
from mem1.train.processes import Processes
from mem1.train.trainee import Trainee
from mem1.train.tree import View, pack

T = TypeVar("T")

PROBE_TOKENS = 16  # sampled after each probe


class Rollouts(Protocol):
    """An engine for collections."""

    def collect(self, play: Callable[[Engine], T]) -> T:
        """What ``play`` returns with an engine that has the newest weights.

        All processes call it together. ``play`` can be called again if it fails.
        """
        ...

    def measures(self) -> dict[str, float]:
        """What is to be logged of the newest collection."""
        ...


class InModel:
    """The model of the policy, or a copy of it that ``sync`` makes the same."""

    def __init__(self, engine: HFEngine, sync: Callable[[], None]) -> None:
        self._engine = engine
        self._sync = sync

    def collect(self, play: Callable[[Engine], T]) -> T:
        """See ``Rollouts``.

        Nothing is reused from the collection before, even if the weights are still the same: a
        run that was killed in between has nothing to reuse, and must end with the same bits.
        """
        self._sync()
        self._engine.forget()
        return play(self._engine)

    def measures(self) -> dict[str, float]:
        """Nothing: it is the policy."""
        return {}


class WithVllm:
    """vLLM, in process or in a server.

    Args:
        placement: where it is.
        policy: whose weights it gets.
        settings: the section.
        processes: that train together.
        probes: ids of the prompts that are compared.
        sampling: of the collections.
        seed: of what is sampled after the probes.
        sleeps: whether memory is given back between collections.
    """

    def __init__(
        self,
        placement: Placement,
        policy: Trainee[Actor],
        settings: Vllm,
        processes: Processes,
        probes: Sequence[Sequence[int]],
        sampling: Sampling,
        seed: int,
        sleeps: bool = False,
    ) -> None:
        self._placement = placement
        self._policy = policy
        self._settings = settings
        self._processes = processes
        self._probes = probes
        self._temperature = sampling.temperature
        most = min(PROBE_TOKENS, sampling.max_new_tokens)
        self._sampling = Sampling(sampling.temperature, most, sampling.stop)
        self._seed = seed
        self._sleeps = sleeps
        self._resting = False
        self._training = processes.gather(secrets.token_hex(4))[0]
        self._version = 0
        self._measures: dict[str, float] = {}

    def collect(self, play: Callable[[Engine], T]) -> T:
        """See ``Rollouts``.

        Raises:
            LostError: the engine is lost again and again.
            StoppedError: it does not compute what the trainer computes.
        """
        self._measures = {"machine/restarts": 0.0}

        def once() -> T:
            self._refresh()
            played = together(self._processes, lambda: play(self._placement.engine))
            self._rest(True)
            return played

        def revive(reason: str) -> None:
            self._make_room()
            self._placement.revive(reason)
            self._resting = False
            self._measures["machine/restarts"] += 1

        return repeated(once, revive, self._settings.restarts)

    def measures(self) -> dict[str, float]:
        """The gap of the probes, and what the update cost."""
        return dict(self._measures)

    def _refresh(self) -> None:
        """Give the engine the weights of the policy, and compare the two."""
        started = time.perf_counter()
        self._rest(False)
        self._version += 1
        self._placement.give(self._policy, f"{self._training}.{self._version}")
        given = time.perf_counter()
        gap = self._gap()
        self._measures["probe_gap_max"] = gap
        self._measures["machine/weights_seconds"] = given - started
        self._measures["machine/probe_seconds"] = time.perf_counter() - given
        if not gap <= self._settings.largest_gap:
            raise StoppedError(
                f"vLLM and the trainer differ by {gap:.3g} nats on the same tokens after update "
                f"{self._version}, and vllm.largest_gap is {self._settings.largest_gap:g}: use a "
                f"finer vllm.dtype, or raise vllm.largest_gap if this is rounding"
            )

    def _gap(self) -> float:
        """The largest difference of log-probabilities on what the engine says to the probes."""

        def ask() -> list[Output]:
            if not self._processes.first:
                return []
            seeds = [derive(self._seed, "probe", i) for i in range(len(self._probes))]
            return self._placement.engine.generate(self._probes, self._sampling, seeds)

        outputs = self._processes.gather(together(self._processes, ask))[0]
        gaps = []
        for probe, output in zip(self._probes, outputs, strict=True):
            batch = collate([pack([View(probe, output.ids, 0, 0)])], PAD)
            with torch.no_grad():
                said = self._policy.module(batch, self._temperature, False).logprobs
            gaps.append((said.cpu().float() - torch.tensor(output.logprobs)).abs().max())
        return float(torch.stack(gaps).max())

    def _rest(self, resting: bool) -> None:
        if self._sleeps and resting != self._resting:
            if not resting:
                self._make_room()
            together(self._processes, lambda: self._placement.rest(resting))
            self._resting = resting

    def _make_room(self) -> None:
        """Give back what torch keeps of a GPU for later, in all processes: vLLM needs it first."""
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self._processes.wait()
