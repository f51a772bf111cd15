"""The Hugging Face Hub: weights and data sets fetched by name, weights pushed with a card."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from armsight.card import CARD_FILE, read_entries
from armsight.errors import MissingExtraError, WeightsError

WEIGHT_FILES = ("*.onnx", "*.json", "*.npz")
ENCODER = "encoder.onnx"
"""In the weights folder, or in the folder `encoder` beside it"""


def is_hub_name(name: str) -> bool:
    """Whether a name looks like `org/name`."""
    return bool(re.fullmatch(r"[\w.-]+/[\w.-]+", name)) and not name.startswith(".")


def fetch(
    name: str,
    patterns: Sequence[str] | None = None,
    *,
    revision: str | None = None,
    kind: str = "model",
    failure: type[Exception] = WeightsError,
) -> Path:
    """The local folder of a repository, fetched where it is not there yet.

    Args:
        patterns: of the files that are wanted; None for all.
        revision: branch, tag or commit; the newest by default.
        kind: "model" or "dataset".
        failure: is raised where the Hub cannot be reached, or has no such repository.

    Raises:
        MissingExtraError: huggingface-hub is not installed.
    """
    hub = _import_hub(f"{name!r} is no local folder; loading it from the Hugging Face Hub")
    wanted = None if patterns is None else list(patterns)
    try:
        folder = hub.snapshot_download(
            name, repo_type=kind, revision=revision, allow_patterns=wanted
        )
    except Exception as error:  # network, authentication, no such repository or revision
        raise failure(f"cannot load {name!r} from the Hugging Face Hub: {error}") from error
    return Path(folder)


def push(folder: Path, name: str, *, private: bool = False) -> str:
    """Put a weights folder on the Hub, with the encoder that it needs and a card; its address.

    The repository is made where there is none; files of earlier pushes with other names stay.

    Raises:
        MissingExtraError: huggingface-hub is not installed.
        WeightsError: the folder holds no weights, the Hub cannot be reached, or you may not write.
    """
    hub = _import_hub("Pushing weights to the Hugging Face Hub")
    if not is_hub_name(name):
        raise WeightsError(f"{name!r} is no name on the Hugging Face Hub; give ORG/NAME")
    card = read_entries(folder)
    with tempfile.TemporaryDirectory() as place:
        staged = Path(place)
        for pattern in WEIGHT_FILES:
            for path in folder.glob(pattern):
                shutil.copyfile(path, staged / path.name)
        beside = folder.parent / "encoder" / ENCODER
        if card.get("encoder") and not (staged / ENCODER).is_file() and beside.is_file():
            shutil.copyfile(beside, staged / ENCODER)
        (staged / "README.md").write_text(model_card(card, name), encoding="utf-8")
        try:
            api = hub.HfApi()
            api.create_repo(name, private=private, exist_ok=True)
            api.upload_folder(repo_id=name, folder_path=staged, commit_message="armsight export")
            return f"{api.endpoint}/{name}"
        except Exception as error:  # network, authentication
            raise WeightsError(
                f"cannot push {folder} to {name!r} on the Hugging Face Hub: {error}. Log in by "
                "`hf auth login`"
            ) from error


def model_card(card: Mapping[str, Any], name: str) -> str:
    """README.md of a repository of weights: what its card `model.json` says, for people."""
    subject = card.get("robot") or card.get("task") or "robot arm"
    licence = str(card.get("licence", "")).lower()
    head = [
        "---",
        *([f"license: {licence}"] if re.fullmatch(r"[a-z0-9.-]+", licence) else []),
        "library_name: armsight",
        "tags: [robotics, pose-estimation, onnx]",
        "---",
        f"# {subject}: weights for armsight",
        "",
        str(card.get("description", "")),
        "",
        *_usage(card, name),
        "",
        "| | |",
        "| --- | --- |",
        *(f"| {label} | {value} |" for label, value in _facts(card)),
    ]
    metrics = card.get("metrics")
    if metrics:
        head += ["", "## Measured", "", "```json", json.dumps(metrics, indent=1), "```"]
    head += ["", f"All entries: `{CARD_FILE}`."]
    return "\n".join(head) + "\n"


def _usage(card: Mapping[str, Any], name: str) -> list[str]:
    if "joint_names" not in card:
        return ["```python", "from armsight import ActionModel", "",
                f'model = ActionModel.from_pretrained("{name}")', "```"]  # fmt: skip
    return [
        "```python",
        "from armsight import Estimator",
        "",
        f'estimator = Estimator.from_pretrained("{name}")',
        'state = estimator("photo.jpg")  # joint angles, their stds, keypoints, camera pose',
        "```",
    ]


def _facts(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = [("format", str(card.get("format", "")))]
    if "joint_names" in card:
        found.append(("joints", ", ".join(card["joint_names"])))
        found.append(("keypoints", str(len(card["keypoint_names"]))))
    found += [
        (label, str(card[key]))
        for label, key in (
            ("input", "input_size"),
            ("hypotheses", "num_hypotheses"),
            ("inference steps", "num_inference_steps"),
        )
        if key in card
    ]
    data = card.get("training", {})
    if isinstance(data, Mapping) and "data" in data:
        found.append(("trained on", str(data["data"]).replace("|", "/").replace("\n", " ")))
    return found


def _import_hub(what: str) -> Any:
    try:
        import huggingface_hub
    except ImportError:
        raise MissingExtraError(what, "huggingface-hub", "pip install 'armsight[hub]'") from None
    return huggingface_hub
