"""The measured process of benchmarks.webshop, at a size of a second."""

import json
import subprocess
import sys

import pytest


@pytest.mark.parametrize("episodes", [1, 8])
def test_a_process_says_what_its_episodes_took(episodes: int) -> None:
    command = [sys.executable, "-m", "benchmarks.webshop", "--one", "--repeats", "2"]
    command += ["--episodes", str(episodes), "--steps", "500"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert (found["episodes"], found["products"]) == (episodes, 800)
    assert len(found["steps_per_s"]) == 2
    assert min(found["steps_per_s"]) > 0
    assert found["searches_share"] == pytest.approx(1 / 7)  # with two options and one look
    # Nothing below: a system that is short of memory takes pages of programs back.
    assert found["added_mb"] < found["peak_mb"] < 300
