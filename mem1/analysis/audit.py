"""Is a run, or a committed one, what its manifests say, from raw inputs to each cell of a table?

Of a run that lies there whole, every file is compared with its digest, and tables and claims are
made again from the records. Of a committed run (``analysis.reference``) only tables, figures,
claims and logs of trainings are kept: they are compared with their digests, and the links before
them by what the manifests say of each other. A table, figure or claim that no manifest names is a
broken link too: it may be left over from an earlier run.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from mem1 import manifest
from mem1.analysis import reference, remade
from mem1.analysis.chain import SINCE, Break, Chain, Kind, Link, link
from mem1.analysis.remade import TABLES
from mem1.errors import InputError
from mem1.provenance import file_digest, json_digest, read_json

# Made anew from nothing each time, without a manifest: their digests stand where they are used.
WITHOUT = ("tokenizer", "webshop/tokenizer", "config")


@dataclass(frozen=True)
class Report:
    """What was looked at, and what does not hold, the first broken link first."""

    links: int
    files: int
    cells: int
    broken: list[Break]
    since: list[Break]  # code, settings and raw inputs that are others now
    notes: list[str]

    def lines(self, title: str) -> Iterator[str]:
        """The report, for the screen."""
        yield f"{title}: {self.links} manifests, {self.files} files, {self.cells} cells of tables"
        for number, one in enumerate(self.broken):
            yield f"{'also' if number else 'first broken link'}: {one.link}: {one.what}"
        for one in self.since:
            yield f"changed since: {one.link}: {one.what}"
        yield from self.notes
        if not self.broken:
            yield "the chain holds" + (", but a rerun would differ" if self.since else "")


def of_folder(folder: Path, root: Path) -> Report:
    """The report on ``folder``: a run, or a committed one with the repository at ``root``.

    Raises:
        InputError: there is no run.
    """
    if (folder / reference.MANIFEST).is_file():
        return of_reference(folder, root)
    return of_run(folder)


def of_run(folder: Path) -> Report:
    """The report on the run below ``folder``; see the module.

    Raises:
        InputError: there is no run.
    """
    base = folder.resolve().parent.parent
    place = folder.resolve().relative_to(base).as_posix()
    found = {
        path.relative_to(folder).as_posix(): _values(path) for path in reference.manifests(folder)
    }
    if TABLES not in found:
        raise InputError(
            f"{folder} holds no {TABLES} and no {reference.MANIFEST}: run the workflow first, keep "
            f"a committed run again (make reference), or correct the path."
        )
    files = [path.relative_to(base) for path in sorted(folder.resolve().rglob("*.jsonl"))]
    chain, notes = _chain(found, place, [path.as_posix() for path in files])
    settings = {json_digest(read_json(path)) for path in (folder / "config").glob("*.json")}

    @cache
    def now(path: str, recorded: str) -> str | None:
        there = manifest.located(path)
        if there is None:
            return recorded
        return manifest.digest(base / there) if (base / there).exists() else None

    breaks = [
        *chain.changed(now),
        *chain.breaks(settings, lambda path: _raw(path, place)),
    ]
    there = [
        path.relative_to(folder)
        for part, patterns in reference.KEPT.items()
        for pattern in patterns
        for path in (folder / part).glob(pattern)
    ]
    breaks += [
        Break((path.parent / "manifest.json").as_posix(), "origin", _nameless(path.as_posix()))
        for path in sorted(there)
        if f"{place}/{path.as_posix()}" not in chain.makers
    ]
    cells, different = remade.breaks(folder, base, found)
    breaks += different
    named = {path for one in chain.links for path in [*one.inputs, *one.outputs]}
    return _report(chain, breaks, len(named), cells, notes)


def of_reference(folder: Path, root: Path) -> Report:
    """The report on the committed run in ``folder``; see the module.

    Raises:
        InputError: its description is unusable.
    """
    kept = reference.read(folder)
    place = f"results/{kept.preset}"
    made = {
        f"{place}/{Path(name).parent.as_posix()}/{output}"
        for name, values in kept.commands.items()
        for output in values.get("outputs", {})
    }
    chain, notes = _chain(kept.commands, place, sorted(made))
    tops = {name.partition("/")[0] for name, one in kept.commands.items() if one.get("outputs")}
    inside = f"{place}/"

    def known(path: str) -> bool:
        top = path.removeprefix(inside).partition("/")[0]
        return _raw(path, place) or top not in tops

    absent = {
        path.removeprefix(inside).partition("/")[0]
        for one in chain.links
        for path in one.inputs
        if known(path) and not _raw(path, place)
    }
    if absent:
        notes.append(
            f"not checked: {', '.join(sorted(absent))}, whose files are not part of a reference"
        )
    sources = {f"{inside}{file.source}": file.sha256 for file in kept.files.values()}

    def now(path: str, recorded: str) -> str | None:
        if path in sources:
            return sources[path]
        there = manifest.located(path)
        if there is not None and not path.startswith(inside) and (root / there).exists():
            return manifest.digest(root / there)
        return recorded

    breaks = [
        Break(name, "file", f"{name} is not what {reference.MANIFEST} records")
        for name, file in sorted(kept.files.items())
        if not (folder / name).is_file() or file_digest(folder / name) != file.sha256
    ]
    there = {path.name for path in folder.iterdir()} - {reference.MANIFEST}
    nameless = {
        name for name, file in kept.files.items() if inside + file.source not in chain.makers
    }
    breaks += [
        Break(reference.MANIFEST, "origin", _nameless(name))
        for name in sorted(nameless | (there - kept.files.keys()))
    ]
    breaks += chain.changed(now)
    breaks += chain.breaks(kept.made.configuration.values(), known)
    cells = sum(
        remade.count((folder / name).read_text(encoding="utf-8"))
        for name, file in kept.files.items()
        if file.source.startswith("tables/") and name.endswith(".csv") and (folder / name).is_file()
    )
    return _report(chain, breaks, len(kept.files), cells, notes)


def _report(chain: Chain, breaks: list[Break], files: int, cells: int, notes: list[str]) -> Report:
    order = {one.name: number for number, one in enumerate(chain.ordered)}
    kinds: list[Kind] = ["file", "input", "origin", "raw", "settings", "code"]
    breaks = sorted(
        dict.fromkeys(breaks), key=lambda one: (order.get(one.link, -1), kinds.index(one.kind))
    )
    broken = [one for one in breaks if one.kind not in SINCE]
    since = [one for one in breaks if one.kind in SINCE]
    return Report(len(chain.links), files, cells, broken, since, notes)


def _values(path: Path) -> dict[str, Any]:
    values = read_json(path)
    return values if isinstance(values, dict) else {}


def _chain(
    found: Mapping[str, Mapping[str, Any]], place: str, files: list[str]
) -> tuple[Chain, list[str]]:
    """The links in ``found``, and a note on each manifest that is of no known form."""
    links: list[Link] = []
    notes = []
    for name, values in found.items():
        one = link(name, values, place, files)
        if one is None:
            notes.append(f"not checked: {name} is of no form that is known here")
        else:
            links.append(one)
    return Chain(place, tuple(links)), notes


def _raw(path: str, place: str) -> bool:
    """Whether an input needs no manifest: it lies outside the results, or is made from nothing."""
    inside = path.removeprefix(f"{place}/")
    return inside == path or any(inside == top or inside.startswith(f"{top}/") for top in WITHOUT)


def _nameless(path: str) -> str:
    return f"nothing says how {path} was made"
