"""Training seeds: every run, and the systems over it, once for each of ``seeds``.

    seeds: [0, 1, 2]

makes of the run ``rl-mem1`` the runs ``rl-mem1``, ``rl-mem1@1`` and ``rl-mem1@2``, whose seeds are
those of ``rl-mem1`` plus 0, 1 and 2, each starting from the weights and taught by the system of its
own seed, and likewise of the system ``mem1-rl`` three systems. The first of them keep names and
settings, so that what they have made stays valid. Systems over fixed weights stay one.
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from mem1.config import Config
from mem1.config_learning import Section, Sft
from mem1.config_systems import Run, System
from mem1.config_webshop import WebShop
from mem1.errors import InputError

MARK = "@"  # between a name and its seed
Named = TypeVar("Named", bound=Section)


def replica(name: str, seed: int) -> str:
    """What the run or system ``name`` is called for the training seed ``seed``."""
    return name if seed == 0 else f"{name}{MARK}{seed}"


def plain(name: str) -> str:
    """The name in the configuration of the run or system that ``name`` is a replica of."""
    return name.partition(MARK)[0]


def _run(config: Config, name: str, seed: int) -> Run:
    """The run ``name`` as it is for one training seed."""
    run = config.runs[name]
    start = replica(run.start, seed) if run.start in config.runs else run.start
    changes = run.changes
    settings = config.settings_of(name)
    teacher = settings.teacher if isinstance(settings, Sft) else None
    if seed and teacher is not None and config.systems[teacher].run is not None:
        changes = {**changes, "teacher": replica(teacher, seed)}
    return run.model_copy(update={"seed": run.seed + seed, "start": start, "changes": changes})


def _checked(section: str, given: Mapping[str, Named], made: dict[str, Named]) -> dict[str, Named]:
    """``made``, unless a name of ``given`` looks like a replica and is none."""
    for name, entry in given.items():
        if MARK in name and made.get(name) != entry:
            raise InputError(
                f"{section}.{name}: {MARK} marks what `seeds` makes; give it a name without one."
            )
    return made


def expanded(config: Config) -> Config:
    """``config`` with every run and every system over one, for each of its seeds.

    What is expanded already stays as it is.

    Raises:
        InputError: a name that the configuration itself gives has the mark in it.
    """
    runs = {
        replica(name, seed): _run(config, name, seed)
        for name in config.runs
        if MARK not in name
        for seed in config.seeds
    }
    systems = _systems(config.systems, config.seeds)
    return config.model_copy(
        update={
            "runs": _checked("runs", config.runs, runs),
            "systems": _checked("systems", config.systems, systems),
            "webshop": None if config.webshop is None else _shop(config.webshop, config.seeds),
        }
    )


def _shop(shop: WebShop, seeds: Sequence[int]) -> WebShop:
    """The same for the runs and systems of WebShop, which no system teaches."""
    runs = {
        replica(name, seed): run.model_copy(
            update={
                "seed": run.seed + seed,
                "start": replica(run.start, seed) if run.start in shop.runs else run.start,
            }
        )
        for name, run in shop.runs.items()
        if MARK not in name
        for seed in seeds
    }
    systems = _systems(shop.systems, seeds)
    return shop.model_copy(
        update={
            "runs": _checked("webshop.runs", shop.runs, runs),
            "systems": _checked("webshop.systems", shop.systems, systems),
        }
    )


def _systems(systems: Mapping[str, System], seeds: Sequence[int]) -> dict[str, System]:
    return {
        replica(name, seed): system
        if system.run is None
        else system.model_copy(update={"run": replica(system.run, seed)})
        for name, system in systems.items()
        if MARK not in name
        for seed in (seeds if system.run is not None else [0])
    }
