"""What `calibrate_camera` answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.geometry import invert_transform
from armsight.state import finite_lists

Array = NDArray[np.floating]

VERDICTS = {
    "fine": "pictures and log agree",
    "camera_moved": "the camera moved between the frames",
    "log_ahead": "the log runs ahead of the pictures",
    "log_behind": "the log lags behind the pictures",
    "zeros_off": "the zeros of some joints are off",
    "wrong_joint_order": "the log's joints come in another order",
    "wrong_units": "the log's angles are in degrees",
    "other_robot": "the moving arm is not the one that the log speaks of",
    "arm_not_in_view": "nothing in the pictures moves as the arm does",
    "arm_hardly_moves": "the arm hardly moves, so that its motion cannot tell the camera",
    "too_few_frames": "fewer than three frames can be used",
    "cannot_tell": "no camera explains the pictures",
}
"""Every verdict and what it means."""


@dataclass(frozen=True)
class FrameAlignment:
    """How well one frame fits the calibration."""

    index: int
    edge_alignment: float
    """in [0, 1]: how near the arm's contour lies to edges of the picture; NaN where not known"""
    used: bool
    """whether the calibration rests on this frame too"""
    reason: str = ""
    """why it was left out"""


@dataclass(frozen=True)
class CameraCalibration:
    """Where a fixed camera stood, and whether log and pictures agree (docs/conventions.md)."""

    robot: str
    verdict: str
    """One of VERDICTS"""
    messages: tuple[str, ...]
    """The reasons in words"""
    joint_names: tuple[str, ...]
    T_cam_base: Array | None
    """(4, 4) base frame to camera frame [m]; None where no camera was found"""
    covariance: Array | None
    """(8 + J, 8 + J) over omega (3) [rad] and v (3) [m] of T_cam_base (`armsight.fit.residuals`),
    the log of the focal length, the joints' zero offsets (J) [rad] and the time offset [s]; rows
    of what was held fixed are 0"""
    K: Array
    """(3, 3) [px], focal length as fitted"""
    intrinsics_source: str
    """One of `armsight.state.INTRINSICS_SOURCES`"""
    joint_zero_offsets: Array
    """(J,) [rad] to add to the log's angles; 0 where they were not found to be off"""
    joint_zero_offsets_std: Array
    """(J,) [rad] how well an offset of each could be seen; infinite where it cannot"""
    joint_zero_offsets_observable: NDArray[np.bool_]
    """(J,) False where no offset could be seen: the first joint's is the camera's own turn"""
    time_offset: float | None
    """[s] by which the log runs ahead of the pictures: a picture taken at t shows the joints that
    the log has at t - time_offset. None where times are unknown or it was not asked for"""
    frames: tuple[FrameAlignment, ...]
    camera_moved_at: int | None = None
    """The first frame that shows the camera elsewhere, where it moved"""

    @property
    def T_base_cam(self) -> Array | None:
        """(4, 4) camera frame to base frame [m]."""
        return None if self.T_cam_base is None else invert_transform(self.T_cam_base)

    @property
    def T_cam_base_std(self) -> Array | None:
        """(6,) one standard deviation of omega (3) [rad] and v (3) [m]."""
        std = self._std(slice(0, 6))
        return std if len(std) else None

    @property
    def T_base_cam_std(self) -> Array | None:
        """(6,) the same of the camera's turn (3) [rad] and place (3) [m], in the base frame."""
        if self.covariance is None or self.T_cam_base is None:
            return None
        R, t = self.T_cam_base[:3, :3], self.T_cam_base[:3, 3]
        # The camera stands at c = -R^T t; a turn omega of the base moves it by R^T (omega x t).
        J = np.zeros((6, 6))
        J[:3, :3] = -R.T
        cross = np.array([[0, t[2], -t[1]], [-t[2], 0, t[0]], [t[1], -t[0], 0.0]])
        J[3:, :3], J[3:, 3:] = R.T @ cross, -R.T
        std: Array = np.sqrt(np.diag(J @ self.covariance[:6, :6] @ J.T))
        return std

    @property
    def focal_length_std(self) -> float | None:
        """[px] one standard deviation."""
        std = self._std(slice(6, 7))
        return float(std[0] * self.K[0, 0]) if len(std) else None

    @property
    def time_offset_std(self) -> float | None:
        """[s]"""
        std = self._std(slice(-1, None))
        return float(std[0]) if len(std) and self.time_offset is not None else None

    def __str__(self) -> str:
        return "; ".join((f"{self.verdict}: {VERDICTS[self.verdict]}", *self.messages))

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict: arrays as lists, unknown values as None."""
        return {
            "robot": self.robot,
            "verdict": self.verdict,
            "messages": list(self.messages),
            "T_cam_base": finite_lists(self.T_cam_base),
            "T_base_cam": finite_lists(self.T_base_cam),
            "T_cam_base_std": finite_lists(self.T_cam_base_std),
            "T_base_cam_std": finite_lists(self.T_base_cam_std),
            "K": finite_lists(self.K),
            "focal_length_std": finite_lists(self.focal_length_std),
            "intrinsics_source": self.intrinsics_source,
            "joint_names": list(self.joint_names),
            "joint_zero_offsets": finite_lists(self.joint_zero_offsets),
            "joint_zero_offsets_std": finite_lists(self.joint_zero_offsets_std),
            "joint_zero_offsets_observable": self.joint_zero_offsets_observable.tolist(),
            "time_offset": self.time_offset,
            "time_offset_std": finite_lists(self.time_offset_std),
            "covariance": finite_lists(self.covariance),
            "camera_moved_at": self.camera_moved_at,
            "frames": [
                {
                    "index": frame.index,
                    "edge_alignment": finite_lists(frame.edge_alignment),
                    "used": frame.used,
                    "reason": frame.reason,
                }
                for frame in self.frames
            ],
            "units": {
                "T_cam_base": "m", "T_base_cam": "m", "T_cam_base_std": "rad, m",
                "T_base_cam_std": "rad, m", "K": "px", "focal_length_std": "px",
                "joint_zero_offsets": "rad", "time_offset": "s",
            },
        }  # fmt: skip

    def _std(self, which: slice) -> Array:
        if self.covariance is None:
            return np.zeros(0)
        std: Array = np.sqrt(np.maximum(np.diag(self.covariance)[which], 0.0))
        return std
