"""Files of the Hugging Face Hub, each at a pinned commit and compared with its sha256.

They come through the download manager of ``datasets``, which keeps what it has fetched (folder
HF_HOME), and are read by the same readers as local files: `load_dataset` would give the rows,
but not the file to compare.
"""

from collections.abc import Callable
from pathlib import Path

from mem1.errors import InputError
from mem1.tasks import catalogue
from mem1.tasks.catalogue import Dataset

Download = Callable[[str], str]  # address -> path of a local copy


def address(dataset: Dataset) -> str:
    """Where ``dataset`` is, as ``datasets`` and fsspec write it."""
    return f"hf://datasets/{dataset.hub}@{dataset.revision}/{dataset.file}"


def download(address: str) -> str:
    """Fetch ``address``, or find it among what was fetched before."""
    import datasets

    return str(datasets.DownloadManager().download(address))


def fetch(dataset: Dataset, download: Download = download) -> Path:
    """A local copy of ``dataset`` that is what the table says.

    Args:
        dataset: a row of the table, with all facts known.
        download: gives a local copy of an address.

    Raises:
        InputError: a fact is unverified, the file cannot be had, or it is another one.
    """
    where = address(catalogue.pinned(dataset))
    try:
        path = Path(download(where))
    except Exception as error:  # of many libraries, without a common base class
        raise InputError(
            f"{where} could not be downloaded ({type(error).__name__}: {error}): check the "
            f"network and HF_ENDPOINT, or put the file into the cache of another machine "
            f"(HF_HOME)."
        ) from error
    catalogue.check(dataset, path)
    return path
