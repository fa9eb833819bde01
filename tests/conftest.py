"""What all tests share: quiet threads, nothing of the user's settings, the longest files first."""

import os

import pytest
from hypothesis import HealthCheck, settings

# What somebody has set for work of their own decides nothing here, but for what tests ask for.
ASKED_FOR = {"MEM1_SAMPLE_DATA", "MEM1_VLLM_PYTHON", "MEM1_SLURM_TEST"}
for name in [*os.environ]:
    own = name.startswith(("MEM1_", "MLFLOW_", "HF_HUB_")) and name not in ASKED_FOR
    if own or name.lower() in {"http_proxy", "https_proxy", "all_proxy"}:
        del os.environ[name]
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

# Machines are shared: a slow example is no failure, and neither is slow drawing of examples.
settings.register_profile("mem1", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("mem1")

LONGEST = ("test_chaos.py", "test_smoke.py", "test_slurm.py", "test_resume.py", "test_plan.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of several processes none is left alone with a long file in the end."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(LONGEST)))
