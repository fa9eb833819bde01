"""Which source files a command depends on, found by following its imports.

The workflow lists them as inputs, so that an edited module repeats the stages that use it
and no others; manifests record their digest. They are read, not imported, so that asking is
cheap and needs no torch.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from mem1.provenance import file_digest, json_digest

PACKAGE = "mem1"
ROOT = Path(__file__).resolve().parent.parent

# These carry settings, messages and digests. What they carry is in frozen sections and files.
# Not config_seeds: analysis groups trainings by its names.
CARRIERS = frozenset(
    f"{PACKAGE}.{name}"
    for name in (
        *(
            "cli",
            "config",
            "config_checks",
            "config_files",
            "config_learning",
            "config_paths",
            "config_retrieval",
            "config_sources",
            "config_systems",
            "config_vllm",
            "config_webshop",
            "stages",
            "launch",
        ),
        *("errors", "dependencies", "made", "manifest", "provenance"),
    )
)


def _imported(tree: ast.AST) -> Iterator[str]:
    """Dotted names that ``tree`` imports, at any depth, candidates for modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _file(name: str, root: Path) -> Path | None:
    """The file of the module ``name``, if there is one below ``root``."""
    path = root.joinpath(*name.split("."))
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((p for p in candidates if p.is_file()), None)


@cache
def _direct(path: Path, root: Path) -> frozenset[Path]:
    """The package's files that the module at ``path`` imports itself."""
    names = {
        name
        for name in _imported(ast.parse(path.read_text(encoding="utf-8")))
        if name.split(".")[0] == PACKAGE and name not in CARRIERS
    }
    return frozenset(file for name in names if (file := _file(name, root)) is not None)


def is_command(name: object, root: Path = ROOT) -> bool:
    """Whether there is a module that ``python -m mem1.<name>`` would run."""
    if not isinstance(name, str) or not name.isidentifier():
        return False
    return (root / PACKAGE / f"{name}.py").is_file()


def modules_of(command: str, root: Path = ROOT) -> list[Path]:
    """The files behind ``python -m mem1.<command>``, the command's own first, then by name.

    Modules that only carry settings, messages and digests (``CARRIERS``) are left out, and so are
    packages whose ``__init__`` is empty. Relative imports are not followed: there are none.
    Without such a command there are no files.
    """
    first = root / PACKAGE / f"{command}.py"
    if not first.is_file():
        return []
    found: set[Path] = set()
    queue = {first}
    while queue:
        path = queue.pop()
        found.add(path)
        queue |= _direct(path, root) - found
    return [first, *sorted(p for p in found - {first} if p.stat().st_size)]


def code_digest(command: str, root: Path = ROOT) -> str:
    """One digest over the sources of ``command`` and their places in the package.

    Without such a command it is that of no files, which is no other command's.
    """
    files = modules_of(command, root)
    return json_digest([[f.relative_to(root).as_posix(), file_digest(f)] for f in files])
