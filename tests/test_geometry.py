"""Geometry by its laws, over batch axes, and against OpenCV."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from armsight.geometry import (
    crop_intrinsics,
    crop_matrix,
    intrinsics_from_fov,
    invert_transform,
    make_transform,
    project,
    rotation_from_rotvec,
    rotvec_from_rotation,
    transform_points,
)

BATCHES = [(), (1,), (5,), (2, 3), (0,)]


def random_transform(batch: tuple[int, ...], seed: int = 0) -> NDArray[np.floating]:
    rng = np.random.default_rng(seed)
    return make_transform(
        rotation_from_rotvec(rng.normal(size=(*batch, 3))), rng.normal(size=(*batch, 3))
    )


@pytest.mark.parametrize("batch", BATCHES)
class TestTransforms:
    def test_inverse(self, batch: tuple[int, ...]) -> None:
        T = random_transform(batch)
        identity = np.broadcast_to(np.eye(4), (*batch, 4, 4))
        np.testing.assert_allclose(T @ invert_transform(T), identity, atol=1e-12)
        np.testing.assert_allclose(invert_transform(T) @ T, identity, atol=1e-12)
        np.testing.assert_allclose(invert_transform(invert_transform(T)), T, atol=1e-15)

    def test_composition_is_one_after_the_other(self, batch: tuple[int, ...]) -> None:
        A, B = random_transform(batch, 1), random_transform(batch, 2)
        points = np.random.default_rng(3).normal(size=(*batch, 6, 3))
        both = transform_points(A @ B, points)
        np.testing.assert_allclose(both, transform_points(A, transform_points(B, points)))

    def test_points_by_homogeneous_coordinates(self, batch: tuple[int, ...]) -> None:
        T, points = random_transform(batch), np.random.default_rng(3).normal(size=(*batch, 6, 3))
        homogeneous = np.concatenate([points, np.ones((*batch, 6, 1))], axis=-1)
        expected = np.einsum("...ij,...nj->...ni", T, homogeneous)[..., :3]
        np.testing.assert_allclose(transform_points(T, points), expected)

    def test_rotations_are_rotations(self, batch: tuple[int, ...]) -> None:
        R = random_transform(batch)[..., :3, :3]
        identity = np.broadcast_to(np.eye(3), R.shape)
        np.testing.assert_allclose(R @ np.swapaxes(R, -1, -2), identity, atol=1e-12)
        np.testing.assert_allclose(np.linalg.det(R), np.ones(batch))

    def test_projection_shapes(self, batch: tuple[int, ...]) -> None:
        points = np.random.default_rng(0).normal(size=(*batch, 4, 3)) + np.array([0, 0, 9])
        pixels = project(points, intrinsics_from_fov(640, 480, 60))
        assert pixels.shape == (*batch, 4, 2)


def test_one_transform_serves_many_points() -> None:
    T, points = random_transform(()), np.random.default_rng(0).normal(size=(5, 7, 3))
    one_by_one = np.stack([transform_points(T, p) for p in points])
    np.testing.assert_allclose(transform_points(T, points), one_by_one)


@given(st.tuples(*[st.floats(-6.0, 6.0)] * 3))
def test_rotation_vectors_against_opencv(rotvec: tuple[float, float, float]) -> None:
    ours = rotation_from_rotvec(rotvec)
    theirs, _ = cv2.Rodrigues(np.array(rotvec))
    np.testing.assert_allclose(ours, theirs, atol=1e-10)


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-7, 9.9e-7, 1.1e-6, 1e-4])
def test_small_rotations_are_exact(angle: float) -> None:
    R = rotation_from_rotvec([0, 0, angle])
    assert R[1, 0] == pytest.approx(np.sin(angle), abs=1e-18)
    assert R[0, 0] == pytest.approx(np.cos(angle), abs=1e-16)


def test_projection_against_opencv() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(20, 3)) + np.array([0, 0, 5])
    K = np.array([[600.0, 2, 310], [0, 580, 250], [0, 0, 1]])
    no_turn = np.zeros(3)
    # OpenCV knows no skew: leave it out on both sides.
    K[0, 1] = 0
    expected, _ = cv2.projectPoints(points, no_turn, no_turn, K, np.zeros(5))
    np.testing.assert_allclose(project(points, K), expected[:, 0])


@given(
    st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 1e-3),
    st.one_of(st.floats(0, np.pi - 1e-6), st.floats(0, 1e-9), st.just(0.0)),
)
def test_rotation_vectors_come_back(axis: tuple[float, float, float], angle: float) -> None:
    rotvec = angle * np.array(axis) / np.linalg.norm(axis)
    back = rotvec_from_rotation(rotation_from_rotvec(rotvec))
    np.testing.assert_allclose(back, rotvec, atol=1e-9)


@pytest.mark.parametrize("axis", [(1.0, 0, 0), (0, 1.0, 0), (0, 0, 1.0), (0.6, 0, -0.8)])
def test_half_a_turn_comes_back_up_to_its_sign(axis: tuple[float, float, float]) -> None:
    R = 2 * np.outer(axis, axis) - np.eye(3)
    back = rotvec_from_rotation(np.stack([R, R]))[1]
    np.testing.assert_allclose(np.abs(back), np.pi * np.abs(axis), atol=1e-9)
    np.testing.assert_allclose(rotation_from_rotvec(back), R, atol=1e-9)


def test_skew_leans_to_the_side() -> None:
    K = np.array([[600.0, 30, 310], [0, 580, 250], [0, 0, 1]])
    np.testing.assert_allclose(project([[1.0, 2, 4]], K), [[600 / 4 + 30 / 2 + 310, 290 + 250]])


def test_behind_the_camera_is_no_pixel() -> None:
    pixels = project([[0.1, 0, -1], [0.1, 0, 0], [0.1, 0, 1]], np.diag([100.0, 100, 1]))
    assert np.isnan(pixels[:2]).all()
    np.testing.assert_allclose(pixels[2], [10, 0])


def test_field_of_view_spans_the_image() -> None:
    K = intrinsics_from_fov(640, 480, 90)
    edge = project([[1.0, 0, 1], [-1.0, 0, 1]], K)[:, 0]
    np.testing.assert_allclose(edge, [639.5, -0.5])


@pytest.mark.parametrize("batch", BATCHES)
def test_crop_sees_the_same_world(batch: tuple[int, ...]) -> None:
    """Projecting through the crop's K is projecting, then cropping."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(*batch, 9, 3)) + np.array([0, 0, 6])
    K = np.broadcast_to(intrinsics_from_fov(640, 480, 70), (*batch, 3, 3))
    corner = rng.uniform(0, 200, (*batch, 2))
    box = np.concatenate([corner, corner + rng.uniform(50, 300, (*batch, 1))], axis=-1)
    through = project(points, crop_intrinsics(K, box, 192))
    A = crop_matrix(box, 192)
    pixels = project(points, K)
    cropped = pixels * np.diagonal(A, axis1=-2, axis2=-1)[..., None, :2] + A[..., None, :2, 2]
    np.testing.assert_allclose(through, cropped)


def test_crop_maps_outer_edges_to_outer_edges() -> None:
    A = crop_matrix((10.0, 20.0, 110.0, 120.0), 50)
    np.testing.assert_allclose((A @ [10, 20, 1])[:2], [-0.5, -0.5])
    np.testing.assert_allclose((A @ [110, 120, 1])[:2], [49.5, 49.5])
    np.testing.assert_allclose(crop_matrix((-0.5, -0.5, 63.5, 63.5), 64), np.eye(3))
