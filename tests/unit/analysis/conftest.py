"""Synthetic trajectories and settings: made up here, measured nowhere."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from mem1.analysis.expected import Expected
from mem1.analysis.expected import load as load_expected
from mem1.analysis.settings import Analysis, analysis_section
from mem1.config_files import load, merge, parse
from mem1.records import Question, Score, StepMetrics, Task, Trajectory, Turn, write_jsonl

ROOT = Path(__file__).parents[3]
ONE_FOR_EACH_POLICY = {"runs": {"rl-format": None}, "systems": {"mem1-format": None}}


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


@pytest.fixture(scope="session")
def paper() -> Expected:
    """The paper's own numbers."""
    return load_expected(ROOT / "config" / "expected.yaml")


@pytest.fixture
def analysis() -> Analysis:
    """The frozen section of the preset ``mini`` with fewer resamples."""
    section = analysis_section(load(ROOT / "config" / "config.yaml"))
    return section.model_copy(update={"bootstrap": 200})


@pytest.fixture
def uncompared() -> Analysis:
    """The same with one RL run for each policy, so that nothing is compared in ablations."""
    values = load(ROOT / "config" / "config.yaml").model_dump()
    section = analysis_section(parse(merge(values, ONE_FOR_EACH_POLICY)))
    return section.model_copy(update={"bootstrap": 200})


@pytest.fixture
def seeded() -> Analysis:
    """The preset ``mini`` with three training seeds."""
    values = load(ROOT / "config" / "config.yaml").model_dump()
    section = analysis_section(parse({**values, "seeds": [0, 1, 2]}))
    return section.model_copy(update={"bootstrap": 200})


@pytest.fixture
def ablation() -> Analysis:
    """The frozen section of the preset ``ablations`` with fewer resamples."""
    section = analysis_section(load(ROOT / "config/config.yaml", ROOT / "config/ablations.yaml"))
    return section.model_copy(update={"bootstrap": 200})


def write_records(
    folder: Path, system: str, horizon: int, share: float, full: bool, rng: random.Random
) -> None:
    """Records of 24 tasks, of which about ``share`` of the questions are right."""
    fade = max(0.0, 1 - horizon / 14) if full else 0.98 ** max(0, horizon - 6)
    rows = []
    for task in range(24):
        right = sum(rng.random() < share * fade for _ in range(horizon))
        context = 90 + 28 * horizon
        sizes = tuple(
            (context + (95 * t if full else 60), 40 + rng.randrange(9)) for t in range(2 * horizon)
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
    write_jsonl(folder / "eval" / system / f"{horizon}.jsonl", rows)


def write_tasks(folder: Path, horizons: list[int]) -> None:
    """The panels that the records are of."""
    for horizon in horizons:
        questions = [
            Question(id=f"q{n}", text=f"Who runs Firm{n}?", golds=["x"], source="made up")
            for n in range(horizon)
        ]
        tasks = [
            Task(id=f"t{task}", split="test", questions=questions, max_turns=2 * horizon)
            for task in range(24)
        ]
        write_jsonl(folder / "tasks" / f"test-{horizon}.jsonl", tasks)


def write_curves(folder: Path, analysis: Analysis, rng: random.Random) -> None:
    """``metrics.jsonl`` of every run, rising and falling as one would expect."""
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
                    "valid_searches": 3 + 0.2 * done + noise,
                    "kl": 0.05 * done + abs(noise) / 10,
                    "logprob_gap_max": 2e-6 + abs(noise) * 1e-5,
                }
            )
            if "ppo" in run:
                values["critic/explained_variance"] = 0.6 * done + noise
            curve.append(StepMetrics(step=step, values=values))
        write_jsonl(folder / "train" / run / "metrics.jsonl", curve)


@pytest.fixture
def synthetic_results(tmp_path: Path, analysis: Analysis) -> Path:
    """Plausible made-up results: ``eval/``, ``train/`` and ``analysis.json`` below one folder."""
    rng = random.Random(0)
    skill = {"mem1-rl": 0.95, "mem1-sft": 0.8, "full-rl": 0.93, "full-sft": 0.8, "truncate": 0.5}
    for system, share in skill.items():
        for horizon in analysis.horizons:
            write_records(tmp_path, system, horizon, share, system.startswith("full"), rng)
    write_tasks(tmp_path, analysis.horizons)
    write_curves(tmp_path, analysis, rng)
    (tmp_path / "analysis.json").write_text(analysis.model_dump_json())
    return tmp_path


@pytest.fixture
def synthetic_ablation(tmp_path: Path, ablation: Analysis) -> Path:
    """The same for the preset ``ablations``."""
    rng = random.Random(0)
    for system in ablation.systems:
        for horizon in ablation.horizons:
            write_records(tmp_path, system, horizon, 0.9, False, rng)
    write_tasks(tmp_path, ablation.horizons)
    write_curves(tmp_path, ablation, rng)
    (tmp_path / "analysis.json").write_text(ablation.model_dump_json())
    return tmp_path
