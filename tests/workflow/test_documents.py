"""Documents that must agree with what they describe."""

import re
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from tests.workflow.conftest import ROOT
from tests.workflow.test_style import PROJECT

DOCUMENTS = sorted(
    [
        *(path for name in ("*.md", "docs/*.md") for path in ROOT.glob(name)),
        *(ROOT / name / "README.md" for name in ("benchmarks", "config", "models/base")),
    ]
)
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
ANCHOR = re.compile(r"\]\((?!https?:)([^)#\s]*)#([^)\s]+)\)")
COMMAND = re.compile(r"python -m ((?:mem1|benchmarks)\.\w+)((?: \\\n|[^\n`#|])*)")
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
def test_links_lead_to_headings(path: Path) -> None:
    links = ANCHOR.findall(path.read_text(encoding="utf-8"))
    assert [one for one in links if one[1] not in anchors(path.parent / one[0], path)] == []


def anchors(linked: Path, path: Path) -> set[str]:
    """What GitHub calls the headings of ``linked``, or of ``path`` where a link names no file."""
    text = (path if linked.is_dir() else linked).read_text(encoding="utf-8")
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_commands_that_are_shown_have_their_options(capsys: pytest.CaptureFixture[str]) -> None:
    shown: dict[str, set[str]] = {}
    for path in DOCUMENTS:
        for module, rest in COMMAND.findall(path.read_text(encoding="utf-8")):
            shown.setdefault(module, set()).update(re.findall(r"(?<=\s)--[a-z][\w-]*", rest))
    del shown["mem1.launch"]  # its options are those of other commands
    assert len(shown) > 10
    for module, options in shown.items():
        with pytest.raises(SystemExit):
            import_module(module).main(["--help"])
        known = capsys.readouterr().out
        assert [one for one in options if not re.search(rf"{one}\b", known)] == [], module


def test_readme_has_the_numbers_of_the_committed_run() -> None:
    """A new reference (``make reference``) asks for a new README."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    kept = ROOT / "results" / "reference" / "mini"
    exact = (kept / "table1.md").read_text(encoding="utf-8").partition("**Peak tokens**")[0]
    ours = {row[0]: [cell.replace("not run", "") for cell in row[1:]] for row in rows(exact)}
    said = rows(text.partition("## Results")[2].partition("![")[0])[1:]
    assert {row[0]: row[1:] for row in said}.items() <= ours.items()
    assert len(said) == 8
    claims = [row[1:] for row in rows((kept / "claims.md").read_text("utf-8")) if "](#" in row[0]]
    assert claims == rows(text.partition("<details>")[2].partition("</details>")[0])[1:]
    counts = [sum(row[-1] == f"**{verdict}**" for row in claims) for verdict in VERDICTS]
    assert (
        "of {}, {} are supported, {} are not, {} was not run".format(len(claims), *counts) in text
    )


VERDICTS = ("supported", "not supported", "not run")


def rows(text: str) -> list[list[str]]:
    """The cells of the tables of ``text``, head included."""
    lines = [line for line in text.splitlines() if line.startswith("|") and "---" not in line]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


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
