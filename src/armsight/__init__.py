"""armsight: see an arm, know its state.

>>> from armsight import Estimator                          # doctest: +SKIP
>>> state = Estimator.from_pretrained("panda")("photo.jpg")  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from armsight.actions.model import ActionModel
    from armsight.actions.sequence import ActionSequence
    from armsight.camera.camera_file import read_camera_file
    from armsight.errors import ArmsightError
    from armsight.estimate.estimator import Estimator
    from armsight.estimate.several_robots import SeveralRobots
    from armsight.estimate.track import Tracker
    from armsight.fit.calibrate_camera import CameraCalibration, calibrate_camera
    from armsight.robots import Robot, available_robots, load_robot
    from armsight.state import Estimate
    from armsight.viz.overlay import draw_overlay

__version__ = "0.1.0"

# Loaded on first use, so that `armsight --help` does not wait for ONNX Runtime.
_HOMES = {
    "ActionModel": "armsight.actions.model",
    "ActionSequence": "armsight.actions.sequence",
    "ArmsightError": "armsight.errors",
    "CameraCalibration": "armsight.fit.calibrate_camera",
    "Estimate": "armsight.state",
    "Estimator": "armsight.estimate.estimator",
    "Robot": "armsight.robots",
    "SeveralRobots": "armsight.estimate.several_robots",
    "Tracker": "armsight.estimate.track",
    "available_robots": "armsight.robots",
    "calibrate_camera": "armsight.fit.calibrate_camera",
    "draw_overlay": "armsight.viz.overlay",
    "load_robot": "armsight.robots",
    "read_camera_file": "armsight.camera.camera_file",
}

__all__ = [
    "ActionModel",
    "ActionSequence",
    "ArmsightError",
    "CameraCalibration",
    "Estimate",
    "Estimator",
    "Robot",
    "SeveralRobots",
    "Tracker",
    "__version__",
    "available_robots",
    "calibrate_camera",
    "draw_overlay",
    "load_robot",
    "read_camera_file",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'armsight' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
