"""Files of the Hugging Face Hub, each at a pinned commit and compared with a digest.

They come through the download manager of ``datasets``, which keeps what it has fetched (folder
HF_HOME), and are read by the same readers as local files: `load_dataset` would give the rows,
but not the file to compare. The digest is the sha256 in the table, or, where the table says
``by-revision``, the one that the Hub gives for the file at that commit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mem1.errors import InputError
from mem1.tasks import catalogue
from mem1.tasks.catalogue import Dataset, Facts

Download = Callable[[str], str]  # address -> path of a local copy
Recorded = Callable[[Dataset], str]  # see ``recorded``


@dataclass(frozen=True)
class Fetched:
    """A local copy that is what the table says, and what it is."""

    path: Path
    facts: Facts


def address(dataset: Dataset) -> str:
    """Where ``dataset`` is, as ``datasets`` and fsspec write it."""
    return f"hf://datasets/{dataset.hub}@{dataset.revision}/{dataset.file}"


def download(address: str) -> str:
    """Fetch ``address``, or find it among what was fetched before."""
    import datasets

    return str(datasets.DownloadManager().download(address))


def recorded(dataset: Dataset) -> str:
    """The digest that the Hub has for ``dataset`` at its commit.

    That is the sha256 of a file in large file storage, else the one of ``catalogue.git_digest``.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    found = HfApi().get_paths_info(
        dataset.hub, dataset.file, revision=dataset.revision, repo_type="dataset"
    )
    files = [info for info in found if isinstance(info, RepoFile)]
    if not files:
        raise FileNotFoundError(f"no file {dataset.file} at {dataset.revision}")
    return files[0].lfs.sha256 if files[0].lfs else files[0].blob_id


def fetch(
    dataset: Dataset, download: Download = download, recorded: Recorded = recorded
) -> Fetched:
    """A local copy of ``dataset`` that is what the table says.

    Args:
        dataset: a row of the table, with all facts known.
        download: gives a local copy of an address.
        recorded: gives the digest of a row whose sha256 is ``by-revision``.

    Raises:
        InputError: a fact is unverified, the file or its digest cannot be had, or it is another
            one.
    """
    where = address(catalogue.pinned(dataset))
    by_revision = catalogue.BY_REVISION in (dataset.sha256, dataset.size)
    try:
        path = Path(download(where))
        expected = recorded(dataset) if by_revision else None
    except Exception as error:  # of many libraries, without a common base class
        raise InputError(
            f"{where} could not be downloaded ({type(error).__name__}: {error}): check the "
            f"network and HF_ENDPOINT, or put the file into the cache of another machine "
            f"(HF_HOME)"
            + (" and its sha256 and size into config/datasets.tsv." if by_revision else ".")
        ) from error
    facts = catalogue.check(dataset, path)
    if expected is not None:
        found = facts.sha256 if len(expected) == len(facts.sha256) else catalogue.git_digest(path)
        if found != expected:
            raise InputError(
                f"{path} is not {where}: its digest is {found}, and the Hub's {expected}; "
                f"download it again."
            )
    return Fetched(path, facts)
