"""Where weights are: inside the package, in a folder, or on the Hugging Face Hub."""

from __future__ import annotations

import re
from pathlib import Path

from armsight.errors import MissingExtraError, UnknownRobotError, WeightsError

WEIGHTS = Path(__file__).parent.parent / "weights"


def available_weights() -> tuple[str, ...]:
    """Names of the robots whose weights come with the package."""
    return tuple(sorted(path.parent.name for path in WEIGHTS.glob("*/model.json")))


def weights_folder(name: str | Path) -> Path:
    """The folder with `model.onnx` and `model.json` for a name, a folder or a Hub id.

    Raises:
        UnknownRobotError: there are no such weights.
        MissingExtraError: a Hub id, and huggingface-hub is not installed.
        WeightsError: the Hub cannot be reached, or has no such repository.
    """
    if str(name) in available_weights():
        return WEIGHTS / str(name)
    if Path(name).is_dir():
        return Path(name)
    if re.fullmatch(r"[\w.-]+/[\w.-]+", str(name)) and not str(name).startswith("."):
        return _from_hub(str(name))
    raise UnknownRobotError(
        f"no weights for {str(name)!r}; known robots: {', '.join(available_weights()) or 'none'}. "
        "Or give a folder with model.onnx and model.json, or a Hugging Face Hub id org/name"
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
        patterns = ["model.onnx", "model.json", "*.json", "*.npz"]
        return Path(snapshot_download(name, allow_patterns=patterns))
    except Exception as error:  # network, authentication, no such repository
        raise WeightsError(f"cannot load {name!r} from the Hugging Face Hub: {error}") from error
