"""Where a data set is: a folder, or a repository on the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path

from armsight.errors import DatasetError
from armsight.hub import fetch, is_hub_name


def dataset_folder(name: str) -> Path:
    """The folder of a data set, fetched from the Hub where it is no local one.

    Raises:
        DatasetError: there is no such folder, or the Hub cannot be reached or has no such data set.
        MissingExtraError: a Hub id, and huggingface-hub is not installed.
    """
    if Path(name).is_dir():
        return Path(name)
    if not is_hub_name(name):
        raise DatasetError(f"{name} is no folder and no Hugging Face Hub id org/name")
    return fetch(name, kind="dataset", failure=DatasetError)
