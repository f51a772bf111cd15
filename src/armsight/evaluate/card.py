"""Calibrated numbers on a weights' card, and where they come from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from armsight.data.frame import Dataset
from armsight.files import atomic_write


def source(datasets: Sequence[Dataset]) -> list[dict[str, Any]]:
    """Where calibrated numbers come from, for the card: no path, since cards travel."""
    return [
        {
            "dataset": dataset.path.resolve().name,
            "fingerprint": dataset.fingerprint,
            "frames": len(dataset.frames),
            "frames_without_the_robot": sum(not f.robot_in_view for f in dataset.frames),
        }
        for dataset in datasets
    ]


def update_card(folder: Path, found: Mapping[str, Any]) -> None:
    """Put `thresholds` and `calibration` on the card in a weights folder, in place of older ones.

    Raises:
        OutputError: the card cannot be written; the old one then stays as it was.
    """
    path = folder / "model.json"
    card = {**json.loads(path.read_text()), **found}
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(card, indent=1, allow_nan=False) + "\n")
