"""The methods that `armsight evaluate --method` knows, each as a picklable maker of estimators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from armsight.card import weights_digest
from armsight.errors import ConfigError
from armsight.evaluate.poses.answers import PoseEstimator
from armsight.robots import load_robot
from armsight.state import Estimate

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Method:
    """Makes an estimator; picklable, so that each worker process can make its own."""

    name: str
    robot: str
    weights: str
    """Name or folder of the weights"""
    num_hypotheses: int | None = None
    """None: the estimator's own default"""
    threads: int = 0
    """CPU threads of each estimator; 0 lets ONNX Runtime choose"""

    def __post_init__(self) -> None:
        """Raises ConfigError when there is no such method."""
        if self.name not in METHODS:
            raise ConfigError(f"unknown method {self.name!r}; known: {', '.join(METHODS)}")

    def __call__(self) -> PoseEstimator:
        """The estimator."""
        return METHODS[self.name](self)

    def settings(self) -> dict[str, Any]:
        """What the answers depend on, JSON-ready."""
        settings: dict[str, Any] = {"method": self.name, "robot": self.robot}
        if self.name != "ready-pose":
            from armsight.estimate.pretrained import weights_folder

            digest = weights_digest(weights_folder(self.weights))
            settings["weights"] = f"{self.weights} ({digest})"
            settings["num_hypotheses"] = self.num_hypotheses or "default"
        return settings


def _network(method: Method, solver: str) -> PoseEstimator:
    from armsight.estimate.estimator import Estimator

    estimator = Estimator.from_pretrained(method.weights, threads=method.threads)
    # Joints and camera from hypotheses, from keypoints, or from both, with and without the outline:
    # what each part brings.
    estimator = estimator.with_tuning(replace(estimator.tuning, solver=solver))

    def estimate(image: NDArray[np.uint8], K: Array | None, /) -> Estimate:
        return estimator(image, K, method.num_hypotheses)

    return estimate


def _ready_pose(method: Method) -> PoseEstimator:
    robot = load_robot(method.robot)
    ready = Estimate(
        robot=robot.name,
        robot_found=True,
        confidence=0.0,
        joint_names=robot.joint_names,
        keypoint_names=robot.keypoint_names,
        joint_positions=robot.ready_positions,
        messages=("answers the ready pose without looking at the image",),
    )
    return lambda image, K: ready


METHODS: dict[str, Callable[[Method], PoseEstimator]] = {
    "default": partial(_network, solver="outline"),
    "no-outline": partial(_network, solver="both"),
    "diffusion-only": partial(_network, solver="diffusion"),
    "keypoints-only": partial(_network, solver="keypoints"),
    "ready-pose": _ready_pose,
}
