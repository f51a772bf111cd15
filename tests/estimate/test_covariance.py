"""One covariance per answer: what follows from it, and what an unknown focal length does to it."""

from __future__ import annotations

import numpy as np
import pytest

from armsight.camera.image import LoadedImage
from armsight.camera.intrinsics import Intrinsics
from armsight.estimate.build_estimate import build_estimate
from armsight.estimate.tuning import Tuning
from armsight.fit.residuals import turn
from armsight.geometry import project, transform_points
from armsight.state import Estimate
from tests.charted_arm import ROBOT
from tests.estimate.test_build_estimate import ARM, IMAGE, make_crop

TUNING = Tuning()


def answered(seed: int, source: str, zoom: float = 1.0) -> Estimate:
    """An answer to noisy keypoints, with a focal length that is `zoom` times the true one."""
    K = ARM.K * [[zoom], [zoom], [1]]
    K[:2, 2] = ARM.K[:2, 2]
    return build_estimate(ROBOT, TUNING, IMAGE, Intrinsics(K, source), make_crop(seed))


@pytest.mark.parametrize("source", ["given", "assumed"])
def test_stds_follow_from_the_covariance(source: str) -> None:
    found = answered(0, source)
    assert found.covariance is not None
    assert found.joint_std is not None
    assert found.T_cam_base_std is not None
    assert found.K is not None
    covariance = found.covariance
    assert covariance.shape == (14, 14)
    np.testing.assert_allclose(covariance, covariance.T, atol=1e-12)
    assert np.linalg.eigvalsh(covariance).min() > -1e-9
    std = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(found.joint_std, std[:7])
    np.testing.assert_allclose(found.T_cam_base_std, std[7:13])
    assert found.focal_length_std == pytest.approx(std[13] * found.K[0, 0])
    assert (std[13] > 0) == (source == "assumed")
    document = found.to_json()
    np.testing.assert_allclose(document["covariance"], covariance)
    assert set(document["units"]) >= {"covariance", "T_cam_base_std", "focal_length_std"}


def test_keypoint_stds_are_those_of_random_draws() -> None:
    """Against draws from the covariance, each put through forward kinematics and projection."""
    found = answered(1, "given")
    assert found.covariance is not None
    assert found.T_cam_base is not None
    assert found.joint_positions is not None
    assert found.K is not None
    rng = np.random.default_rng(0)
    # Small draws: the stds are those of the linearised projection.
    small = 0.05
    drawn = rng.multivariate_normal(np.zeros(14), small**2 * found.covariance, 4000)
    pixels = []
    for delta in drawn:
        T = found.T_cam_base.copy()
        T[:3, :3] = turn(delta[None, 7:10])[0] @ T[:3, :3]
        T[:3, 3] += delta[10:13]
        points = transform_points(T, ROBOT.keypoints(found.joint_positions + delta[:7]))
        pixels.append(project(points, found.K))
    spread = np.sqrt(np.var(pixels, axis=0).mean(axis=1)) / small
    assert found.keypoints_2d_std is not None
    np.testing.assert_allclose(found.keypoints_2d_std, spread, rtol=0.08)


def test_an_assumed_focal_length_is_doubt() -> None:
    """Twenty answers with a focal length that is a quarter too long: the truth is within stds."""
    known, covered, zooms = [], [], []
    for seed in range(20):
        sure, unsure = answered(seed, "given"), answered(seed, "assumed", zoom=1.25)
        assert sure.joint_std is not None
        assert unsure.joint_std is not None
        assert unsure.joint_positions is not None
        assert unsure.T_cam_base_std is not None
        assert sure.T_cam_base_std is not None
        assert unsure.K is not None
        known.append(unsure.T_cam_base_std[5] > 2 * sure.T_cam_base_std[5])
        covered.append(np.abs(unsure.joint_positions - ARM.q) < 2 * unsure.joint_std)
        zooms.append(unsure.K[0, 0] / ARM.K[0, 0])
        assert any("field of view seen from the arm" in m for m in unsure.messages)
    assert all(known)  # depth is what the focal length leaves open
    assert np.mean(covered) > 0.85
    assert np.median(np.abs(np.log(zooms))) < 0.5 * np.log(1.25)


def test_a_known_focal_length_stays() -> None:
    image = LoadedImage(np.zeros((480, 640, 3), np.uint8), 640, 480)
    found = build_estimate(ROBOT, TUNING, image, Intrinsics(ARM.K, "camera_file"), make_crop())
    np.testing.assert_array_equal(found.K, ARM.K)
    assert found.focal_length_std == 0
