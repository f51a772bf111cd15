"""Where calibrated numbers come from, and where they must not come from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from armsight.data.frame import Dataset
from armsight.errors import DatasetError


def refuse_test_set(folder: Path) -> None:
    """Stop before a test set calibrates anything: `armsight render`'s test presets with seed 0.

    Raises:
        DatasetError: it is one of those.
    """
    try:
        made = json.loads((folder / "dataset.json").read_text())
        is_test = made.get("split") == "eval" and made.get("seed") == 0
    except (OSError, ValueError, AttributeError):
        return
    if is_test:
        raise DatasetError(
            f"{folder} was rendered with seed 0, which makes the test sets; numbers on a card must "
            "not come from those. Render another: armsight render --seed 1000 ..."
        )


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
