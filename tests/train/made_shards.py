"""Tiny shards with exact geometry and plain pictures, for tests of training."""

import json

import numpy as np
from safetensors.numpy import save_file

from armsight.geometry import intrinsics_from_fov, project, transform_points
from armsight.robots import load_robot

SIZE = 64


def make_shards(folder, rows=24, seed=0, shards=1):
    """Rows whose picture has a bright dot on each keypoint; the last quarter holds no robot."""
    robot = load_robot("panda")
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for shard in range(shards):
        q = rng.normal(robot.ready_positions, 0.3, (rows, 7)).clip(*robot.joint_limits.T)
        T = np.tile(np.array([[0, 1.0, 0, 0], [0, 0, -1.0, 0.4], [-1.0, 0, 0, 1.6], [0, 0, 0, 1]]),
                    (rows, 1, 1))  # fmt: skip
        K = np.tile(intrinsics_from_fov(SIZE, SIZE, 60), (rows, 1, 1))
        cam = transform_points(T, robot.keypoints(q))
        uv = project(cam, K)
        found = np.arange(rows) < rows * 3 // 4
        images = rng.integers(0, 40, (rows, SIZE, SIZE, 3)).astype(np.uint8)
        for i in np.flatnonzero(found):
            x, y = np.clip(np.round(uv[i]), 0, SIZE - 1).astype(int).T
            images[i, y, x] = 255
        inside = np.all((uv > -0.5) & (uv < SIZE - 0.5), -1)
        tensors = {
            "images": images,
            "masks": np.zeros((rows, SIZE, SIZE), np.uint8),
            "joint_positions": (q * found[:, None]).astype(np.float32),
            "K": K.astype(np.float32),
            "T_cam_base": T.astype(np.float32),
            "keypoints_2d": uv.astype(np.float32),
            "keypoints_3d_cam": cam.astype(np.float32),
            "keypoints_visible": (inside & found[:, None]).astype(np.uint8),
            "frame_rect": np.tile(np.float32([-0.5, -0.5, SIZE - 0.5, SIZE - 0.5]), (rows, 1)),
            "robot_found": found.astype(np.uint8),
            "composited": np.ones(rows, np.uint8),
        }
        save_file(tensors, folder / f"shard-{shard:05d}.safetensors")
    index = {"format": "armsight-shards/1", "robot": "panda",
             "keypoint_names": robot.keypoint_names, "joint_names": robot.joint_names}  # fmt: skip
    (folder / "dataset.json").write_text(json.dumps(index))
    return folder
