"""Camera and joint paths from keypoints of a known arm before a known camera."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from armsight.fit.clip.find_camera import find_camera
from armsight.fit.clip.keypoints import ClipKeypoints
from armsight.fit.clip.path import follow_path
from armsight.fit.clip.problem import ClipProblem, minimise
from armsight.fit.clip.shared_camera import SharedCamera
from armsight.fit.gauss_newton import Prior
from armsight.geometry import project, rotation_from_rotvec, transform_points
from tests.charted_arm import ROBOT, make_arm

N, NOISE_PX = 24, 1.5
ARM = make_arm()
TIMES = np.arange(N) / 10
HIDDEN = slice(10, 14)


def true_path() -> np.ndarray:
    swing = np.sin(TIMES[:, None] * np.array([1.0, 1.3, 0.8, 1.1, 1.4, 0.9, 1.2]))
    return np.asarray(ROBOT.clip(ARM.q + 0.4 * swing))


def measured(q: np.ndarray, focal: float = 1.0) -> ClipKeypoints:
    """What a network would say; `focal`: the nominal focal length over the true one."""
    rng = np.random.default_rng(0)
    points = np.stack([transform_points(ARM.T_cam_base, ROBOT.keypoints(one)) for one in q])
    pixels = project(points, ARM.K) + NOISE_PX * rng.standard_normal((*points.shape[:2], 2))
    std = np.full(points.shape[:2], NOISE_PX)
    std[HIDDEN] = np.inf
    K = ARM.K.copy()
    K[:2, :2] *= focal
    return ClipKeypoints(ROBOT, K, pixels, std, np.zeros_like(std), np.full_like(std, np.inf))


def samples_of(q: np.ndarray) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    samples = [one + 0.15 * rng.standard_normal((4, 7)) for one in q]
    for n in range(*HIDDEN.indices(N)):
        samples[n] = np.zeros((0, 7))
    return samples


def test_camera_and_path_are_found() -> None:
    q = true_path()
    keypoints, samples = measured(q), samples_of(q)
    camera = find_camera(keypoints, samples, [], 0.003, 0.3, TIMES)
    assert camera is not None
    np.testing.assert_allclose(camera.T_cam_base, ARM.T_cam_base, atol=0.02)
    path = follow_path(keypoints, samples, [], TIMES, camera, 0.3)
    assert path is not None
    error = np.degrees(np.abs(path.q - q))
    shown = np.ones(N, bool)
    shown[HIDDEN] = False
    assert error[shown][:, :6].mean() < 1
    assert error[HIDDEN][:, :6].mean() < 6
    std = np.sqrt(np.diagonal(path.covariance, axis1=1, axis2=2)[:, :7])
    assert (std[11] > std[5]).all()
    assert (np.abs(path.q - q) < 4 * std).mean() > 0.95


def test_an_unknown_focal_length_is_found() -> None:
    q = true_path()
    camera = find_camera(measured(q, focal=1.15), samples_of(q), [], 0.3, 0.3, TIMES)
    assert camera is not None
    assert camera.log_focal == pytest.approx(-np.log(1.15), abs=0.03)
    assert abs(camera.log_focal + np.log(1.15)) < 4 * np.sqrt(camera.covariance[6, 6])


def test_photos_in_no_order() -> None:
    q = true_path()[[0, 7, 3, 18, 21]]
    keypoints = replace(
        measured(true_path())[np.array([0, 7, 3, 18, 21])], keypoints_2d=project(
            np.stack([transform_points(ARM.T_cam_base, ROBOT.keypoints(one)) for one in q]), ARM.K
        ),
    )  # fmt: skip
    camera = find_camera(keypoints, [one[None] + 0.1 for one in q], [], 0.003, 0.3)
    assert camera is not None
    np.testing.assert_allclose(camera.T_cam_base, ARM.T_cam_base, atol=0.01)


def test_jacobian_of_the_keypoints_by_differences() -> None:
    q = true_path()[:2]
    keypoints = measured(true_path())[np.array([0, 1])]
    depths = np.full_like(keypoints.std, 0.1)
    keypoints = replace(keypoints, log_depth_std=depths)
    camera = SharedCamera(ARM.T_cam_base[:3, :3], ARM.T_cam_base[:3, 3], 0.1)
    jacobian = keypoints.residuals(q, camera).jacobian

    def at(delta: np.ndarray) -> np.ndarray:
        return keypoints.residuals(q + delta[:7], camera.moved(delta[7:])).residuals

    for i in range(14):
        step = np.zeros(14)
        step[i] = 1e-6
        numeric = (at(step) - at(-step)) / 2e-6
        np.testing.assert_allclose(jacobian[:, i], numeric, rtol=1e-4, atol=1e-3)


def test_nothing_to_follow() -> None:
    empty = [np.zeros((0, 7))] * N
    camera = SharedCamera(np.eye(3), np.array([0.0, 0, 2]))
    assert follow_path(measured(true_path()), empty, [], TIMES, camera, 0.3) is None


def test_a_held_camera_stays() -> None:
    q = true_path()
    camera = SharedCamera(
        rotation_from_rotvec([0.02, 0, 0]) @ ARM.T_cam_base[:3, :3], ARM.T_cam_base[:3, 3]
    )
    problem = ClipProblem(measured(q), Prior.flat(N, 7), 0.01)
    _, held, _ = minimise(problem, q, camera, move_camera=False)
    assert held is camera or np.array_equal(held.T_cam_base, camera.T_cam_base)
    _, moved, _ = minimise(problem, q, camera)
    assert (
        np.abs(moved.R - ARM.T_cam_base[:3, :3]).max()
        < np.abs(camera.R - ARM.T_cam_base[:3, :3]).max()
    )
