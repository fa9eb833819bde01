"""What all tests share: quiet threads, one profile of hypothesis, the longest files first."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import pytest
from hypothesis import HealthCheck, settings

# Machines are shared: a slow example is no failure, and neither is slow drawing of examples.
settings.register_profile("mem1", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("mem1")

LONGEST = ("test_chaos.py", "test_smoke.py", "test_slurm.py", "test_resume.py", "test_plan.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of several processes none is left alone with a long file in the end."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(LONGEST)))
