"""Writes small labelled data sets for tests, by DREAM's format and not by our own writer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from armsight.robots import Robot, load_robot

SIZE = (160, 120)
K = np.array([[150.0, 0, 79.0], [0, 151.0, 60.0], [0, 0, 1]])
T_CAM_BASE = np.array(
    # Looking horizontally at the base from 1.6 m in front of it, base 0.4 m below the axis.
    [[0.0, 1, 0, 0.1], [0, 0, -1, 0.4], [-1, 0, 0, 1.6], [0, 0, 0, 1]]
)


def poses(robot: Robot, count: int, seed: int = 0) -> np.ndarray:
    """(N, J) joint positions [rad] around the ready pose."""
    noise = np.random.default_rng(seed).normal(0, 0.3, (count, len(robot.joint_names)))
    return np.clip(robot.ready_positions + noise, *robot.joint_limits.T)


def labels(robot: Robot, q: np.ndarray, scale: float = 1.0, num_keypoints: int = 7) -> dict:
    """One frame's labels as NDDS has them; `scale` 100 for centimetres."""
    points = robot.keypoints(q) @ T_CAM_BASE[:3, :3].T + T_CAM_BASE[:3, 3]
    homogeneous = points @ K.T
    pixels = homogeneous[:, :2] / homogeneous[:, 2:]
    keypoints = [
        {"name": name, "location": (scale * p).tolist(), "projected_location": uv.tolist()}
        for name, p, uv in zip(robot.keypoint_names, points, pixels, strict=True)
    ]
    joints = [
        {"name": name, "position": angle, "velocity": 0.0}
        for name, angle in zip(robot.joint_names, q.tolist(), strict=True)
    ]
    joints.append({"name": "panda_finger_joint1", "position": 0.04, "velocity": 0.0})
    return {
        "objects": [{"class": robot.name, "visibility": 1, "keypoints": keypoints[:num_keypoints]}],
        "sim_state": {"joints": joints},
    }


def write_ndds(folder: Path, count: int = 4, scale: float = 1.0, suffix: str = ".rgb.jpg") -> Path:
    """A DREAM folder of the Panda."""
    robot = load_robot("panda")
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    for i, q in enumerate(poses(robot, count)):
        name = f"{i:06d}"
        write_json(folder / f"{name}.json", labels(robot, q, scale))
        picture = np.array(Image.fromarray(rng.integers(60, 199, (12, 16), "uint8")).resize(SIZE))
        # An estimator of known error tells the frames apart by their first pixel (if not JPEG).
        picture[0, 0] = i
        Image.fromarray(picture).convert("RGB").save(folder / f"{name}{suffix}")
    intrinsics = {"fx": K[0, 0], "fy": K[1, 1], "cx": K[0, 2], "cy": K[1, 2], "s": 0.0, "hfov": ""}
    camera = {"intrinsic_settings": intrinsics, "captured_image_size": {"width": 160}}
    write_json(folder / "_camera_settings.json", {"camera_settings": [camera]})
    return folder


def write_joint_folder(folder: Path, count: int = 3) -> Path:
    """Pictures with joint angles and intrinsics."""
    for name in ("color", "qpos"):
        (folder / name).mkdir(parents=True)
    robot = load_robot("panda")
    for i, q in enumerate(poses(robot, count)):
        Image.new("RGB", SIZE, (10, 20, 30)).save(folder / "color" / f"{i:06d}.png")
        # Two finger values follow the seven angles, as in EasyHeC's recordings.
        (folder / "qpos" / f"{i:06d}.txt").write_text("\n".join(map(str, [*q, 0.0, 0.0])))
    np.savetxt(folder / "K.txt", K)
    return folder


def write_json(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data))


def edit_json(path: Path, change: Any) -> None:
    """Read a JSON file, let `change` alter it, write it back."""
    data = json.loads(path.read_text())
    change(data)
    write_json(path, data)


def without_angles(folder: Path) -> Path:
    """Take the joint angles out of all labels."""
    for file in folder.glob("0*.json"):
        edit_json(file, lambda data: data.pop("sim_state"))
    return folder


def other_robot(data: Any) -> None:
    """Turn the labelled robot into another maker's."""
    data["objects"][0]["class"] = "kuka"
    for k in data["objects"][0]["keypoints"]:
        k["name"] = k["name"].replace("panda", "iiwa7")
