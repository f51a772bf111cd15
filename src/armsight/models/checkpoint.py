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
from armsight.models.action_model import ActionModelConfig, ActionNetwork
from armsight.models.pose_model import PoseModel, PoseModelConfig
from armsight.models.shared_model import SharedPoseModelConfig, tensors_of_robot

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
    """One group of tensors of a checkpoint: `<group>.safetensors`, or its parts `<group>-*`.

    Raises:
        WeightsError: the file is missing or broken.
    """
    whole = folder / f"{group}.safetensors"
    parts = [] if whole.exists() else sorted(folder.glob(f"{group}-*.safetensors"))
    tensors: dict[str, Tensor] = {}
    for path in parts or [whole]:
        try:
            tensors |= load_file(path)
        except (OSError, SafetensorError) as error:
            raise WeightsError(f"cannot read {path}: {error}") from error
    return tensors


def load_pose_model(
    folder: Path, *, weights: str = "ema", robot: str | None = None
) -> tuple[PoseModel, dict[str, Any]]:
    """The pose model of a checkpoint, in evaluation mode, and the checkpoint's JSON.

    Args:
        weights: `ema` for the averaged weights, `model` for the raw ones.
        robot: whose, where several robots share a backbone.

    Raises:
        WeightsError: the checkpoint cannot be read, holds another kind of model, or several
            robots of which none was chosen.
    """
    info = read_info(folder)
    if model_kind(info) == SharedPoseModelConfig.kind:
        config = SharedPoseModelConfig.from_json(info["model"])
        if robot is None and len(config.robots) > 1:
            raise WeightsError(
                f"{folder} holds several robots; choose one of {', '.join(config.robot_names)}"
            )
        own = config.of(robot or config.robots[0].robot)
        tensors = tensors_of_robot(read_tensors(folder, weights), own.robot)
        return _filled(PoseModel(own), folder, tensors), {**info, "model": own.to_json()}
    info = _read_kind(folder, PoseModelConfig.kind)
    model = PoseModel(PoseModelConfig.from_json(info["model"]))
    return _filled(model, folder, read_tensors(folder, weights)), info


def load_action_model(
    folder: Path, *, weights: str = "ema"
) -> tuple[ActionNetwork, dict[str, Any]]:
    """The action model of a checkpoint; see `load_pose_model`."""
    info = _read_kind(folder, ActionModelConfig.kind)
    model = ActionNetwork(ActionModelConfig.from_json(info["model"]))
    return _filled(model, folder, read_tensors(folder, weights)), info


def model_kind(info: dict[str, Any]) -> str:
    """`pose`, `shared_pose` or `actions`; the first checkpoints, of pose models, did not say."""
    return str(info["model"].get("kind", PoseModelConfig.kind))


def _read_kind(folder: Path, kind: str) -> dict[str, Any]:
    info = read_info(folder)
    if model_kind(info) != kind:
        raise WeightsError(f"{folder} holds a model of kind {model_kind(info)!r}, not {kind!r}")
    return info


def _filled(model: Model, folder: Path, tensors: dict[str, Tensor]) -> Model:
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
    groups: dict[str, dict[str, Tensor]] = {}
    for name, value in halved.items():
        groups.setdefault(_part(name), {})[name] = value
    robots = info["model"].get("robots", [info["model"]])
    names = [one["robot"] for one in robots]
    train = {"robot": names[0] if len(names) == 1 else names}
    save_checkpoint(out, groups, {**kept, "train": train})


def _part(name: str) -> str:
    """The file of a tensor in a start: one, or one for the shared backbone and each robot."""
    if name.startswith("backbone."):
        return "ema-backbone"
    return f"ema-{name.split('.')[1]}" if name.startswith("robots.") else "ema"
