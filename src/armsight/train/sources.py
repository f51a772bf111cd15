"""Opening training data, whatever its layout."""

from __future__ import annotations

from pathlib import Path

from armsight.robots import load_robot
from armsight.train.shards import ShardTable


def open_table(folders: tuple[str, ...], robot: str) -> ShardTable:
    """All rows of all folders.

    Raises:
        DatasetError: a folder cannot be read.
    """
    return ShardTable([Path(folder) for folder in folders], load_robot(robot))
