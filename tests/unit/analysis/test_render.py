"""The commands that render records, run as users run them."""

import json
import random
import subprocess
import sys

import pytest

from mem1 import render_claims, render_tables
from mem1.analysis import ablation_tables
from mem1.analysis.arms import format_pairs
from mem1.config_files import load, parse
from mem1.errors import InputError
from tests.unit.analysis.conftest import write_records

COMMANDS = {"render_tables": render_tables, "render_claims": render_claims}


@pytest.fixture
def results(tmp_path, analysis):
    """Made-up records of the systems of mini at 2 and 16 objectives."""
    small = analysis.model_copy(update={"horizons": [2, 16]})
    rng = random.Random(0)
    for system in ("mem1-rl", "mem1-sft", "full-rl", "full-sft", "truncate"):
        for horizon in small.horizons:
            write_records(tmp_path, system, horizon, 0.9, system.startswith("full"), rng)
    (tmp_path / "analysis.json").write_text(small.model_dump_json())
    return tmp_path


def arguments(folder, root, out, *more):
    return [
        *("--config", str(folder / "analysis.json")),
        *("--records-dir", str(folder / "eval")),
        *("--expected", str(root / "config" / "expected.yaml")),
        *("--output-dir", str(out)),
        *more,
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_same_records_give_the_same_bytes(results, root, command):
    written = []
    for name in ("one", "two"):
        out = results / name
        COMMANDS[command].main(arguments(results, root, out))
        written.append({p.name: p.read_bytes() for p in out.iterdir()})
    assert written[0] == written[1]
    last = "manifest.json" if command == "render_tables" else "claims.manifest.json"
    manifest = json.loads(written[0][last])
    assert set(manifest["outputs"]) == set(written[0]) - {last}
    assert any("mem1-rl" in name for name in manifest["inputs"])


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_needs_torch(results, root, command):
    code = (
        f"import sys; from mem1 import {command}; {command}.main(sys.argv[1:]); "
        "heavy = {'torch', 'transformers', 'tokenizers', 'mlflow'} & set(sys.modules); "
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    given = arguments(results, root, results / "out")
    done = subprocess.run(
        [sys.executable, "-c", code, *given], capture_output=True, text=True, check=False, cwd=root
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_strangers_are_named_and_left_out(results, root, command, capsys):
    known = results / "eval" / "mem1-rl" / "2.jsonl"
    stranger = results / "eval" / "unasked" / "2.jsonl"
    stranger.parent.mkdir()
    stranger.write_bytes(known.read_bytes())
    COMMANDS[command].main(arguments(results, root, results / "out"))
    assert f"left out, not configured: {stranger}" in capsys.readouterr().err
    written = (results / "out").iterdir()
    assert not any("unasked" in path.read_text(encoding="utf-8") for path in written)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_cut_file_is_one_sentence_and_writes_nothing(results, root, command):
    path = results / "eval" / "mem1-rl" / "16.jsonl"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"mem1-rl/16.jsonl, line 24: .* cut"):
        COMMANDS[command].main(arguments(results, root, results / "out"))
    assert not (results / "out").exists()


def test_the_short_table_has_the_headlines_verdicts(results, root):
    out = results / "tables"
    render_tables.main(arguments(results, root, out))
    text = (out / "table1.md").read_text(encoding="utf-8")
    verdicts = [line for line in text.splitlines() if line.startswith("- ")]
    assert len(verdicts) == 4
    assert all(": **supported**" in v or ": **not supported**" in v for v in verdicts)
    render_claims.main(arguments(results, root, out))
    claims = json.loads((out / "claims.json").read_text(encoding="utf-8"))["claims"][:4]
    assert all(claim["test"] in verdict for claim, verdict in zip(claims, verdicts, strict=True))


def test_ablations_are_written_and_decide_the_format_reward(synthetic_ablation, ablation, root):
    out = synthetic_ablation / "tables"
    given = arguments(
        synthetic_ablation, root, out, "--train-dir", str(synthetic_ablation / "train")
    )
    render_tables.main(given)
    render_claims.main(given)
    manifest = json.loads((out / "manifest.json").read_text())
    assert set(ablation_tables.FILES) <= set(manifest["outputs"])
    assert len(format_pairs(ablation.arms)) == 1
    assert "not run" not in (out / "ablations.md").read_text().split("## How to read it")[0]
    claims = {c["id"]: c for c in json.loads((out / "claims.json").read_text())["claims"]}
    for name in ("faster", "worse", "peak"):
        assert claims[f"format-reward-{name}"]["verdict"] != "not run"


def test_several_seeds_are_one_row_everywhere(results, seeded, root):
    for system in ("mem1-rl", "full-rl", "mem1-sft"):
        for seed in (1, 2):
            for path in (results / "eval" / system).iterdir():
                text = path.read_text(encoding="utf-8")
                other = path.parent.with_name(f"{system}@{seed}") / path.name
                other.parent.mkdir(exist_ok=True)
                other.write_text(text.replace(f'"{system}"', f'"{system}@{seed}"'))
    small = seeded.model_copy(update={"horizons": [2, 16]})
    (results / "analysis.json").write_text(small.model_dump_json())
    out = results / "out"
    for command in COMMANDS.values():
        command.main(arguments(results, root, out))
    for name in ("table1.md", "table3.md", "table4.md", "claims.md"):
        assert "@" not in (out / name).read_text(encoding="utf-8")
    row = "| MEM1 (RL) |"
    assert (out / "table4.md").read_text(encoding="utf-8").count(row) == 1
    assert "over the 3 seeds" in (out / "claims.md").read_text(encoding="utf-8")


def test_seeds_of_the_configuration_are_the_replicas_of_the_analysis(root, seeded):
    config = parse({**load(root / "config/config.yaml").model_dump(), "seeds": [0, 1, 2]})
    assert seeded.replicas["mem1-rl"] == ["mem1-rl", "mem1-rl@1", "mem1-rl@2"]
    assert {name for names in seeded.replicas.values() for name in names} == set(config.systems)
    assert not any("@" in name for name in seeded.systems)
    assert set(seeded.runs) == set(config.runs)
    assert [list(arm.runs) for arm in seeded.arms] == [
        ["rl-mem1", "rl-mem1@1", "rl-mem1@2"],
        ["rl-format", "rl-format@1", "rl-format@2"],
    ]
