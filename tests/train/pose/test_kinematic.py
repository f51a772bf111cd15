"""Kinematic samples are views of real poses through real cameras."""

import numpy as np
import torch

from armsight.geometry import project, transform_points
from armsight.models.kinematics import TorchKinematics
from armsight.robots import load_robot
from armsight.train.pose.kinematic import draw_cameras, draw_samples

SIZE = 128


def test_keypoints_obey_the_camera_token():
    """Some camera of the token's intrinsics sees the drawn pose at the drawn keypoints."""
    import cv2

    robot = load_robot("panda")
    g = torch.Generator().manual_seed(0)
    measured, truth = draw_samples(TorchKinematics(robot), 12, SIZE, g)
    for i in range(12):
        q = truth["joint_positions"][i].double().numpy()
        assert (q >= robot.joint_limits[:, 0] - 1e-6).all()
        points = robot.keypoints(q)
        log_f, _, px, py = measured.camera[i].double().numpy()
        f, c = np.exp(log_f) * SIZE, np.array([px, py]) * SIZE + (SIZE - 1) / 2
        K = np.array([[f, 0, c[0]], [0, f, c[1]], [0, 0, 1.0]])
        uv = truth["keypoints_2d"][i].double().numpy()
        near = np.exp(truth["log_depth"][i].numpy()) > 0.3
        ok, rvec, t = cv2.solvePnP(points[near], uv[near], K, None, flags=cv2.SOLVEPNP_SQPNP)
        T = np.eye(4)
        T[:3, :3], T[:3, 3] = cv2.Rodrigues(rvec)[0], t[:, 0]
        cam = transform_points(T, points)
        assert ok
        np.testing.assert_allclose(project(cam, K)[near], uv[near], atol=0.05)
        depth = np.log(cam[:, 2])
        np.testing.assert_allclose(
            (depth - depth[0])[near], (truth["log_depth"][i] - truth["log_depth"][i, 0])[near],
            atol=2e-3,
        )  # fmt: skip


def test_cameras_are_rotations_that_look_at_the_arm():
    g = torch.Generator().manual_seed(1)
    points = torch.randn(64, 5, 3, generator=g) * 0.2
    R, t = draw_cameras(points, g)
    torch.testing.assert_close(R @ R.mT, torch.eye(3).expand(64, 3, 3), atol=1e-5, rtol=0)
    assert torch.linalg.det(R).min() > 0.99
    centre = (points.mean(1)[:, None] @ R.mT + t[:, None])[:, 0]
    assert (centre[:, 2] > 0).all()


def test_stated_spread_is_the_spread():
    g = torch.Generator().manual_seed(2)
    measured, truth = draw_samples(TorchKinematics(load_robot("panda")), 600, SIZE, g)
    seen = measured.keypoints_seen > 3
    error = (measured.keypoints_2d - truth["keypoints_2d"])[seen]
    z = error / measured.keypoints_log_std.exp()[seen][:, None]
    assert 0.9 < float(z.abs().median() / 0.6745) < 1.2  # robust: a few are wrong on purpose
