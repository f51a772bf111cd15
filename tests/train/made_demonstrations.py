"""Tiny demonstrations in LeRobot's layout: a moving arm, drawn as dots on its keypoints."""

import numpy as np

from armsight.data.lerobot import LeRobotWriter
from armsight.geometry import intrinsics_from_fov, project, transform_points
from armsight.robots import load_robot

SIZE = 64
CAMERA = "observation.images.agentview"
T_CAM_BASE = np.array([[0, 1.0, 0, 0], [0, 0, -1.0, 0.4], [-1.0, 0, 0, 1.6], [0, 0, 0, 1]])


def feature(dtype, *shape):
    return {"dtype": dtype, "shape": list(shape), "names": None}


FEATURES = {
    "action": feature("float32", 7),
    "observation.state": feature("float32", 8),
    "observation.joint_positions": feature("float32", 7),
    "observation.T_base_ee": feature("float32", 4, 4),
    "observation.camera.agentview.K": feature("float32", 3, 3),
    "observation.camera.agentview.T_cam_base": feature("float32", 4, 4),
    f"{CAMERA}.is_rendered": feature("bool", 1),
    CAMERA: {"dtype": "video", "shape": [SIZE, SIZE, 3], "names": ["height", "width", "channels"]},
}


def make_demonstrations(folder, spacings=(1, 3, 4), length=41, seed=0):
    """One episode per spacing of its pictures; the last row is always shown."""
    robot = load_robot("panda")
    rng = np.random.default_rng(seed)
    K = intrinsics_from_fov(SIZE, SIZE, 60)
    with LeRobotWriter(folder, fps=20, robot_type="panda", features=FEATURES) as writer:
        for spacing in spacings:
            sway = 0.3 * np.sin(np.arange(length) / 8)[:, None] * rng.normal(size=7)
            q = robot.ready_positions + sway
            ee = robot.forward_kinematics(q)[:, robot.link_names.index("panda_hand")]
            shown = (np.arange(length) - 2) % spacing == 0
            shown[-1] = True
            uv = project(transform_points(T_CAM_BASE, robot.keypoints(q)), K)
            frames, frame = [], np.zeros((SIZE, SIZE, 3), np.uint8)
            for t in range(length):
                if shown[t] or t == 0:
                    frame = np.zeros((SIZE, SIZE, 3), np.uint8)
                    x, y = np.clip(np.round(uv[t]), 0, SIZE - 1).astype(int).T
                    frame[y, x] = 255
                frames.append(frame)
            action = rng.uniform(-1, 1, (length, 7)).astype(np.float32)
            action[:, 6] = np.where(np.arange(length) < length // 2, -1, 1)
            fingers = np.stack([np.full(length, 0.03), np.full(length, -0.03)], 1)
            state = np.concatenate([ee[:, :3, 3], np.zeros((length, 3)), fingers], 1)
            rows = {
                "action": action,
                "observation.state": state.astype(np.float32),
                "observation.joint_positions": q.astype(np.float32),
                "observation.T_base_ee": ee.astype(np.float32),
                "observation.camera.agentview.K": np.tile(K, (length, 1, 1)).astype(np.float32),
                "observation.camera.agentview.T_cam_base": np.tile(
                    T_CAM_BASE, (length, 1, 1)
                ).astype(np.float32),
                f"{CAMERA}.is_rendered": shown,
            }
            writer.add_episode(rows, {CAMERA: frames}, "move", {"split": "train"})
    return folder
