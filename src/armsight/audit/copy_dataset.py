"""A copy of an audited data set in which the cameras are columns of their own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight import __version__
from armsight.audit.judge import Audit
from armsight.data.lerobot.copy import copy_with_columns
from armsight.errors import DatasetError

Array = NDArray[np.floating]

NAMES = [f"m{row}{column}" for row in range(4) for column in range(4)]
"""Of the sixteen numbers, row by row"""


def column_name(camera_key: str) -> str:
    """'observation.images.front' -> 'observation.cameras.front.T_cam_base'"""
    camera = camera_key.removeprefix("observation.").removeprefix("images.")
    return f"observation.cameras.{camera}.T_cam_base"


def write_copy(audit: Audit, out: Path) -> Path:
    """Write the audited data set to `out` with `T_cam_base` of each camera in each frame.

    The column holds the 4x4 matrix row by row [m]; where the camera is not known it is NaN.
    `meta/episodes` gets the verdicts, and `info.json` K and how often each was given.

    Raises:
        DatasetError: no camera was found, or the data set already has such columns.
        OutputError: `out` exists or cannot be written.
    """
    keys = list(dict.fromkeys(camera.camera_key for camera in audit.cameras))
    if not keys:
        raise DatasetError(f"no camera of {audit.dataset} was found; there is nothing to write")
    poses: dict[tuple[str, int], Array] = {}
    verdicts: dict[int, dict[str, str]] = {}
    for one in audit.judgements:
        key, episode = one.row["camera_key"], int(one.row["episode"])
        verdicts.setdefault(episode, {})[f"verdict.{key}"] = one.verdict
        if one.camera is not None:
            poses[key, episode] = audit.cameras[one.camera].T_cam_base

    def values(episode: int, length: int) -> Mapping[str, Array]:
        unknown = np.full((4, 4), np.nan)
        return {
            column_name(key): np.tile(poses.get((key, episode), unknown).ravel(), (length, 1))
            for key in keys
        }

    audited = list(dict.fromkeys(one.row["camera_key"] for one in audit.judgements))
    none = {f"verdict.{key}": None for key in audited}
    return copy_with_columns(
        audit.dataset,
        out,
        {column_name(key): {"dtype": "float32", "shape": [16], "names": NAMES} for key in keys},
        values,
        of_episode=lambda episode: {**none, **verdicts.get(episode, {})},
        extra={"audit": _record(audit)},
    )


def _record(audit: Audit) -> dict[str, Any]:
    """What `info.json` says of the audit."""
    return {
        "written_by": f"armsight {__version__} audit",
        "robot": audit.robot,
        "verdicts": audit.counts(),
        "columns": "T_cam_base (row by row, metres, OpenCV camera); NaN where not known",
        "cameras": [camera.to_json() for camera in audit.cameras],
    }
