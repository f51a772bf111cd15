"""Training checkpoints: weights and optimiser state as safetensors, everything else as JSON.

A checkpoint is a folder. It is written under a temporary name and renamed, so that a killed
process leaves the older checkpoint whole.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from armsight.errors import WeightsError
from armsight.models.action_model import ActionModel, ActionModelConfig
from armsight.models.pose_model import PoseModel, PoseModelConfig

FORMAT = "armsight-checkpoint/1"

Model = TypeVar("Model", bound=torch.nn.Module)


def save_checkpoint(
    folder: Path, tensors: dict[str, dict[str, Tensor]], info: dict[str, Any]
) -> None:
    """Write `<folder>/<group>.safetensors` for each group of tensors, and `checkpoint.json`."""
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for group, values in tensors.items():
        save_file(
            {k: v.contiguous() for k, v in values.items()}, temporary / f"{group}.safetensors"
        )
    text = json.dumps({"format": FORMAT, **info}, indent=1)
    (temporary / "checkpoint.json").write_text(text)
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    temporary.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def recover_checkpoint(folder: Path) -> Path | None:
    """The folder itself, or the older one that a process killed between two renames left."""
    old = folder.with_name(f".{folder.name}.old")
    if not folder.exists() and old.exists():
        old.rename(folder)
    return folder if (folder / "checkpoint.json").exists() else None


def read_info(folder: Path) -> dict[str, Any]:
    """The JSON part of a checkpoint.

    Raises:
        WeightsError: there is no checkpoint, or it is of another format.
    """
    path = folder / "checkpoint.json"
    try:
        info: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise WeightsError(f"no readable checkpoint at {folder}: {error}") from error
    if info.get("format") != FORMAT:
        raise WeightsError(f"{path} has format {info.get('format')!r}, expected {FORMAT!r}")
    return info


def read_tensors(folder: Path, group: str) -> dict[str, Tensor]:
    """One group of tensors of a checkpoint.

    Raises:
        WeightsError: the file is missing or broken.
    """
    path = folder / f"{group}.safetensors"
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"cannot read {path}: {error}") from error
    return tensors


def load_pose_model(folder: Path, *, weights: str = "ema") -> tuple[PoseModel, dict[str, Any]]:
    """The pose model of a checkpoint, in evaluation mode, and the checkpoint's JSON.

    Args:
        weights: `ema` for the averaged weights, `model` for the raw ones.

    Raises:
        WeightsError: the checkpoint cannot be read, or holds another kind of model.
    """
    info = _read_kind(folder, PoseModelConfig.kind)
    model = PoseModel(PoseModelConfig.from_json(info["model"]))
    return _filled(model, folder, weights), info


def load_action_model(folder: Path, *, weights: str = "ema") -> tuple[ActionModel, dict[str, Any]]:
    """The action model of a checkpoint; see `load_pose_model`."""
    info = _read_kind(folder, ActionModelConfig.kind)
    model = ActionModel(ActionModelConfig.from_json(info["model"]))
    return _filled(model, folder, weights), info


def model_kind(info: dict[str, Any]) -> str:
    """`pose` or `actions`; the first checkpoints, all of pose models, did not say."""
    return str(info["model"].get("kind", PoseModelConfig.kind))


def _read_kind(folder: Path, kind: str) -> dict[str, Any]:
    info = read_info(folder)
    if model_kind(info) != kind:
        raise WeightsError(f"{folder} holds a model of kind {model_kind(info)!r}, not {kind!r}")
    return info


def _filled(model: Model, folder: Path, weights: str) -> Model:
    tensors = read_tensors(folder, weights)
    try:
        model.load_state_dict({k: v.float() if v.is_floating_point() else v
                               for k, v in tensors.items()})  # fmt: skip
    except RuntimeError as error:
        raise WeightsError(
            f"{folder} was made by another version, whose network was another one: {error}; train "
            f"on from it with init_from = {str(folder)!r}"
        ) from error
    return model.eval()


def load_matching(model: torch.nn.Module, tensors: dict[str, Tensor]) -> list[str]:
    """Copy every tensor whose name and shape fit; return the names that found no partner."""
    own = model.state_dict()
    fitting = {k: v for k, v in tensors.items() if k in own and own[k].shape == v.shape}
    model.load_state_dict(fitting, strict=False)
    return sorted(set(own) - set(fitting))


def save_start(checkpoint: Path, out: Path) -> None:
    """Write the averaged weights alone, in half precision: a start for further training.

    A tenth of a checkpoint's size; `init_from` and `armsight export` read it like any other.

    Raises:
        WeightsError: there is no readable checkpoint.
    """
    info = read_info(checkpoint)
    halved = {
        name: value.half() if value.is_floating_point() and value.ndim > 1 else value
        for name, value in read_tensors(checkpoint, "ema").items()
    }
    kept = {name: info[name] for name in ("step", "model")}
    save_checkpoint(out, {"ema": halved}, {**kept, "train": {"robot": info["model"]["robot"]}})
