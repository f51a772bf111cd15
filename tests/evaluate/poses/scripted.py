"""Estimators whose every error is known, as the oracle for reports."""

from __future__ import annotations

import numpy as np

from armsight.robots import load_robot
from armsight.state import Estimate
from tests.labelled_folders import T_CAM_BASE, K, poses

PANDA = load_robot("panda")
NOT_FOUND = Estimate("panda", False, 0.02, PANDA.joint_names, PANDA.keypoint_names)


class Scripted:
    """Knows the truth of `write_ndds` by a frame's first pixel, and adds errors to it.

    Args:
        joint_offsets_deg: (N, J) added to the true angles of each frame.
        shifts_m: (N, 3) added to all keypoints in the camera frame.
        pixel_shifts: (N, 2) added to all 2D keypoints.
        std_deg: reported standard deviation.
        confidence: (N,)
        fails: frames without an answer.
    """

    def __init__(self, count, *, joint_offsets_deg=0.0, shifts_m=0.0, pixel_shifts=0.0,
                 std_deg=1.0, confidence=0.9, fails=()):  # fmt: skip
        self.truth = poses(PANDA, count)
        self.q = self.truth + np.radians(joint_offsets_deg)
        self.shifts = np.broadcast_to(shifts_m, (count, 3))
        self.pixel_shifts = np.broadcast_to(pixel_shifts, (count, 2))
        self.std = np.full(7, np.radians(std_deg))
        self.confidence = np.broadcast_to(confidence, count)
        self.fails = fails
        self.asked = []
        self.cameras = []

    def __call__(self, image, given_K, /):
        i = int(image[0, 0, 0])
        self.asked.append(i)
        self.cameras.append(given_K)
        if i in self.fails:
            return NOT_FOUND
        points = PANDA.keypoints(self.truth[i]) @ T_CAM_BASE[:3, :3].T + T_CAM_BASE[:3, 3]
        pixels = points @ K.T
        T = T_CAM_BASE.copy()
        T[:3, 3] += self.shifts[i]
        return Estimate(
            "panda",
            True,
            float(self.confidence[i]),
            PANDA.joint_names,
            PANDA.keypoint_names,
            joint_positions=self.q[i],
            joint_std=self.std,
            keypoints_2d=pixels[:, :2] / pixels[:, 2:] + self.pixel_shifts[i],
            keypoints_3d_cam=points + self.shifts[i],
            T_cam_base=T,
            samples=np.stack([self.q[i]] * 4),
        )
