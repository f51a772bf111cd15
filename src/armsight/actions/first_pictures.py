"""How a suite's tasks look in the beginning: a small file beside the weights.

Its tones are what frames of other renderers are matched to (histogram_matching.py); its pictures
tell which task a video shows (`armsight.control.task_recognition.task_fits`). Both do without a
simulator.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from armsight.actions.histogram_matching import ToneHistogram
from armsight.errors import WeightsError
from armsight.files import atomic_write

Pixels = NDArray[np.uint8]

FILE, FORMAT = "first_pictures.npz", "armsight-first-pictures/1"


@dataclass(frozen=True)
class FirstPictures:
    """What the camera sees before anything has moved."""

    tasks: tuple[str, ...]
    """Names of T tasks"""
    pictures: Pixels
    """(T, S, S, 3) RGB: the mean over some initial states of each"""
    tones: ToneHistogram
    """Of all tasks together"""


def read_first_pictures(folder: Path) -> FirstPictures | None:
    """Those in a weights folder; None where there are none.

    Raises:
        WeightsError: the file is broken.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            tasks, pictures, shares = (
                tuple(map(str, file["tasks"])),
                file["pictures"],
                file["tones"],
            )
            known = str(file["format"]) == FORMAT
        rising = shares.shape == (3, 256) and (np.diff(shares, prepend=0.0) >= 0).all()
        if not known or not rising or pictures.shape[:1] != (len(tasks),) or pictures.ndim != 4:
            raise ValueError(f"expected {FORMAT}")
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise WeightsError(
            f"{path} is broken: {error}; write it again with `armsight control first-pictures`, or "
            "remove it"
        ) from error
    return FirstPictures(tasks, pictures.astype(np.uint8), ToneHistogram(shares.astype(float)))


def write_first_pictures(made: FirstPictures, path: Path) -> None:
    """Keep them as `path`, usually `first_pictures.npz` in a weights folder.

    Raises:
        OutputError: it cannot be written.
    """
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            format=FORMAT,
            tasks=np.array(made.tasks),
            pictures=made.pictures,
            tones=made.tones.shares,
        )
