"""The workflow with a server of vLLM as what collects and what evaluates, from nothing."""

import json
import os
from pathlib import Path

import pytest

from tests.unit.agent.engines.test_vllm_process import of
from tests.workflow.conftest import Copy, copy_to

VLLM = ("--configfile", "config/smoke.yaml", "config/vllm.yaml")
RECORDS = [f"results/vllm/eval/{system}/2.jsonl" for system in ("mem1-rl", "mem1-hf")]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """The workflow up to the records of both systems."""
    made = copy_to(tmp_path_factory.mktemp("vllm-smoke"), stand_ins=False, base_model=True)
    named = {k: v for k, v in os.environ.items() if k == "MEM1_VLLM_PYTHON"}
    run = made.snakemake("--cores", "2", *VLLM, "--", *RECORDS, **named, MARK=str(made.folder))
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-8000:]
    return made


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_engine_and_trainer_agree_throughout(ran: Copy) -> None:
    steps = rows(ran.folder / "results/vllm/train/rl-mem1/metrics.jsonl")
    assert [row["step"] for row in steps] == [1, 2]
    for row in steps:
        assert row["values"]["logprob_gap_max"] < 1e-3
        assert row["values"]["probe_gap_max"] < 1e-3


def test_greedy_trajectories_are_those_of_the_model_in_process(ran: Copy) -> None:
    served, in_process = (rows(ran.folder / path) for path in RECORDS)
    assert [row["task_id"] for row in served] == [row["task_id"] for row in in_process]
    for one, other in zip(served, in_process, strict=True):
        assert (one["end"], one["answers"]) == (other["end"], other["answers"])
        assert [turn["output"] for turn in one["turns"]] == [
            turn["output"] for turn in other["turns"]
        ]
    assert sum(len(row["turns"]) for row in served) > len(served)


def test_servers_wrote_logs_and_are_gone(ran: Copy) -> None:
    logs = {path.name for path in (ran.folder / "results/vllm/logs/vllm").iterdir()}
    assert logs == {"rl-mem1.log", "mem1-rl-2.log"}
    assert of(ran.folder) == []
