"""Documents that must agree with what they describe."""

import re
from pathlib import Path

import pytest
import yaml

from tests.workflow.conftest import ROOT
from tests.workflow.test_style import PROJECT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "config" / "README.md"])
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
NAMED = re.compile(r"`((?:mem1|tests|workflow|config|docs|envs|benchmarks|slurm)/[\w./-]+\.\w+)`")


def test_every_target_of_make_is_explained() -> None:
    make = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.search(r"^\.PHONY:(.*)$", make, re.MULTILINE)
    assert targets is not None
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert [name for name in targets[1].split() if f"`make {name}`" not in text] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_to_files(path: Path) -> None:
    links = LINK.findall(path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_that_are_named_exist(path: Path) -> None:
    if path.name in ("log.md", "deviations.md", "CHANGELOG.md"):
        pytest.skip("tells what was, too")
    named = NAMED.findall(path.read_text(encoding="utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_version_and_licence_are_the_same_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["version"], citation["license"]) == (PROJECT["version"], PROJECT["license"])
    assert "MIT License" in (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert citation["preferred-citation"]["doi"].endswith("2506.15841")


def test_each_figure_and_table_of_the_report_has_a_caption() -> None:
    rules = "".join(path.read_text("utf-8") for path in ROOT.glob("workflow/rules/*.smk"))
    shown, captions = rules.count("report("), re.findall(r'caption="\.\./report/(.*?)"', rules)
    assert shown == rules.count("caption=") > 0
    for name in {name for name in captions if "{" not in name}:
        assert (ROOT / "workflow" / "report" / name).read_text(encoding="utf-8").strip()
