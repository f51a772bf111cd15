"""What armsight answers: frozen records of a robot's state and of an estimate of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from armsight.errors import MissingExtraError

if TYPE_CHECKING:
    from armsight.camera.distortion import Distortion

Array = NDArray[np.floating]

UNITS = {
    "joint_positions": "rad",
    "joint_std": "rad",
    "samples": "rad",
    "keypoints_2d": "px",
    "keypoints_2d_std": "px",
    "keypoints_3d_cam": "m",
    "T_cam_base": "m",
    "T_cam_base_std": "rad, rad, rad, m, m, m",
    "covariance": "rad (joints, turn), m (place), 1 (log of the focal length)",
    "focal_length_std": "px",
    "K": "px",
}

INTRINSICS_SOURCES = ("given", "camera_file", "field_of_view", "exif", "assumed")
"""Where `K` came from. With `exif` (rounded, wrong after cropping) and `assumed`, metric depth is
unreliable."""
UNRELIABLE_SOURCES = ("exif", "assumed")


@dataclass(frozen=True)
class Estimate:
    """A robot's state as read from one image (docs/conventions.md for frames).

    When `robot_found` is False, every array is None and `message` says why.
    """

    robot: str
    robot_found: bool
    confidence: float
    """Belief in [0, 1] that what can be seen of this robot lies where the answer says; less where
    joints cannot be told. Of a refusal: that an answer would be right, under 0.5"""
    joint_names: tuple[str, ...]
    keypoint_names: tuple[str, ...]
    presence: float | None = None
    """Belief of the network in [0, 1] that this robot is in view"""
    joint_positions: Array | None = None
    """(J,) [rad]"""
    joint_std: Array | None = None
    """(J,) [rad], one calibrated standard deviation"""
    keypoints_2d: Array | None = None
    """(K, 2) [px] of the whole image, pixel centres at integers; may lie outside of the image"""
    keypoints_2d_std: Array | None = None
    """(K,) [px], how sure each of them is: one standard deviation in each coordinate"""
    keypoints_3d_cam: Array | None = None
    """(K, 3) [m], camera frame"""
    T_cam_base: Array | None = None
    """(4, 4), base frame to camera frame [m]"""
    covariance: Array | None = None
    """(J + 7, J + 7), calibrated, over small changes of the joints [rad], the base's turn about its
    own origin (3) [rad] and place (3) [m], both in camera axes, and the log of the focal length.
    The other stds are its diagonal, and `keypoints_2d_std` its projection"""
    samples: Array | None = None
    """(S, J) [rad], all hypotheses of the diffusion model"""
    K: Array | None = None
    """(3, 3) [px], the intrinsics that were used; where the focal length was not known, it is the
    one that explains the picture best"""
    distortion: Distortion | None = None
    """Of the lens, where it was told: `keypoints_2d` lie in the picture as it was taken"""
    intrinsics_source: str = "assumed"
    messages: tuple[str, ...] = field(default=())
    """Things a person should know, e.g. that two arms are in view"""
    image: str | None = None
    """The image's path or name, where there is one"""
    others: tuple[Estimate, ...] = field(default=())
    """Further arms in the same image, less sure than this one; they have no `others`"""

    @property
    def T_cam_base_std(self) -> Array | None:
        """(6,) standard deviations of the base's turn [rad] about the camera's axes, and of its
        origin's place [m] along them."""
        return None if self.covariance is None else np.sqrt(np.diag(self.covariance)[-7:-1])

    @property
    def focal_length_std(self) -> float | None:
        """[px] 0 where the focal length is known."""
        if self.covariance is None or self.K is None:
            return None
        return float(self.K[0, 0] * np.sqrt(self.covariance[-1, -1]))

    @property
    def metric_depth_reliable(self) -> bool:
        """False when the focal length is only a guess: distances then scale with that guess."""
        return self.intrinsics_source not in UNRELIABLE_SOURCES

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict: arrays as lists, keypoints by name, unknown values as None."""

        def by_name(values: Array | None) -> dict[str, Any] | None:
            if values is None:
                return None
            return dict(zip(self.keypoint_names, finite_lists(values), strict=True))

        return {
            "image": self.image,
            "robot": self.robot,
            "robot_found": self.robot_found,
            "confidence": self.confidence,
            "presence": self.presence,
            "joint_names": list(self.joint_names),
            "joint_positions": finite_lists(self.joint_positions),
            "joint_std": finite_lists(self.joint_std),
            "keypoint_names": list(self.keypoint_names),
            "keypoints_2d": by_name(self.keypoints_2d),
            "keypoints_2d_std": by_name(self.keypoints_2d_std),
            "keypoints_3d_cam": by_name(self.keypoints_3d_cam),
            "T_cam_base": finite_lists(self.T_cam_base),
            "T_cam_base_std": finite_lists(self.T_cam_base_std),
            "covariance": finite_lists(self.covariance),
            "focal_length_std": self.focal_length_std,
            "samples": finite_lists(self.samples),
            "K": finite_lists(self.K),
            "distortion": self.distortion
            and {
                "model": self.distortion.model,
                "coefficients": self.distortion.coefficients.tolist(),
            },
            "intrinsics_source": self.intrinsics_source,
            "metric_depth_reliable": self.metric_depth_reliable if self.robot_found else None,
            "messages": list(self.messages),
            "others": [
                _without(other.to_json(), "image", "others", "units") for other in self.others
            ],
            "units": UNITS,
        }

    def to_supervision(self) -> Any:
        """The keypoints as a `supervision.KeyPoints`, for its annotators and filters.

        One row for each arm of this kind of robot, (N, K, 2) [px], the surest first, with its
        confidence; empty where none was found. `data` holds `class_name` (the robot),
        `keypoints_2d_std` (N, K) [px] and `joint_positions` (N, J) [rad]. Robots of other kinds in
        `others` have other keypoints: ask them for their own.

        Raises:
            MissingExtraError: supervision is not installed.
        """
        try:
            import supervision
        except ImportError:
            raise MissingExtraError(
                "to_supervision()", "supervision", "pip install 'armsight[viz]'"
            ) from None
        arms = [one for one in (self, *self.others) if one.robot == self.robot and one.robot_found]
        if not arms:
            return supervision.KeyPoints.empty()
        points = np.stack([np.asarray(arm.keypoints_2d, np.float32) for arm in arms])
        unknown = np.full(points.shape[:2], np.nan)
        stds = [unknown[0] if arm.keypoints_2d_std is None else arm.keypoints_2d_std
                for arm in arms]  # fmt: skip
        return supervision.KeyPoints(
            xy=points,
            class_id=np.zeros(len(arms), dtype=int),
            detection_confidence=np.array([arm.confidence for arm in arms], np.float32),
            data={
                "class_name": np.array([arm.robot for arm in arms]),
                "keypoints_2d_std": np.stack(stds),
                "joint_positions": np.stack([np.asarray(arm.joint_positions) for arm in arms]),
            },
        )


def _without(document: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key not in keys}


def finite_lists(values: Any) -> Any:
    """Nested lists with None in place of NaN and infinity, which JSON cannot say."""
    if values is None:
        return None

    def clean(value: Any) -> Any:
        if isinstance(value, list):
            return [clean(item) for item in value]
        return value if math.isfinite(value) else None

    return clean(np.asarray(values, dtype=float).tolist())
