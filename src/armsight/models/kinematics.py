"""Forward kinematics in torch, differentiable: the same lines as the runtime's."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from armsight.robots import Robot
from armsight.robots.kinematics import Chain, link_frames, points_on_links


class TorchKinematics(nn.Module):
    """Keypoints of a robot as a differentiable function of its joint positions."""

    joint_limits: Tensor
    ready_positions: Tensor

    def __init__(self, robot: Robot, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self._parents, self._joints = robot.chain.parents, robot.chain.joints
        constants = {
            "rotations": robot.chain.rotations,
            "translations": robot.chain.translations,
            "axis_skews": robot.chain.axis_skews,
            "keypoint_positions": robot.keypoint_positions,
            "joint_limits": robot.joint_limits,
            "ready_positions": robot.ready_positions,
        }
        for name, value in constants.items():
            self.register_buffer(name, torch.as_tensor(value, dtype=dtype), persistent=False)
        links = torch.as_tensor(robot.keypoint_links)
        self.register_buffer("keypoint_links", links, persistent=False)

    def keypoints(self, joint_positions: Tensor) -> Tensor:
        """Keypoints (..., K, 3) [m, base frame] for joint positions (..., J) [rad]."""
        chain = Chain(
            self._parents, self._joints, self.rotations, self.translations, self.axis_skews
        )
        frames = link_frames(chain, joint_positions, torch)
        points: Tensor = points_on_links(frames, self.keypoint_links, self.keypoint_positions)
        return points
