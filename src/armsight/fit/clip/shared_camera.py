"""The one camera of a clip: its pose and focal length, and how sure they are."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from armsight.fit.residuals import turn
from armsight.geometry import make_transform

Array = NDArray[np.floating]

STD_SCALE = 3.0
"""Factor on the formal stds, because all evidence in one scene shares errors. A rough figure: in
two rendered clips, drawn for tuning, the largest errors were 3.6 and 6.7 formal stds"""
NUM_CAMERA = 7
"""Turn (3) [rad] and place (3) [m] of the base in camera axes, and the log of the focal length."""


@dataclass(frozen=True)
class SharedCamera:
    """Pose and focal length of a camera that stands still."""

    R: Array
    """(3, 3) rotation of `T_cam_base`"""
    t: Array
    """(3,) [m] translation of `T_cam_base`"""
    log_focal: float = 0.0
    """log of the focal lengths over those of the nominal `K`"""
    covariance: Array = field(default_factory=lambda: np.zeros((NUM_CAMERA, NUM_CAMERA)))
    """(7, 7) of (omega [rad], v [m], log focal length); not calibrated"""

    @property
    def T_cam_base(self) -> Array:
        """(4, 4)"""
        return make_transform(self.R, self.t)

    @property
    def calibrated_covariance(self) -> Array:
        """(7, 7) for people: `covariance`, with stds STD_SCALE times as large"""
        return STD_SCALE**2 * self.covariance

    def K(self, nominal: Array) -> Array:
        """(3, 3) [px] the camera matrix, from the nominal one."""
        K = np.array(nominal, dtype=float)
        K[:2, :2] *= np.exp(self.log_focal)
        return K

    def moved(self, delta: Array) -> SharedCamera:
        """After the small change delta (7,) = (omega, v, dlogf)."""
        return replace(
            self,
            R=turn(delta[None, :3])[0] @ self.R,
            t=self.t + delta[3:6],
            log_focal=self.log_focal + float(delta[6]),
        )
