"""Where weights are: inside the package, in a folder, or on the Hugging Face Hub.

Weights that read poses go by the robot's name, weights that read actions by the task's; the
`format` of their cards tells them apart.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

from armsight.card import CARD_FILE, POSE, read_entries
from armsight.errors import ConfigError, UnknownRobotError, UnknownTaskError, WeightsError
from armsight.hub import WEIGHT_FILES, fetch, is_hub_name

WEIGHTS = Path(__file__).parent.parent / "weights"


def available_weights(kind: str = POSE) -> tuple[str, ...]:
    """Names of the robots (or tasks, for ACTIONS) whose weights come with the package."""
    folders = [path.parent for path in WEIGHTS.glob(f"*/{CARD_FILE}")]
    return tuple(sorted(folder.name for folder in folders if _kind(folder) == kind))


def _kind(folder: Path) -> str:
    with contextlib.suppress(WeightsError):
        return str(read_entries(folder).get("format")).partition("/")[0]
    return ""


def weights_folder(name: str | Path, kind: str = POSE, revision: str | None = None) -> Path:
    """The folder with `model.json` and its graphs for a name, a folder or a Hub id.

    Args:
        revision: branch, tag or commit of a Hub id; the newest by default.

    Raises:
        UnknownRobotError: there are no such weights of a robot.
        UnknownTaskError: there are no such weights of a task, for ACTIONS.
        MissingExtraError: a Hub id, and huggingface-hub is not installed.
        WeightsError: the Hub cannot be reached, or has no such repository or revision.
        ConfigError: a revision of what is no Hub id.
    """
    known = available_weights(kind)
    local = WEIGHTS / str(name) if str(name) in known else Path(name)
    if local.is_dir():
        if revision is not None:
            raise ConfigError(f"{name} is no Hub id, and has no revision {revision!r}")
        return local
    if is_hub_name(str(name)):
        return fetch(str(name), WEIGHT_FILES, revision=revision)
    error, names = (UnknownRobotError, "robots") if kind == POSE else (UnknownTaskError, "tasks")
    raise error(
        f"no weights for {str(name)!r}; known {names}: {', '.join(known) or 'none'}. "
        "Or give a folder that `armsight export` wrote, or a Hugging Face Hub id org/name"
    )
