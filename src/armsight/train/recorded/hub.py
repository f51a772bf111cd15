"""Where a data set is: a folder, or a repository on the Hugging Face Hub."""

from __future__ import annotations

import re
from pathlib import Path

from armsight.errors import DatasetError, MissingExtraError


def dataset_folder(name: str) -> Path:
    """The folder of a data set, fetched from the Hub where it is no local one.

    Raises:
        DatasetError: there is no such folder, or the Hub cannot be reached or has no such data set.
        MissingExtraError: a Hub id, and huggingface-hub is not installed.
    """
    if Path(name).is_dir():
        return Path(name)
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name) or name.startswith("."):
        raise DatasetError(f"{name} is no folder and no Hugging Face Hub id org/name")
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise MissingExtraError(
            f"{name!r} is no local folder; loading it from the Hugging Face Hub",
            "huggingface-hub",
            "pip install 'armsight[hub]'",
        ) from None
    try:
        return Path(snapshot_download(name, repo_type="dataset"))
    except Exception as error:  # network, authentication, no such repository
        raise DatasetError(f"cannot load {name!r} from the Hugging Face Hub: {error}") from error
