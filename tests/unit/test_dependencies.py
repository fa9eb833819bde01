from pathlib import Path

import pytest

from mem1.dependencies import ROOT, code_digest, modules_of


@pytest.fixture
def package(tmp_path) -> Path:
    files = {
        "mem1/__init__.py": '"""A package."""\n',
        "mem1/errors.py": "",
        "mem1/act.py": "def main():\n    from mem1.deep import inner\n    import mem1.errors\n",
        "mem1/deep/__init__.py": "",
        "mem1/deep/inner.py": "from mem1.deep.other import thing\nimport numpy\n",
        "mem1/deep/other.py": "from mem1.deep import inner\nthing = 1\n",
        "mem1/unused.py": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def names(root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in modules_of("act", root)]


def test_imports_are_followed_through_functions_and_cycles(package):
    assert names(package) == [
        "mem1/act.py",
        "mem1/deep/inner.py",
        "mem1/deep/other.py",
    ]


def test_digest_changes_with_a_module_that_is_used(package):
    before = code_digest("act", package)
    (package / "mem1/deep/other.py").write_text("thing = 2\n", encoding="utf-8")
    assert code_digest("act", package) != before


def test_digest_ignores_a_module_that_is_not_used(package):
    before = code_digest("act", package)
    (package / "mem1/unused.py").write_text("x = 1\n", encoding="utf-8")
    assert code_digest("act", package) == before


def test_a_command_that_is_gone_has_another_digest_than_it_had(package):
    before = code_digest("act", package)
    (package / "mem1/act.py").unlink()
    assert code_digest("act", package) != before


def test_retrieval_is_behind_its_command_and_training_is_not():
    files = {path.relative_to(ROOT).as_posix() for path in modules_of("build_index")}
    assert "mem1/retrieval/bm25.py" in files
    assert not any(name.startswith("mem1/train/") for name in files)


def test_what_only_carries_settings_is_behind_no_evaluation():
    names = {path.stem for path in modules_of("evaluate")}
    assert not any(name.startswith("config") for name in names)
    assert "made" not in names
