"""What is planned for systems that are not trained here, and for a teacher."""

import re

import pytest

COMMIT = "a09a35458c702b33eeacc393d103063234e8bc28"
OVERLAY = f"""
runs:
  sft-mem1: {{changes: {{teacher: expert}}}}
systems:
  expert:
    {{label: Expert, engine: hf, model: models/base, policy: mem1, prompt: mem1, horizons: []}}
  web: {{label: Web, engine: hf, run: rl-mem1, policy: mem1, prompt: mem1, environment: web,
        horizons: [1]}}
  hub: {{label: Hub, engine: hf, model: Qwen/Qwen2.5-7B-Instruct, revision: {COMMIT},
        policy: full, prompt: instruct, horizons: [2]}}
  served:
    label: Served
    engine: http
    server: {{url: 'http://127.0.0.1:1/v1', model: x, api: chat, tokenizer: models/base}}
    policy: mem1
    prompt: instruct
    horizons: [1, 4]
"""


@pytest.fixture(scope="module")
def planned(copy) -> str:
    done = copy.snakemake("-n", "-p", *copy.overlay(OVERLAY))
    assert done.returncode == 0, done.stderr
    return done.stdout


def commands(planned: str, verb: str) -> list[str]:
    """The planned commands of one verb."""
    return [
        " ".join(line.split()) for line in planned.splitlines() if f"python -m mem1.{verb} " in line
    ]


def test_each_system_is_evaluated_on_the_panels_that_it_is_for(planned):
    evaluated = re.findall(r"--system (\S+) .*--output \S+/(\d+)\.jsonl", planned)
    new = sorted((name, n) for name, n in evaluated if name in {"expert", "web", "hub", "served"})
    assert new == [("hub", "2"), ("served", "1"), ("served", "4"), ("web", "1")]


def test_systems_are_told_what_they_do_not_bring(planned):
    told = {line.split("--system ")[1].split()[0]: line for line in commands(planned, "evaluate")}
    assert "--model results/smoke/train/rl-mem1/model --tokenizer " in told["web"]
    assert "--index results/smoke/index/test" in told["web"]
    for name in ("hub", "served"):
        assert "--model" not in told[name]
        assert "--tokenizer" not in told[name]


def test_a_teacher_comes_before_the_run_that_it_teaches(planned):
    [distill] = commands(planned, "distill")
    assert "--system expert" in distill
    assert "--model models/base" in distill
    assert "--index results/smoke/index/train" in distill
    assert "--student results/smoke/tokenizer" in distill
    taught, scripted = sorted(commands(planned, "train_sft"), key=lambda line: "--world" in line)
    assert "--demonstrations results/smoke/distill/expert/demonstrations.jsonl" in taught
    assert "--world" not in taught
    assert "--world results/smoke/world/train --index results/smoke/index/train" in scripted
    assert "--demonstrations" not in scripted


def test_real_web_search_needs_no_index(copy, tmp_path):
    (copy.folder / "overlay.yaml").write_text(
        "systems: {oracle-mem1: {environment: web}, oracle-full: null}\n"
        "retrieval: {kind: web}\nretrieval_report: {k: null}\n",
        encoding="utf-8",
    )
    overlays = ("--configfile", "config/sample.yaml", "overlay.yaml")
    done = copy.snakemake("-n", "-p", *overlays, MEM1_SAMPLE_DATA=str(tmp_path))
    assert done.returncode == 0, done.stderr
    evaluated = commands(done.stdout, "evaluate")
    assert len(evaluated) == 7
    assert all('--cache "$MEM1_RETRIEVAL_CACHE/web.sqlite"' in line for line in evaluated)
    assert commands(done.stdout, "build_index") == []
