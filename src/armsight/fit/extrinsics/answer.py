"""Puts a calibration together: verdict, reasons in words, and what is said of each frame."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from armsight.camera.intrinsics import Intrinsics
from armsight.fit.extrinsics.calibration import CameraCalibration, FrameAlignment
from armsight.fit.extrinsics.log_errors import Compared
from armsight.fit.extrinsics.solve import CameraSolution
from armsight.robots import Robot

Array = NDArray[np.floating]

TIMES_STD = 3.0
"""Offsets below so many stds are not reported"""
LEAST_LAG = 0.5
"""[frames] Smaller time offsets are not reported"""
MOST_PLACE_STD, MOST_TURN_STD = 0.08, np.radians(4.0)
"""[share of the distance], [rad] A camera that is known less well than this is not reported"""
MOST_LEFT_OUT = 0.5
"""The largest share of frames that may be left out"""


@dataclass
class Answer:
    """Collects what is found."""

    robot: Robot
    intrinsics: Intrinsics
    num_frames: int
    messages: list[str] = field(default_factory=list)
    reasons: dict[int, str] = field(default_factory=dict)
    """Why frames were left out"""
    camera_moved_at: int | None = None

    def without_camera(self, verdict: str, *messages: str) -> CameraCalibration:
        """No camera was found."""
        J = len(self.robot.joint_names)
        frames = tuple(
            FrameAlignment(i, np.nan, False, self.reasons.get(i, ""))
            for i in range(self.num_frames)
        )
        return CameraCalibration(
            self.robot.name, verdict, (*messages, *self.messages), self.robot.joint_names, None,
            None, self.intrinsics.K, self.intrinsics.source, np.zeros(J), np.full(J, np.inf),
            np.zeros(J, bool), None, frames, self.camera_moved_at,
        )  # fmt: skip

    def of(
        self, found: CameraSolution, compared: Compared, covariance: Array,
        chosen: NDArray[np.intp], period: float | None, in_seconds: bool, camera_moved: str | None,
    ) -> CameraCalibration:  # fmt: skip
        """A camera was found.

        Args:
            found: it, and how well it explains the frames.
            compared: which unknowns the pictures asked for.
            covariance: (8 + J, 8 + J).
            chosen: (N,) the frames that were fitted.
            period: of the frames; None where no time offset was looked for.
            in_seconds: whether times are, or numbers of frames.
            camera_moved: in words, where it did.
        """
        shared = found.shared
        frames = self._frames(found, chosen)
        said = [
            f"contours lie on edges to {found.mean_alignment:.2f}, {found.contrast:.2f} more than "
            f"those of other frames; motion agrees to {found.motion_score:.2f}"
        ]
        left_out = [int(i) for i, used in zip(chosen, found.used, strict=True) if not used]
        if left_out:
            said.append(f"the log does not explain frames {_listed(left_out)}")
        verdict = "fine"
        if compared.zeros:
            verdict = "zeros_off"
            said.insert(0, _zeros_said(self.robot, compared, covariance))
        if period is not None:
            std = float(np.sqrt(covariance[-1, -1]))
            if abs(shared.time_offset) > max(LEAST_LAG * period, TIMES_STD * std):
                verdict = "log_ahead" if shared.time_offset > 0 else "log_behind"
                said.insert(0, _lag_said(shared.time_offset, std, period, in_seconds))
        if camera_moved is not None:
            verdict = "camera_moved"
            said.insert(0, camera_moved)
        doubt = self._doubt(found, covariance)
        if doubt is not None:
            return self.without_camera("cannot_tell", doubt, *said)
        K = self.intrinsics.K.copy()
        K[:2, :2] *= np.exp(shared.log_focal)
        return CameraCalibration(
            self.robot.name, verdict, (*said, *self.messages), self.robot.joint_names,
            shared.T_cam_base, covariance, K, self.intrinsics.source, shared.zeros,
            np.where(compared.observable, compared.zeros_std, np.inf), compared.observable,
            shared.time_offset if period and in_seconds else None, frames, self.camera_moved_at,
        )  # fmt: skip

    def _frames(
        self, found: CameraSolution, chosen: NDArray[np.intp]
    ) -> tuple[FrameAlignment, ...]:
        fitted = {int(i): k for k, i in enumerate(chosen)}
        rows = []
        for i in range(self.num_frames):
            if i not in fitted:
                reason = self.reasons.get(i, "others show as much")
                rows.append(FrameAlignment(i, np.nan, False, reason))
                continue
            alignment, used = float(found.alignment[fitted[i]]), bool(found.used[fitted[i]])
            reason = "" if used else "its edges do not go with the log and the other frames"
            rows.append(FrameAlignment(i, alignment, used, reason))
        return tuple(rows)

    def _doubt(self, found: CameraSolution, covariance: Array) -> str | None:
        """Why an answer that fits is not to be trusted, if it is not."""
        used = int(found.used.sum())
        if used < 3 or used < (1 - MOST_LEFT_OUT) * len(found.used):
            return f"only {used} of {len(found.used)} frames go together"
        std = np.sqrt(np.diag(covariance)[:6])
        distance = max(float(np.linalg.norm(found.shared.T_cam_base[:3, 3])), 1e-6)
        if std[:3].max() > MOST_TURN_STD or std[3:].max() > MOST_PLACE_STD * distance:
            return (
                f"the camera's turn is known to {np.degrees(std[:3].max()):.1f} deg only, its "
                f"place to {100 * std[3:].max():.1f} cm"
            )
        return None


def _zeros_said(robot: Robot, compared: Compared, covariance: Array) -> str:
    parts = [
        f"{robot.joint_names[j]} by {np.degrees(compared.shared.zeros[j]):+.1f} deg "
        f"(std {np.degrees(np.sqrt(covariance[7 + j, 7 + j])):.1f})"
        for j in compared.zeros
    ]
    return "the true angle differs from the log's: " + ", ".join(parts)


def _lag_said(offset: float, std: float, period: float, in_seconds: bool) -> str:
    which = "ahead of" if offset > 0 else "behind"
    frames = f"{abs(offset) / period:.1f} frames"
    if not in_seconds:
        return f"the log is {frames} {which} the pictures (std {std / period:.1f})"
    return (
        f"the log is {1000 * abs(offset):.0f} ms ({frames}) {which} the pictures "
        f"(std {1000 * std:.0f} ms)"
    )


def _listed(numbers: list[int]) -> str:
    """1, 2, 3 and 7 as '1-3, 7'."""
    parts: list[list[int]] = []
    for n in numbers:
        if parts and n == parts[-1][-1] + 1:
            parts[-1].append(n)
        else:
            parts.append([n])
    return ", ".join(str(p[0]) if len(p) == 1 else f"{p[0]}-{p[-1]}" for p in parts)
