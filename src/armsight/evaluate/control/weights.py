"""Which weights a control evaluation uses, and which row stands for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from armsight.card import ACTIONS, CARD_FILE, read_entries
from armsight.errors import UnknownTaskError, WeightsError
from armsight.estimate.pretrained import weights_folder
from armsight.evaluate.control.plan import MODEL_ROWS

NONE = "none"


def find_weights(
    suite: str,
    weights: str | None,
    regression_weights: str | None,
    pose_weights: str,
    default_row: str | None,
) -> dict[str, Any]:
    """Arguments of `Plan`: folders of weights, and the default row.

    Weights that were not named may be absent; their rows then say 'no weights'.

    Raises:
        UnknownTaskError, UnknownRobotError, WeightsError: weights that were named are not there.
    """
    folder: Path | None
    try:
        folder = weights_folder(weights or suite, ACTIONS)
    except UnknownTaskError:
        if weights is not None:
            raise
        folder = None
    if default_row is None:
        default_row = "replay" if folder is None else _preferred(folder)
    return {
        "weights": folder and str(folder),
        "regression_weights": regression_weights
        and str(weights_folder(regression_weights, ACTIONS)),
        "pose_weights": None if pose_weights == NONE else str(weights_folder(pose_weights)),
        "default_row": default_row,
    }


def _preferred(folder: Path) -> str:
    """The route that a card names as the better one."""
    route = read_entries(folder).get("default_route", "direct")
    if route not in MODEL_ROWS:
        raise WeightsError(
            f"{folder / CARD_FILE} has default_route {route!r}; valid: {', '.join(MODEL_ROWS)}"
        )
    return str(route)
