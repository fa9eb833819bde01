"""The table of data sets, ``config/datasets.tsv``, and whether a file is what it says.

Each row pins one file of the Hugging Face Hub by commit and sha256. Where nobody has published a
sha256, because the file is in git itself and not in its large file storage, sha256 and size are
``by-revision``: the commit pins the file, and a download is compared with the git digest that the
Hub gives for it there (``tasks.hub``). What nobody could check at all is written ``unverified``,
and such a row is not downloaded (``pinned``).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from mem1.config_learning import Section
from mem1.errors import InputError
from mem1.records import complaint
from mem1.tasks import rows

TABLE = Path(__file__).resolve().parents[2] / "config" / "datasets.tsv"
UNVERIFIED = "unverified"
BY_REVISION = "by-revision"
Unverified = Literal["unverified"]
ByRevision = Literal["by-revision"]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Commit = Annotated[str, Field(pattern="^[0-9a-f]{40}$")]
FACTS = ("size", "sha256", "count")


class Dataset(Section):
    """One file: where it is, and what it must be."""

    name: str = Field(pattern="^[a-z0-9]+(-(train|dev|test))?$", description="set and split")
    role: Literal["questions", "passages"]
    hub: str = Field(pattern="^[^/]+/[^/]+$", description="repository on the Hub")
    revision: Commit | Unverified
    file: str = Field(min_length=1, description="path in the repository")
    sha256: Digest | ByRevision | Unverified
    size: Annotated[int, Field(ge=1)] | ByRevision | Unverified = Field(description="bytes")
    count: Annotated[int, Field(ge=1)] | Unverified = Field(description="questions or passages")
    licence: str
    hops: Literal["single", "multi", "unknown"]
    note: str = Field(description="where each fact is from")

    @property
    def source(self) -> str:
        """The set, without the split."""
        return self.name.partition("-")[0]

    @property
    def compressed(self) -> bool:
        """Whether the file is a gzip file."""
        return self.file.endswith(".gz")


@dataclass(frozen=True)
class Facts:
    """What a local file is: bytes, sha256, number of records."""

    size: int
    sha256: str
    count: int


def read(path: Path = TABLE) -> dict[str, Dataset]:
    """The rows of the table by name.

    Raises:
        InputError: the table is missing, or a row does not fit (named by its line).
    """
    found: dict[str, Dataset] = {}
    for row in rows.csv_rows(path, "\t"):
        try:
            dataset = Dataset.model_validate(_typed(row.value))
        except ValidationError as error:
            raise row.bad(complaint(error, "the row"), "correct it") from error
        if dataset.name in found:
            raise row.bad(f"{dataset.name!r} stands twice", "remove one")
        found[dataset.name] = dataset
    return found


def _typed(values: dict[str, str]) -> dict[str, object]:
    numbers = {name: int(values[name]) for name in FACTS if str(values.get(name)).isdecimal()}
    numbers.pop("sha256", None)  # one of digits alone would be a digest still
    return {**values, **numbers}


def named(names: Sequence[str], role: str, table: dict[str, Dataset]) -> list[Dataset]:
    """The rows called ``names``, all of ``role``.

    Raises:
        InputError: there is no such row, or its role is another one.
    """
    known = [name for name, dataset in table.items() if dataset.role == role]
    for name in names:
        if name not in known:
            raise InputError(
                f"config/datasets.tsv has no {role} called {name!r}: use one of {known}, or add "
                f"a row."
            )
    return [table[name] for name in names]


def pinned(dataset: Dataset) -> Dataset:
    """``dataset``, when all its facts are known.

    Raises:
        InputError: some are unverified; the sentence says how to fill them in.
    """
    open_ = [n for n in ("revision", *FACTS) if getattr(dataset, n) == UNVERIFIED]
    if open_:
        raise InputError(
            f"config/datasets.tsv: {' and '.join(open_)} of {dataset.name} "
            f"{'are' if len(open_) > 1 else 'is'} unverified: download {dataset.file} of "
            f"{dataset.hub} at the revision you trust, run `python -m mem1.verify_dataset "
            f"{dataset.name} FILE`, and write the values that it prints into the row."
        )
    return dataset


def measure(path: Path, compressed: bool) -> Facts:
    """The facts of a local file; its records are its lines that are not blank.

    Raises:
        InputError: missing, or it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
            size = file.tell()
    except FileNotFoundError as error:
        raise InputError(
            f"{path} does not exist: download it first, or correct the path."
        ) from error
    count = sum(1 for line in rows.lines(path, compressed) if line.strip())
    return Facts(size, digest.hexdigest(), count)


def git_digest(path: Path) -> str:
    """The name that git gives to the content of ``path``: a sha1 over its size and its bytes."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def differences(dataset: Dataset, facts: Facts) -> list[str]:
    """What of ``facts`` is not what the table says.

    What is ``unverified`` differs too; what is ``by-revision`` is not compared here.
    """
    return [
        f"{name} {getattr(facts, name)} (table: {getattr(dataset, name)})"
        for name in FACTS
        if getattr(dataset, name) not in (getattr(facts, name), BY_REVISION)
    ]


def check(dataset: Dataset, path: Path) -> Facts:
    """The facts of ``path``, which are those of ``dataset``.

    Raises:
        InputError: one sentence that says what differs.
    """
    facts = measure(path, dataset.compressed)
    if found := differences(dataset, facts):
        raise InputError(
            f"{path} is not {dataset.name} of config/datasets.tsv: it has "
            f"{' and '.join(found)}; download it again, or correct the row if you trust the file."
        )
    return facts
