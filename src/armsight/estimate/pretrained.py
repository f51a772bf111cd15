"""Where weights are: inside the package, in a folder, or on the Hugging Face Hub.

Weights that read poses go by the robot's name, weights that read actions by the task's; the
`format` of their cards tells them apart.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

from armsight.card import CARD_FILE, POSE, read_entries
from armsight.errors import MissingExtraError, UnknownRobotError, UnknownTaskError, WeightsError

WEIGHTS = Path(__file__).parent.parent / "weights"


def available_weights(kind: str = POSE) -> tuple[str, ...]:
    """Names of the robots (or tasks, for ACTIONS) whose weights come with the package."""
    folders = [path.parent for path in WEIGHTS.glob(f"*/{CARD_FILE}")]
    return tuple(sorted(folder.name for folder in folders if _kind(folder) == kind))


def _kind(folder: Path) -> str:
    with contextlib.suppress(WeightsError):
        return str(read_entries(folder).get("format")).partition("/")[0]
    return ""


def weights_folder(name: str | Path, kind: str = POSE) -> Path:
    """The folder with `model.json` and its graphs for a name, a folder or a Hub id.

    Raises:
        UnknownRobotError: there are no such weights of a robot.
        UnknownTaskError: there are no such weights of a task, for ACTIONS.
        MissingExtraError: a Hub id, and huggingface-hub is not installed.
        WeightsError: the Hub cannot be reached, or has no such repository.
    """
    known = available_weights(kind)
    if str(name) in known:
        return WEIGHTS / str(name)
    if Path(name).is_dir():
        return Path(name)
    if re.fullmatch(r"[\w.-]+/[\w.-]+", str(name)) and not str(name).startswith("."):
        return _from_hub(str(name))
    error, names = (UnknownRobotError, "robots") if kind == POSE else (UnknownTaskError, "tasks")
    raise error(
        f"no weights for {str(name)!r}; known {names}: {', '.join(known) or 'none'}. "
        "Or give a folder that `armsight export` wrote, or a Hugging Face Hub id org/name"
    )


def _from_hub(name: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise MissingExtraError(
            f"{name!r} is no local folder; loading it from the Hugging Face Hub",
            "huggingface-hub",
            "pip install 'armsight[hub]'",
        ) from None
    try:
        patterns = ["*.onnx", "*.json", "*.npz"]
        return Path(snapshot_download(name, allow_patterns=patterns))
    except Exception as error:  # network, authentication, no such repository
        raise WeightsError(f"cannot load {name!r} from the Hugging Face Hub: {error}") from error
