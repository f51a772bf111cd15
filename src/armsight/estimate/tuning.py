"""Thresholds, calibration and solver of an estimator, as the weights' card gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from armsight.errors import ConfigError, WeightsError
from armsight.estimate.confidence import CONFIDENCE_BIAS, CONFIDENCE_WEIGHTS
from armsight.fit.uncertainty import FIT_VERSION, Calibration

SOLVERS = ("outline", "both", "diffusion", "keypoints")


@dataclass(frozen=True)
class Tuning:
    """Thresholds and calibration of one set of weights, from its card."""

    first_look: float = 0.1
    """Presence in the whole frame from which on a crop is read; small arms get little"""
    robot_found: float = 0.5
    """Presence in the crop from which on the robot counts as found"""
    keypoint_seen: float = 0.3
    """Probability from which on a keypoint counts as measured"""
    confident: float = 0.0
    """Answers whose visible part is less surely right than this are not given"""
    depth_scale: float = 3.0
    """The model's log depth stds are multiplied by this: a picture's depths err together"""
    prior_std: float = 0.3
    """[rad] error that the hypotheses of one image share, see `solve`"""
    calibration: Calibration = field(default_factory=Calibration)
    outline_calibration: Calibration = field(default_factory=Calibration)
    """Of the answers whose outline was moved onto edges: they err otherwise than others"""
    solver: str = "outline"
    """both: hypotheses and keypoints; outline: both, then the arm's outline on the picture's edges;
    diffusion: the hypotheses' own angles; keypoints: least squares without hypotheses"""
    confidence_bias: float = CONFIDENCE_BIAS
    confidence_weights: dict[str, float] = field(default_factory=lambda: CONFIDENCE_WEIGHTS)
    doubt_power: float = 0.0
    """How fast an answer's stds grow where it is less surely right, see `doubted`"""
    notes: tuple[str, ...] = ()
    """What every answer says of the calibration"""

    def __post_init__(self) -> None:
        """Raises ConfigError when there is no such solver."""
        if self.solver not in SOLVERS:
            raise ConfigError(f"unknown solver {self.solver!r}; known: {', '.join(SOLVERS)}")

    @classmethod
    def from_card(cls, card: Mapping[str, Any]) -> Tuning:
        """Read `thresholds` and `calibration` of a card's entries; what is missing has its default.

        Raises:
            WeightsError: a value has the wrong type, or a confidence feature is unknown.
        """
        thresholds, values = card.get("thresholds", {}), card.get("calibration", {})
        confidence = values.get("confidence", {})
        outline = values.get("outline", values)
        weights = confidence.get("weights", CONFIDENCE_WEIGHTS)
        if unknown := set(weights) - set(CONFIDENCE_WEIGHTS):
            raise WeightsError(
                f"the card weighs unknown confidence features {sorted(unknown)}; known: "
                f"{', '.join(CONFIDENCE_WEIGHTS)}"
            )
        try:
            return cls(
                first_look=float(thresholds.get("first_look", cls.first_look)),
                robot_found=float(thresholds.get("robot_found", cls.robot_found)),
                keypoint_seen=float(thresholds.get("keypoint_seen", cls.keypoint_seen)),
                confident=float(thresholds.get("confident", cls.confident)),
                depth_scale=float(values.get("depth_scale", cls.depth_scale)),
                prior_std=float(values.get("prior_std", cls.prior_std)),
                calibration=_read_calibration(values, values),
                outline_calibration=_read_calibration(outline, values),
                confidence_bias=float(confidence.get("bias", CONFIDENCE_BIAS)),
                confidence_weights={name: float(w) for name, w in weights.items()},
                doubt_power=float(values.get("doubt_power", cls.doubt_power)),
                notes=_calibration_notes(values),
            )
        except (TypeError, ValueError) as error:
            raise WeightsError(f"thresholds or calibration of the card: {error}") from error


def _calibration_notes(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Whether the calibration was made for another fit; none of a card without one."""
    made_for = values.get("fit_version", 1)
    if not values or made_for == FIT_VERSION:
        return ()
    return (
        f"these weights were calibrated for version {made_for} of the fit, and this is version "
        f"{FIT_VERSION}: stds and confidence may be off; run `armsight calibrate`",
    )


def _read_calibration(joints: Mapping[str, Any], values: Mapping[str, Any]) -> Calibration:
    return Calibration(
        np.atleast_1d(np.asarray(joints.get("joint_scale", 1.0), dtype=float)),
        np.atleast_1d(np.asarray(joints.get("joint_floor", 0.0), dtype=float)),
        np.asarray(joints.get("camera_scale", np.ones(3)), dtype=float),
        float(values.get("keypoint_scale", 1.0)),
    )
