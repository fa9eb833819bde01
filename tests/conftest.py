"""What all tests share: quiet threads, and one profile of hypothesis."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

from hypothesis import settings

# Machines are shared: a slow example is no failure.
settings.register_profile("mem1", deadline=None)
settings.load_profile("mem1")
