import json
from pathlib import Path

import pytest

from mem1 import manifest, verify
from mem1.errors import InputError
from mem1.provenance import write_json


@pytest.fixture
def made(tmp_path, monkeypatch) -> Path:
    """A result with a manifest, as a command writes it; its path from the working directory."""
    monkeypatch.chdir(tmp_path)
    for name, text in {"config.json": '{"b": 1, "a": 2}', "in/x": "1", "out/y": "2"}.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text, encoding="utf-8")
    values = manifest.describe(
        "make_schema", Path("config.json"), [Path("in")], {"y": Path("out/y")}
    )
    write_json(Path("out/manifest.json"), values)
    return Path("out/manifest.json")


def test_what_was_made_verifies(made):
    assert manifest.verify(made)["inputs"].keys() == {"in"}


@pytest.mark.parametrize(
    ("path", "message"),
    [("in/x", "its input in has changed"), ("out/y", "out/y is not what was made")],
)
def test_a_changed_file_is_named(made, path, message):
    Path(path).write_text("3", encoding="utf-8")
    with pytest.raises(InputError, match=message):
        manifest.verify(made)


def test_a_missing_input_is_named(made):
    Path("in/x").unlink()
    Path("in").rmdir()
    with pytest.raises(InputError, match="in does not exist"):
        manifest.verify(made)


def test_changed_code_is_named(made):
    values = json.loads(made.read_text(encoding="utf-8"))
    write_json(made, {**values, "code": "0" * 64})
    with pytest.raises(InputError, match=r"the code of mem1\.make_schema has changed"):
        manifest.verify(made)


def test_layout_of_the_configuration_does_not_count(made, tmp_path):
    Path("other.json").write_text('{"a":2,   "b":1}', encoding="utf-8")
    again = manifest.describe("make_schema", Path("other.json"), [], {})
    assert again["config"] == json.loads(made.read_text(encoding="utf-8"))["config"]


WHOLE = {"command": "make_schema", "config": None, "code": "", "inputs": {}, "outputs": {}}


@pytest.mark.parametrize(
    "values",
    [
        [],
        {"inputs": {}},
        {**WHOLE, "inputs": []},
        {**WHOLE, "outputs": None},
        {**WHOLE, "command": None},
        {**WHOLE, "command": "no_such_verb"},
        {**WHOLE, "command": "../mem1/make_schema"},
    ],
)
def test_some_other_json_is_no_manifest(tmp_path, values):
    write_json(tmp_path / "x.json", values)
    with pytest.raises(InputError, match="is no manifest"):
        manifest.verify(tmp_path / "x.json")


def test_verify_writes_no_receipt_when_something_changed(made):
    Path("in/x").write_text("3", encoding="utf-8")
    with pytest.raises(InputError):
        verify.main(["--manifests", str(made), "--output", "receipt.json"])
    assert not Path("receipt.json").exists()


def test_receipt_names_each_manifest(made):
    verify.main(["--manifests", str(made), "--output", "receipt.json"])
    assert json.loads(Path("receipt.json").read_text(encoding="utf-8")).keys() == {str(made)}


def test_local_data_are_recorded_without_the_folder_they_lie_in(made, tmp_path, monkeypatch):
    for folder in ("here", "there"):
        Path(folder, "wiki18").mkdir(parents=True)
        Path(folder, "wiki18/calls.jsonl").write_text("{}", encoding="utf-8")
    monkeypatch.setenv("MEM1_SAMPLE_DATA", str(tmp_path / "here"))
    calls = tmp_path / "here/wiki18/calls.jsonl"
    values = manifest.describe("make_schema", None, [calls], {})
    assert values["inputs"].keys() == {"$MEM1_SAMPLE_DATA/wiki18/calls.jsonl"}
    write_json(made, values)
    monkeypatch.setenv("MEM1_SAMPLE_DATA", str(tmp_path / "there"))
    manifest.verify(made)  # the same data in another place
    Path("there/wiki18/calls.jsonl").write_text("[]", encoding="utf-8")
    with pytest.raises(InputError, match=r"its input \$MEM1_SAMPLE_DATA/wiki18/calls\.jsonl has"):
        manifest.verify(made)
    monkeypatch.delenv("MEM1_SAMPLE_DATA")
    with pytest.raises(InputError, match="set MEM1_SAMPLE_DATA to the folder of the data"):
        manifest.verify(made)
