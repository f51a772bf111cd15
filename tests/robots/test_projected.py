"""A drawn surface against OpenCV's drawing of its faces, rays through pixels, counting by hand."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from armsight.robots import load_robot
from armsight.robots.projected import Projected
from armsight.robots.robot import DATA_FOLDER
from armsight.robots.surface_mesh import SurfaceMesh
from tests.fit.seen_arms import HEIGHT, WIDTH, K, view

ROBOT = load_robot("panda")
SHIFT = 4


def projected(seed: int, closer: float = 0.0) -> Projected:
    arm = view(np.random.default_rng(seed))
    T = arm.T_cam_base.copy()
    T[2, 3] -= closer
    return Projected.of(SurfaceMesh.of(ROBOT), T @ ROBOT.forward_kinematics(arm.q), K, WIDTH)


def filled(seen: Projected) -> NDArray[np.uint8]:
    """OpenCV fills every pixel that a face touches, be it by a corner."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    corners = np.round(seen.pixels[seen.skin.faces[seen.facing]] * (1 << SHIFT))
    for triangle in corners.astype(np.int32):
        cv2.fillConvexPoly(mask, triangle, (255,), cv2.LINE_8, SHIFT)
    return mask


@pytest.mark.parametrize("closer", [0.0, 0.5])
def test_the_mask_is_all_faces_drawn_over_each_other(closer: float) -> None:
    for seed in range(4):
        seen = projected(seed, closer)
        mask, touched = seen.mask(WIDTH, HEIGHT), filled(seen)
        assert set(np.unique(mask)) == {0, 255}
        assert not (mask[touched == 0]).any()
        around = cv2.dilate(mask, np.ones((3, 3), np.uint8))
        assert (touched[1:-1, 1:-1] > around[1:-1, 1:-1]).sum() <= 8
        assert (mask != touched).mean() < 0.01


def test_out_of_view_there_is_no_mask() -> None:
    assert not projected(0, closer=9.0).mask(WIDTH, HEIGHT).any()


def test_edges_turn_where_one_face_looks_here_and_the_other_away() -> None:
    seen = projected(0)
    owners = defaultdict(list)
    for face, corners in enumerate(seen.skin.faces):
        for a, b in ((0, 1), (1, 2), (2, 0)):
            owners[tuple(sorted((int(corners[a]), int(corners[b]))))].append(face)
    simple = {edge: faces for edge, faces in owners.items() if len(faces) <= 2}
    want = {edge for edge, faces in simple.items() if sum(bool(seen.facing[f]) for f in faces) == 1}
    got = {tuple(sorted(map(int, edge))) for edge in seen.turning[0]}
    assert len(want) > 200
    assert {edge for edge in got if edge in simple} == want


def test_creases_are_shown_where_both_faces_look_here() -> None:
    seen = projected(1)
    skin = seen.skin
    facing = {
        tuple(sorted(edge)): bool(seen.facing[pair].all())
        for edge, pair in zip(skin.edges[skin.creases[0]].tolist(), skin.creases[1], strict=True)
    }
    shown = [tuple(sorted(edge)) for edge in seen.creased.tolist()]
    assert len(shown) > 100
    assert set(shown) == {edge for edge, both in facing.items() if both}
    assert not set(shown) & {tuple(sorted(edge)) for edge in seen.turning[0].tolist()}


@pytest.mark.parametrize(("closer", "cell"), [(0.0, 4.0), (0.5, 4.0), (0.0, 7.0)])
def test_the_nearest_face_is_the_first_that_a_ray_meets(closer: float, cell: float) -> None:
    seen = projected(2, closer)
    got = seen.nearest(WIDTH, HEIGHT, cell)
    assert got.shape == (np.ceil(HEIGHT / cell), np.ceil(WIDTH / cell))
    rows, columns = np.mgrid[: got.shape[0], : got.shape[1]]
    centres = np.stack([columns, rows], -1) * cell + (cell - 1) / 2
    rays = np.concatenate([centres, np.ones((*rows.shape, 1))], -1) @ np.linalg.inv(K).T
    corners = rays_to(seen)[seen.skin.faces[seen.facing]]
    want = np.zeros(got.shape)
    for v, u in np.argwhere(np.ones(got.shape))[::7]:
        want[v, u] = first_met(rays[v, u], corners)
        assert (got[v, u] > 0) == (want[v, u] > 0) or not clear(seen, centres[v, u])
    both = (got > 0) & (want > 0)
    assert both.sum() >= 50
    close = np.isclose(got[both], want[both], rtol=1e-3)
    assert close.mean() > 0.99


def rays_to(seen: Projected) -> NDArray[np.floating]:
    """(V, 3) vertices in the camera frame."""
    homogeneous = np.concatenate([seen.pixels, np.ones((len(seen.pixels), 1))], 1)
    return homogeneous @ np.linalg.inv(K).T * seen.depth[:, None]


def first_met(ray: NDArray[np.floating], corners: NDArray[np.floating]) -> float:
    """1 / depth of the first of some faces (F, 3, 3) that a ray meets, 0 where it meets none;
    Moeller and Trumbore, 1997."""
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    p = np.cross(ray, b)
    volume = (a * p).sum(-1)
    volume = np.where(np.abs(volume) < 1e-14, np.nan, volume)
    u = -(corners[:, 0] * p).sum(-1) / volume
    q = np.cross(-corners[:, 0], a)
    v = (q @ ray) / volume
    depth = (b * q).sum(-1) / volume
    met = (u >= 0) & (v >= 0) & (u + v <= 1) & (depth > 0)
    return float((1 / depth[met]).max()) if met.any() else 0.0


def clear(seen: Projected, pixel: NDArray[np.floating]) -> bool:
    """Whether a pixel is farther than a tenth of a pixel from all edges of faces that look here."""
    corners = seen.pixels[seen.skin.faces[seen.facing]]
    a, b = corners, np.roll(corners, 1, axis=1)
    along = b - a
    share = ((pixel - a) * along).sum(-1) / np.maximum((along**2).sum(-1), 1e-12)
    nearest = a + np.clip(share, 0, 1)[..., None] * along
    return bool(np.linalg.norm(nearest - pixel, axis=-1).min() > 0.1)


def test_a_robot_without_shapes_has_an_empty_mask(tmp_path: Path) -> None:
    (tmp_path / "panda.json").write_text((DATA_FOLDER / "panda.json").read_text())
    np.savez(tmp_path / "panda.npz")
    bare = load_robot(tmp_path / "panda.json")
    links = np.eye(4) + np.zeros((len(bare.link_names), 4, 4))
    seen = Projected.of(SurfaceMesh.of(bare), links, K, WIDTH)
    assert not seen.mask(WIDTH, HEIGHT).any()
    assert len(seen.turning[0]) == len(seen.creased) == 0
    assert not seen.nearest(WIDTH, HEIGHT, 3.0).any()
