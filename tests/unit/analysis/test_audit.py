"""Links of a chain by their manifests, and the committed run."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mem1 import render_claims, render_tables, verify
from mem1.analysis import audit, remade
from mem1.analysis.chain import Break, Chain, Link, link
from mem1.dependencies import ROOT
from mem1.errors import InputError
from mem1.provenance import file_digest, read_json, write_json

P = "results/x"
REFERENCE = ROOT / "results" / "reference" / "mini"


def chain(**changes: Any) -> Chain:
    """World, tasks, records, tables, each made from the one before."""
    links = {
        "world": Link("world/test/manifest.json", outputs={f"{P}/world/test/questions.jsonl": "q"}),
        "tasks": Link(
            "tasks/test-1.manifest.json",
            inputs={f"{P}/world/test/questions.jsonl": "q"},
            outputs={f"{P}/tasks/test-1.jsonl": "t"},
        ),
        "eval": Link(
            "eval/a/1.manifest.json",
            inputs={f"{P}/tasks/test-1.jsonl": "t", "models/base": "m"},
            outputs={f"{P}/eval/a/1.jsonl": "r"},
        ),
        "tables": Link(
            "tables/manifest.json",
            inputs={f"{P}/eval/a/1.jsonl": "r"},
            outputs={f"{P}/tables/table1.csv": "c"},
        ),
    }
    return Chain(P, tuple(reversed((links | changes).values())))


def outside(path: str) -> bool:
    return not path.startswith(P)


def test_links_stand_in_the_order_of_their_making() -> None:
    names = [one.name.partition("/")[0] for one in chain().ordered]
    assert names == ["world", "tasks", "eval", "tables"]


def test_a_whole_chain_has_no_break() -> None:
    everything = {
        p: sha for one in chain().links for p, sha in [*one.inputs.items(), *one.outputs.items()]
    }
    assert chain().breaks([], outside) == []
    assert chain().changed(lambda path, recorded: everything[path]) == []


def test_an_input_that_is_not_what_was_made_is_named() -> None:
    other = Link("tables/manifest.json", inputs={f"{P}/eval/a/1.jsonl": "old"})
    [found] = chain(tables=other).breaks([], outside)
    assert (found.link, found.kind) == ("tables/manifest.json", "input")
    assert "another results/x/eval/a/1.jsonl than eval/a/1.manifest.json" in found.what


def test_an_input_of_unknown_origin_is_named() -> None:
    other = Link("tables/manifest.json", inputs={f"{P}/eval/b/1.jsonl": "r"})
    [found] = chain(tables=other).breaks([], outside)
    assert found == Break(
        "tables/manifest.json", "origin", "nothing says how results/x/eval/b/1.jsonl was made"
    )


def test_raw_inputs_settings_and_code_are_told_apart() -> None:
    made = Link("eval/a/1.manifest.json", "evaluate", "0", "s", {"models/base": "m"})
    changed = chain(eval=made).changed(lambda path, recorded: recorded if P in path else "other")
    assert [one.kind for one in changed] == ["raw"]
    kinds = {one.kind for one in chain(eval=made).breaks(["other"], outside)}
    assert kinds == {"settings", "code", "origin"}


def test_a_folder_that_was_read_was_made_by_what_is_in_it() -> None:
    index = Link("index/test/manifest.json", outputs={f"{P}/index/test/a.npy": "a"})
    reads = Link("eval/a/1.manifest.json", inputs={f"{P}/index/test": "tree"})
    assert Chain(P, (reads, index)).breaks([], outside) == []
    assert [one.name for one in Chain(P, (reads, index)).ordered] == [index.name, reads.name]


def test_panels_and_indices_know_what_they_were_made_from() -> None:
    files = [f"{P}/world/{split}/{name}.jsonl" for split in ("test", "train")
             for name in ("passages", "questions")]  # fmt: skip
    panel = {"panel": "t", "questions_file": "questions.jsonl", "questions_digest": "q",
             "split": "train"}  # fmt: skip
    found = link("tasks/train-2.manifest.json", panel, P, files)
    assert found is not None
    assert found.inputs == {f"{P}/world/train/questions.jsonl": "q"}
    assert found.outputs == {f"{P}/tasks/train-2.jsonl": "t"}
    index = link("index/test/manifest.json", {"corpus": "p", "files": {"a.npy": "a"}}, P, files)
    assert index is not None
    assert index.inputs == {f"{P}/world/test/passages.jsonl": "p"}
    assert link("x.manifest.json", {"a": 1}, P, files) is None


def test_a_hybrid_index_was_made_of_its_parts_and_vectors_are_checked() -> None:
    files = [f"{P}/world/train/passages.jsonl", f"{P}/world/test/passages.jsonl"]
    whole = {"corpus": "p", "kind": "hybrid", "parts": {"bm25": "b", "dense": "d"}}
    for name, split in (("index/train", "train"), ("compared/index", "test")):
        found = link(f"{name}/manifest.json", whole, P, files)
        assert found is not None
        assert found.inputs == {
            f"{P}/world/{split}/passages.jsonl": "p",
            f"{P}/{name}/bm25/manifest.json": "b",
            f"{P}/{name}/dense/manifest.json": "d",
        }
    part = link("index/train/bm25/manifest.json", {"corpus": "p", "files": {"a": "a"}}, P, files)
    assert part is not None
    assert part.inputs == {f"{P}/world/train/passages.jsonl": "p"}
    made = link("vectors/test/1-of-2.manifest.json", {"encoder": {}, "file": "v"}, P, files)
    assert made is not None
    assert made.outputs == {f"{P}/vectors/test/1-of-2.npy": "v"}


@pytest.mark.parametrize("preset", ["mini", "sample"])
def test_a_committed_run_names_no_place_of_the_machine_it_was_made_on(preset: str) -> None:
    kept = read_json(REFERENCE.with_name(preset) / "reference.json")
    named = [path for one in kept["commands"].values() for path in one.get("inputs", {})]
    assert named
    assert [path for path in named if Path(path).is_absolute()] == []


@pytest.mark.parametrize("preset", ["mini", "sample"])
def test_the_committed_run_holds(preset: str, capsys: pytest.CaptureFixture[str]) -> None:
    verify.main([str(REFERENCE.with_name(preset))])
    printed = capsys.readouterr().out
    assert "the chain holds" in printed
    assert "first broken link" not in printed


def test_a_changed_table_of_the_committed_run_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(REFERENCE, tmp_path / "mini")
    table = folder / "table1.csv"
    table.write_text(table.read_text().replace("measured", "Measured", 1))
    with pytest.raises(SystemExit):
        verify.main([str(folder)])
    assert "first broken link: table1.csv: table1.csv is not what" in capsys.readouterr().out


def test_a_table_put_into_the_description_too_is_held_against_what_made_it(tmp_path: Path) -> None:
    folder = shutil.copytree(REFERENCE, tmp_path / "mini")
    described = json.loads((folder / "reference.json").read_text())
    metrics = folder / "rl-mem1.jsonl"
    metrics.write_text(metrics.read_text() + "\n")
    described["files"]["rl-mem1.jsonl"]["sha256"] = file_digest(metrics)
    write_json(folder / "reference.json", described)
    broken = audit.of_folder(folder, ROOT).broken
    assert "results/mini/train/rl-mem1/metrics.jsonl has changed since" in broken[0].what


def test_a_file_beside_the_committed_run_that_nothing_vouches_for_is_named(tmp_path: Path) -> None:
    folder = shutil.copytree(REFERENCE, tmp_path / "mini")
    (folder / "old.csv").write_text("left over")
    described = json.loads((folder / "reference.json").read_text())
    described["files"]["figure4.csv"]["source"] = "figures/figure9.csv"
    write_json(folder / "reference.json", described)
    broken = [one.what for one in audit.of_folder(folder, ROOT).broken]
    assert "nothing says how old.csv was made" in broken
    assert "nothing says how figure4.csv was made" in broken


def test_a_table_that_is_left_over_from_an_earlier_run_is_named(tmp_path: Path) -> None:
    tables = tmp_path / "results" / "x" / "tables"
    tables.mkdir(parents=True)
    (tables / "table1.csv").write_text("a\n")
    (tables / "ablations.csv").write_text("a\n")
    outputs = {"table1.csv": file_digest(tables / "table1.csv")}
    made = {"command": "render_tables", "code": "", "config": None, "inputs": {}}
    write_json(tables / "manifest.json", {**made, "outputs": outputs})
    broken = [(one.kind, one.what) for one in audit.of_folder(tables.parent, ROOT).broken]
    assert ("origin", "nothing says how tables/ablations.csv was made") in broken
    assert ("origin", "nothing says how tables/table1.csv was made") not in broken


def test_tables_and_claims_are_held_against_the_records(synthetic_results: Path) -> None:
    folder = synthetic_results
    (folder / "config").mkdir()
    shutil.copy(folder / "analysis.json", folder / "config/analysis.json")
    options = [
        *("--config", str(folder / "config/analysis.json")),
        *("--records-dir", str(folder / "eval"), "--train-dir", str(folder / "train")),
        *("--expected", str(ROOT / "config/expected.yaml")),
    ]
    render_tables.main([*options, "--output-dir", str(folder / "tables")])
    render_claims.main([*options, "--output-dir", str(folder)])
    names = (remade.TABLES, remade.CLAIMS)
    manifests = {name: json.loads((folder / name).read_text()) for name in names}
    cells, broken = remade.breaks(folder, folder, manifests)
    assert cells > 1000
    assert broken == []
    for name in ("tables/table1.md", "claims.md"):
        text = (folder / name).read_text()
        (folder / name).write_text(text.replace("not supported", "supported", 1))
    _, broken = remade.breaks(folder, folder, manifests)
    assert [one.link for one in broken] == list(names)
    assert broken[0].what.startswith("tables/table1.md: line ")
    assert broken[1].what.startswith("claims.md: line ")
    by_other_code = {name: {**one, "code": "another"} for name, one in manifests.items()}
    assert remade.breaks(folder, folder, by_other_code)[1] == []


def test_a_folder_without_a_run_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "results" / "x").mkdir(parents=True)
    with pytest.raises(InputError, match=r"holds no tables/manifest\.json"):
        audit.of_folder(tmp_path / "results" / "x", ROOT)
