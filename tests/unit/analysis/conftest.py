"""Synthetic trajectories and settings: made up here, measured nowhere."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from mem1.analysis.settings import Analysis, analysis_section
from mem1.config_files import load
from mem1.records import Score, StepMetrics, Trajectory, Turn, write_jsonl

ROOT = Path(__file__).parents[3]


def make_synthetic_trajectory(
    task_id: str = "t0",
    system: str = "mem1-rl",
    horizon: int = 2,
    right: int = 1,
    sizes: tuple[tuple[int, int], ...] = ((10, 4), (20, 6)),
    prompt: int = 8,
    zero: str = "none",
    seconds: float = 1.0,
) -> Trajectory:
    """A trajectory with ``right`` of ``horizon`` questions right and turns of given sizes."""
    turns = [
        Turn(
            context=[1] * prefix,
            output=[2] * output,
            logprobs=[-0.1] * output,
            text="<think> a </think> <search> b </search>",
            action="answer" if number == len(sizes) - 1 else "search",
            argument="b",
        )
        for number, (prefix, output) in enumerate(sizes)
    ]
    counted = 0 if zero != "none" else right
    return Trajectory(
        task_id=task_id,
        horizon=horizon,
        system=system,
        policy="mem1",
        prompt=[1] * prompt,
        turns=turns,
        end="answered",
        score=Score(
            em=counted,
            f1=counted,
            given=horizon,
            expected=horizon,
            zero=zero,
            question_em=[1.0] * right + [0.0] * (horizon - right),
        ),
        seconds=seconds,
    )


@pytest.fixture
def synthetic_trajectory() -> Callable[..., Trajectory]:
    return make_synthetic_trajectory


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture
def analysis() -> Analysis:
    """The frozen section of the preset ``mini`` with fewer resamples."""
    section = analysis_section(load(ROOT / "config" / "config.yaml"))
    return section.model_copy(update={"bootstrap": 200})


@pytest.fixture
def synthetic_results(tmp_path: Path, analysis: Analysis) -> Path:
    """Plausible made-up results: ``eval/``, ``train/`` and ``analysis.json`` below one folder."""
    rng = random.Random(0)
    skill = {"mem1-rl": 0.95, "mem1-sft": 0.8, "full-rl": 0.93, "full-sft": 0.8, "truncate": 0.5}
    for system, share in skill.items():
        full = system.startswith("full")
        for horizon in analysis.horizons:
            fade = max(0.0, 1 - horizon / 14) if full else 0.98 ** max(0, horizon - 6)
            rows = []
            for task in range(24):
                right = sum(rng.random() < share * fade for _ in range(horizon))
                context = 90 + 28 * horizon
                sizes = tuple(
                    (context + (95 * t if full else 60), 40 + rng.randrange(9))
                    for t in range(2 * horizon)
                )
                rows.append(
                    make_synthetic_trajectory(
                        f"t{task}",
                        system,
                        horizon,
                        right,
                        sizes,
                        prompt=20 + 12 * horizon,
                        zero="count" if rng.random() > fade + 0.2 else "none",
                        seconds=horizon * (1.5 if full else 1.0),
                    )
                )
            write_jsonl(tmp_path / "eval" / system / f"{horizon}.jsonl", rows)
    for run, settings in analysis.runs.items():
        stage = settings.stage
        steps = 60 if stage == "sft" else 40
        curve = []
        for step in range(1, steps + 1):
            done, noise = step / steps, rng.gauss(0, 0.05)
            values = (
                {"loss": 1.2 * (1 - 0.8 * done) + noise}
                if stage == "sft"
                else {
                    "reward": 1.2 + 0.7 * done + noise,
                    "em": 1.2 + 0.7 * done + noise,
                    "entropy": 0.5 - 0.3 * done + noise / 3,
                    "valid_actions": min(1.0, 0.9 + 0.1 * done + noise / 5),
                    "kl": 0.05 * done + abs(noise) / 10,
                    "logprob_gap_max": 2e-6 + abs(noise) * 1e-5,
                }
            )
            curve.append(StepMetrics(step=step, values=values))
        write_jsonl(tmp_path / "train" / run / "metrics.jsonl", curve)
    (tmp_path / "analysis.json").write_text(analysis.model_dump_json())
    return tmp_path
