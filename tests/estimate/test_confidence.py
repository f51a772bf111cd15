"""Confidence: of what can be seen, less where joints cannot be told."""

from __future__ import annotations

import numpy as np
import pytest

from armsight.estimate.confidence import (
    CANNOT_TELL,
    cannot_tell,
    confidence,
    doubted,
    refused_confidence,
)
from armsight.fit.solution import Solution
from armsight.geometry import make_transform
from armsight.robots import load_robot

ROBOT = load_robot("panda")

NAMES = ("a", "b", "c", "d")


def test_joints_that_cannot_be_told_take_up_to_half_of_the_confidence() -> None:
    known, open_ = 0.5 * CANNOT_TELL, 2 * CANNOT_TELL
    assert confidence(0.9, np.full(4, known)) == pytest.approx(0.9)
    assert confidence(0.9, np.full(4, open_)) == pytest.approx(0.45)
    falling = [confidence(0.9, np.array([open_] * n + [known] * (4 - n))) for n in range(5)]
    assert (np.diff(falling) < 0).all()


def test_doubt_widens_stds_to_what_is_known_without_the_picture() -> None:
    answer = make_solution()
    limits = ROBOT.joint_limits
    assert doubted(answer, 0.5, 0.0, limits) is answer
    assert answer.covariance is not None
    twice = doubted(answer, 0.5, 1.0, limits, 0.35)
    assert twice.joint_std == pytest.approx(2 * answer.joint_std)
    assert twice.covariance == pytest.approx(4 * answer.covariance)
    lost = doubted(answer, 1e-6, 3.0, limits, 0.35)
    assert lost.joint_std == pytest.approx(np.ptp(limits, axis=1) / np.sqrt(12))
    assert lost.covariance is not None
    stds = np.sqrt(np.diag(lost.covariance))
    assert stds[:7] == pytest.approx(lost.joint_std)
    assert stds[7:] == pytest.approx([*[np.pi / np.sqrt(3)] * 3, *[1.5] * 3, 0.35], rel=1e-4)


def make_solution() -> Solution:
    """1.5 m away, every std 0.05."""
    nothing = np.zeros((len(ROBOT.keypoint_names), 2))
    q = ROBOT.ready_positions
    return Solution(
        joint_positions=q,
        joint_std=np.full(7, 0.05),
        T_cam_base=make_transform(np.eye(3), np.array([0.0, 0.0, 1.5])),
        covariance=0.05**2 * np.eye(14),
        residuals_px=nothing,
        inliers=np.ones(len(nothing), dtype=bool),
        residual_scale=1.0,
        consistency=1.0,
        num_agreeing=1,
        hypotheses=q[None],
        costs=np.zeros(1),
        modes=None,
        mode_costs=np.zeros(0),
    )


def test_the_joints_that_cannot_be_told_are_named() -> None:
    stds = np.array([2.0, 0.5, 2.0, 0.5]) * CANNOT_TELL
    assert cannot_tell(NAMES, stds) == ("a, c cannot be told from this picture (std over 25 deg)",)
    assert cannot_tell(NAMES, 0.5 * stds / 2) == ()
    assert cannot_tell(NAMES, 9 * stds)[0].startswith("no joint can be told")


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.93])
def test_a_refusal_never_looks_sure(threshold: float) -> None:
    presences = np.linspace(0, threshold, 20)
    confidences = [refused_confidence(float(p), threshold) for p in presences]
    assert confidences[-1] == pytest.approx(0.5)
    assert (np.diff(confidences) > 0).all()
    assert confidences[0] < 1e-4
