"""The outline's mask against the vertices themselves and against the real robot's mask."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from armsight.camera.camera_file import read_camera_file
from armsight.geometry import make_transform, project, transform_points
from armsight.viz.silhouette import outline, silhouette
from tests.charted_arm import ROBOT, make_arm

ARM = make_arm()


def vertices_2d(q: NDArray[np.floating], T: NDArray[np.floating]) -> NDArray[np.floating]:
    frames = T @ ROBOT.forward_kinematics(q)
    shapes = ROBOT.link_shapes()
    points = [
        transform_points(frames[i], shapes[name][0])
        for i, name in enumerate(ROBOT.link_names)
        if name in shapes
    ]
    return project(np.concatenate(points), ARM.K)


def test_mask_holds_all_vertices_and_little_else() -> None:
    mask = silhouette(ROBOT, ARM.q, ARM.T_cam_base, ARM.K, 640, 480)
    pixels = np.round(vertices_2d(ARM.q, ARM.T_cam_base)).astype(int)
    inside = ((pixels >= 0) & (pixels < (640, 480))).all(axis=1)
    u, v = pixels[inside].T
    grown = np.asarray(Image.fromarray(mask)) > 0
    grown[1:] |= grown[:-1]
    grown[:, 1:] |= grown[:, :-1]
    grown[:-1] |= grown[1:]
    grown[:, :-1] |= grown[:, 1:]
    assert grown[v, u].mean() > 0.995
    # Nothing far from every vertex: they are 1 to 2 cm apart, up to 8 pixels here.
    near = np.zeros((480, 640), bool)
    near[v, u] = True
    for _ in range(14):
        near[1:] |= near[:-1]
        near[:-1] |= near[1:]
        near[:, 1:] |= near[:, :-1]
        near[:, :-1] |= near[:, 1:]
    assert (mask[~near] == 0).all()


def test_behind_the_camera_there_is_nothing() -> None:
    behind = make_transform(np.eye(3), [0, 0, -3.0])
    assert not silhouette(ROBOT, ARM.q, behind, ARM.K, 64, 48).any()


def test_a_camera_inside_the_arm_does_not_fail() -> None:
    mask = silhouette(ROBOT, ARM.q, make_transform(np.eye(3), [0, 0, 0.0]), ARM.K, 64, 48)
    assert mask.shape == (48, 64)


def test_half_the_focal_length_quarters_the_area() -> None:
    K = ARM.K.copy()
    K[:2, :2] /= 2
    whole = silhouette(ROBOT, ARM.q, ARM.T_cam_base, ARM.K, 2000, 2000) > 0
    half = silhouette(ROBOT, ARM.q, ARM.T_cam_base, K, 2000, 2000) > 0
    # Pixels on the border count as inside, which makes the smaller one a little fatter.
    assert 0.25 <= half.sum() / whole.sum() < 0.28


def test_outline_drops_specks_and_pinholes() -> None:
    mask = np.zeros((400, 400), np.uint8)
    mask[100:300, 100:300] = 255
    mask[150:153, 150:153] = 0  # a crack
    mask[200:260, 200:260] = 0  # a real hole
    mask[20:22, 20:22] = 255  # a speck
    contours = outline(mask)
    assert len(contours) == 2
    assert outline(np.zeros((50, 50), np.uint8)) == []


def test_mask_of_a_real_photo(shared_data: Path) -> None:
    """A white arm in front of green walls, with its true pose: the mask holds hardly any green."""
    folder = shared_data / "dream_sample"
    sample = json.loads((folder / "000000.json").read_text())
    q = np.array([joint["position"] for joint in sample["sim_state"]["joints"][:7]])
    truth = np.array([keypoint["location"] for keypoint in sample["objects"][0]["keypoints"]])
    K = read_camera_file(folder / "_camera_settings.json").K
    mask = silhouette(ROBOT, q, fit_transform(ROBOT.keypoints(q)[:7], truth), K, 640, 480) > 0
    with Image.open(folder / "000000.rgb.jpg") as photo:
        red, green, blue = np.moveaxis(np.asarray(photo).astype(int), 2, 0)
    wall = (green - blue > 12) & (red < 160)
    around = np.zeros_like(mask)
    around[10:] |= mask[:-10]
    around[:-10] |= mask[10:]
    around &= ~mask
    assert wall[mask].mean() < 0.02
    assert wall[around].mean() > 0.1


def fit_transform(
    points: NDArray[np.floating], targets: NDArray[np.floating]
) -> NDArray[np.floating]:
    """The rigid transform (4, 4) that brings points (N, 3) nearest to targets (Kabsch)."""
    a, b = points - points.mean(0), targets - targets.mean(0)
    U, _, Vt = np.linalg.svd(b.T @ a)
    R = U @ np.diag([1, 1, np.sign(np.linalg.det(U @ Vt))]) @ Vt
    return make_transform(R, targets.mean(0) - R @ points.mean(0))
