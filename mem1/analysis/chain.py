"""The chain from raw inputs to tables, link by link, as the manifests of a run record it.

A link is a manifest: what a command made, and what it was made from. Links are joined by
digests: what one has made is what another was given. Three things can break a chain: a file is not
what was recorded, a link was given something else than the one before it made, or nothing says
where an input came from. Code, settings and raw inputs (what no link made) that have changed since
break nothing that lies there, but a rerun would make something else; they are told apart.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any, Literal

from mem1.dependencies import code_digest
from mem1.manifest import DATA, KEYS

Kind = Literal["file", "input", "origin", "raw", "settings", "code"]
SINCE: frozenset[Kind] = frozenset({"raw", "settings", "code"})  # changed since, not broken


@dataclass(frozen=True)
class Link:
    """One manifest; paths as seen from the folder that the run was started in."""

    name: str  # of the manifest, seen from the results
    command: str | None = None
    code: str | None = None
    config: str | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Break:
    """Where a chain does not hold."""

    link: str
    kind: Kind
    what: str  # one sentence


def link(name: str, values: Mapping[str, Any], place: str, files: Iterable[str]) -> Link | None:
    """The manifest ``values`` as a link; None if it is of no known form.

    Args:
        name: of the manifest, seen from the results.
        values: its JSON.
        place: the results, seen from where the run was started.
        files: what lies below the results, seen from there: panels and indices know what they were
            made from by digest and file name only.
    """
    folder = PurePosixPath(place, name).parent

    def made(outputs: Mapping[str, str]) -> dict[str, str]:
        return {(folder / output).as_posix(): digest for output, digest in outputs.items()}

    def called(file: str) -> str:
        """The file of that name that is meant: of the same split, where there are several."""
        found = [path for path in files if PurePosixPath(path).name == file]
        splits = [values.get("split"), *reversed(PurePosixPath(name).parent.parts), "test"]
        named = [path for split in splits for path in found if f"/{split}/" in path]
        return next(iter([*named, *found]), file)

    if "panel" in values:
        panel = name.rpartition("/")[2].replace(".manifest.json", ".jsonl")
        asked = values.get("questions_digest")
        inputs = {called(values["questions_file"]): asked} if asked else {}
        return Link(name, "compose", inputs=inputs, outputs=made({panel: values["panel"]}))
    if "corpus" in values and "files" in values:
        inputs = {called("passages.jsonl"): values["corpus"]}
        return Link(name, "build_index", inputs=inputs, outputs=made(values["files"]))
    if "corpus" in values and "parts" in values:  # a hybrid index: of BM25 and vectors
        parts = {f"{folder}/{part}/manifest.json": sha for part, sha in values["parts"].items()}
        return Link(
            name, "build_index", inputs={called("passages.jsonl"): values["corpus"]} | parts
        )
    if "encoder" in values and "file" in values:  # vectors of some of the passages
        vectors = name.rpartition("/")[2].replace(".manifest.json", ".npy")
        return Link(name, "encode_passages", outputs=made({vectors: values["file"]}))
    if "files" in values and "inputs" in values:  # an import
        read = values["inputs"] if isinstance(values["inputs"], Mapping) else {}
        raw = {f"{DATA}/{path}": sha for path, sha in read.items() if isinstance(sha, str)}
        return Link(name, inputs=raw, outputs=made(values["files"]))
    outputs = values.get("outputs")
    if not isinstance(outputs, Mapping):
        return (
            Link(name, **{k: values[k] for k in KEYS - {"outputs"}}) if "code" in values else None
        )
    return Link(
        name,
        values.get("command"),
        values.get("code"),
        values["config"] if isinstance(values.get("config"), str) else None,
        dict(values.get("inputs", {})),
        made(outputs),
    )


@dataclass(frozen=True)
class Chain:
    """The links of a run, and where its results lie seen from where it was started."""

    place: str
    links: tuple[Link, ...]

    @cached_property
    def makers(self) -> dict[str, tuple[Link, str]]:
        """Path to the link that made it, and its digest."""
        return {path: (one, sha) for one in self.links for path, sha in one.outputs.items()}

    def before(self, one: Link) -> list[Link]:
        """The links that made the inputs of ``one``, whole folders included."""
        found = [self._maker(path) for path in one.inputs]
        return [link for links in found for link in links if link is not one]

    def _maker(self, path: str) -> list[Link]:
        exact = self.makers.get(path)
        if exact is not None:
            return [exact[0]]
        own = [one for one in self.links if path == f"{self.place}/{one.name}"]  # a manifest
        if own:
            return own
        inside = {id(one): one for made, (one, _) in self.makers.items() if _under(made, path)}
        around = {id(one): one for made, (one, _) in self.makers.items() if _under(path, made)}
        return list((inside | around).values())

    @cached_property
    def ordered(self) -> list[Link]:
        """The links from raw inputs on: each behind those that its inputs come from."""
        depth: dict[str, int] = {}

        def deep(one: Link, above: frozenset[str] = frozenset()) -> int:
            if one.name not in depth:
                inner = above | {one.name}
                earlier = [b for b in self.before(one) if b.name not in inner]
                depth[one.name] = 1 + max((deep(b, inner) for b in earlier), default=-1)
            return depth[one.name]

        return sorted(self.links, key=lambda one: (deep(one), one.name))

    def breaks(self, settings: Iterable[str], known: Callable[[str], bool]) -> list[Break]:
        """What does not hold by the digests alone, without looking at a file.

        Args:
            settings: digests of the frozen sections that the run has.
            known: whether an input needs no link: it comes with the repository, or is made anew
                from nothing each time.
        """
        frozen = set(settings)
        found = []
        for one in self.ordered:
            for path, digest in one.inputs.items():
                maker = self.makers.get(path)
                if maker is not None and maker[1] != digest:
                    what = f"it was given another {path} than {maker[0].name} says was made"
                    found.append(Break(one.name, "input", what))
                elif maker is None and not self._maker(path) and not known(path):
                    found.append(Break(one.name, "origin", f"nothing says how {path} was made"))
            if one.config is not None and one.config not in frozen:
                what = "its settings are none of those in config"
                found.append(Break(one.name, "settings", what))
            if one.code is not None and one.command and one.code != code_digest(one.command):
                what = f"the code of mem1.{one.command} has changed since"
                found.append(Break(one.name, "code", what))
        return found

    def changed(self, digest: Callable[[str, str], str | None]) -> list[Break]:
        """The files that are not what is recorded.

        ``digest`` gives the digest of a path; None where there is nothing, and the recorded one,
        its second argument, where nobody can tell.
        """
        found = []
        for one in self.ordered:
            for title, files in (("its input ", one.inputs), ("", one.outputs)):
                for path, recorded in files.items():
                    now = digest(path, recorded)
                    if now != recorded:
                        said = "does not exist" if now is None else "has changed since"
                        raw = now is not None and not _under(path, self.place)
                        kind: Kind = "raw" if raw else "file"
                        found.append(Break(one.name, kind, f"{title}{path} {said}"))
        return found


def _under(path: str, folder: str) -> bool:
    return path.startswith(f"{folder}/")
