"""Torch's kinematics against NumPy's (which MuJoCo checks), and its gradient."""

import numpy as np
import torch

from armsight.models.kinematics import TorchKinematics
from armsight.robots import load_robot


def test_same_keypoints_as_numpy():
    robot = load_robot("panda")
    q = np.random.default_rng(0).uniform(*robot.joint_limits.T, (4, 5, 7))
    ours = TorchKinematics(robot, torch.float64).keypoints(torch.from_numpy(q))
    np.testing.assert_allclose(ours.numpy(), robot.keypoints(q), atol=1e-12)


def test_gradient_is_the_finite_difference():
    robot = load_robot("panda")
    kinematics = TorchKinematics(robot, torch.float64)
    q = torch.from_numpy(robot.ready_positions).requires_grad_()
    assert torch.autograd.gradcheck(kinematics.keypoints, q)
