"""The outline on a picture's edges: in drawings whose pose and camera are known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from armsight.fit.contour import SPACING_PX, Contour, draw_contour
from armsight.fit.contour_fit import align
from armsight.fit.edges import DIRECTIONS, FARTHEST_EDGE_PX, EdgeMap, direction
from armsight.fit.gauss_newton import States
from armsight.fit.measurements import Measurements, check_measurements
from armsight.geometry import make_transform, project, transform_points
from armsight.robots import load_robot
from armsight.robots.kinematics import link_frames
from armsight.robots.projected import Projected
from armsight.robots.surface_mesh import SurfaceMesh
from armsight.vlm.drawing import Camera, default_camera, shaded
from tests.labelled_folders import poses

ROBOT = load_robot("panda")
JOINTS = len(ROBOT.joint_names)


def state_of(q: NDArray[np.floating], camera: Camera) -> States:
    T = camera.T_cam_base[None]
    return States(q[None].copy(), T[:, :3, :3].copy(), T[:, :3, 3].copy())


def drawn(i: int) -> tuple[EdgeMap, States, Measurements]:
    """A drawing's edges, the truth, and its keypoints within 4 px."""
    q = poses(ROBOT, 6)[i]
    rng = np.random.default_rng(i)
    camera = default_camera(ROBOT, q, rng.uniform(-90, 90), rng.uniform(10, 40))
    edges = EdgeMap(shaded(ROBOT, q, camera), camera.K)
    true = project(transform_points(camera.T_cam_base, ROBOT.keypoints(q)), edges.K)
    noisy = true + rng.normal(0, 4, true.shape)
    measured = check_measurements(ROBOT, edges.K, noisy, np.full(len(true), 4.0))
    return edges, state_of(q, camera), measured


@pytest.mark.parametrize("i", range(3))
def test_the_outline_lies_on_the_edges_of_its_own_drawing(i: int) -> None:
    edges, true, _ = drawn(i)
    contour = draw_contour(ROBOT, true, edges)
    assert contour.edge_alignment(edges, true)[0] > 0.5
    for joint in range(1, 6):
        for sign in (-1, 1):
            off = true.q.copy()
            off[0, joint] += sign * np.radians(15)
            moved = States(ROBOT.clip(off), true.R, true.t)
            drawn_anew = draw_contour(ROBOT, moved, edges)
            assert (
                drawn_anew.edge_alignment(edges, moved)[0]
                < contour.edge_alignment(edges, true)[0] - 0.02
            )


@pytest.mark.parametrize("i", range(3))
def test_camera_and_joint_move_back_to_where_the_outline_fits(i: int) -> None:
    """From a camera 1 cm and 1 degree off, and a joint 4 degrees off."""
    edges, true, measured = drawn(i)
    off = np.zeros((1, JOINTS + 7))
    off[0, 3] = np.radians(4)
    off[0, JOINTS:-1] = [*np.radians([0.6, -0.6, 0.5]), 0.006, -0.006, 0.005]
    start = true.moved(off)
    free = np.zeros(off.shape, dtype=bool)
    free[:, 3] = free[:, JOINTS:-1] = True
    contour = draw_contour(ROBOT, start, edges)
    found = align(contour, edges, measured, 1.0, start, free)
    # Drawn again where it has come to lie, as `refine` does.
    again = draw_contour(ROBOT, found, edges)
    found = align(again, edges, measured, 1.0, found, free)
    assert np.degrees(np.abs(found.q - true.q)).max() < 1.0
    points = [
        transform_points(make_transform(s.R[0], s.t[0]), ROBOT.keypoints(s.q[0]))
        for s in (true, start, found)
    ]
    goal, before, after = (project(some, edges.K) for some in points)
    assert np.linalg.norm(before - goal, axis=1).mean() > 3
    assert np.linalg.norm(after - goal, axis=1).mean() < 1.5
    held = align(contour, edges, measured, 1.0, start, np.zeros_like(free))
    np.testing.assert_array_equal(held.q, start.q)
    np.testing.assert_allclose(held.R, start.R)


def test_an_edge_is_found_by_its_own_direction_alone() -> None:
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[:, 120:] = 200
    edges = EdgeMap(picture, np.eye(3))
    across = direction(1.0, 0.0)
    assert direction(-1.0, 0.0) == across
    u, v = np.array([[100.0, 110.5]]), np.array([[50.0, 50.0]])
    distance, gradient, inside = edges.nearest(np.array([across, across]), u, v)
    assert distance[0] == pytest.approx([19.5, 9], abs=1.1)
    assert gradient[0, 0] == pytest.approx([-1, -1], abs=0.1)
    assert inside.all()
    other = np.full(2, (int(across) + DIRECTIONS // 2) % DIRECTIONS)
    assert (edges.nearest(other, u, v)[0] == FARTHEST_EDGE_PX).all()
    assert not edges.nearest(np.array([across]), np.array([[250.0]]), np.array([[5.0]]))[2].any()


@pytest.mark.parametrize("i", range(3))
def test_lines_are_what_is_in_view(i: int) -> None:
    """Each point is on the surface's front: no more than a few lie behind what is drawn there."""
    edges, true, _ = drawn(i)
    contour = draw_contour(ROBOT, true, edges)
    seen = contour.measure(edges, true)
    u, v = np.round((edges.K[:2, :2] @ seen.rays + edges.K[:2, 2:])[0]).astype(int)
    skin = SurfaceMesh.of(ROBOT)
    T = make_transform(true.R[0], true.t[0]) @ ROBOT.forward_kinematics(true.q[0])
    arm = Projected.of(skin, T, edges.K, max(edges.size))
    inverse = arm.nearest(*edges.size, 1.0)
    behind = 1 / np.maximum(inverse[v, u], 1e-3) + 0.02 < 1 / seen.inverse_depth[0]
    assert behind.mean() < 0.03
    points = np.zeros(edges.size[::-1], np.uint8)
    points[v, u] = 255
    # Nearly all of the mask's border is among them, and the creases that nothing hides.
    mask = arm.mask(*edges.size)
    border = mask > cv2.erode(mask, np.ones((3, 3), np.uint8))
    assert (cv2.dilate(points, np.ones((7, 7), np.uint8))[border] > 0).mean() > 0.9
    middle = arm.pixels[arm.creased].mean(1)
    x, y = np.round(middle).astype(int).T
    shown = inverse[y, x] <= 1.002 / arm.depth[arm.creased].mean(1)
    assert shown.sum() > 50
    near = cv2.dilate(points, np.ones((5, 5), np.uint8))[y[shown], x[shown]] > 0
    assert near.mean() > 0.9


@pytest.mark.parametrize("i", range(3))
def test_points_lie_on_the_edges_of_the_meshes(i: int) -> None:
    """In space and not in the picture alone: what is halfway along an edge there is nearer to its
    near end."""
    edges, true, _ = drawn(i)
    contour = draw_contour(ROBOT, true, edges)
    skin = SurfaceMesh.of(ROBOT)
    T = make_transform(true.R[0], true.t[0]) @ ROBOT.forward_kinematics(true.q[0])
    arm = Projected.of(skin, T, edges.K, max(edges.size))
    ends = np.concatenate([arm.turning[0], arm.creased])
    pixels = project(
        transform_points(T[contour.links[0]], contour.positions[0][:, None])[:, 0], edges.K
    )
    a, b = arm.pixels[ends].swapaxes(0, 1)
    for link in range(len(ROBOT.link_names)):
        own = skin.links[ends[:, 0]] == link
        for pixel in pixels[contour.links[0] == link][::5]:
            along = b[own] - a[own]
            share = ((pixel - a[own]) * along).sum(-1) / np.maximum((along**2).sum(-1), 1e-9)
            nearest = a[own] + np.clip(share, 0, 1)[:, None] * along
            off = np.linalg.norm(nearest - pixel, axis=1)
            length = np.linalg.norm(along, axis=1)[off < 1e-6]
            count = np.clip(length // SPACING_PX + 1, 1, None)
            steps = share[off < 1e-6] * count
            # Evenly spread in the picture: at the middles of equal pieces.
            assert (np.abs(steps % 1 - 0.5) < 1e-3).any()


def test_an_arm_out_of_view_has_no_outline() -> None:
    edges, true, _ = drawn(0)
    away = States(true.q, true.R, true.t + [5.0, 0, 0])
    assert not draw_contour(ROBOT, away, edges).in_view.any()


def test_the_jacobian_is_the_derivative_of_the_distances() -> None:
    edges, true, _ = drawn(1)
    contour = draw_contour(ROBOT, true, edges)
    rng = np.random.default_rng(0)
    start = true.moved(rng.normal(0, 0.01, (1, JOINTS + 7)))
    frames = link_frames(ROBOT.chain, start.q, np)
    seen = contour.measure(edges, start, frames)
    J = contour.jacobian(edges, start, seen, frames)
    assert J.shape == (1, JOINTS + 7, contour.links.shape[1])
    for i in range(JOINTS + 7):
        h = 1e-6 * np.eye(JOINTS + 7)[[i]]
        one, other = (contour.measure(edges, start.moved(d)) for d in (h, -h))
        slope = (one.distance - other.distance)[0] / 2e-6
        # Between two pixels the distance bends: where a point crosses there, slopes differ.
        close = np.isclose(slope, J[0, i], rtol=1e-3, atol=1e-3)
        assert close[seen.inside[0]].mean() > 0.98, i


def test_many_arms_at_once_are_what_each_is_alone() -> None:
    edges, true, measured = drawn(2)
    rng = np.random.default_rng(1)
    q = ROBOT.clip(true.q + rng.normal(0, 0.05, (3, JOINTS)))
    states = States(q, true.R.repeat(3, 0), true.t.repeat(3, 0))
    free = np.ones((3, JOINTS + 7), dtype=bool)
    together = draw_contour(ROBOT, states, edges)
    found = align(together, edges, measured, 1.0, states, free, (8.0,))
    values = together.edge_alignment(edges, found)
    for i in range(3):
        one = States(states.q[[i]], states.R[[i]], states.t[[i]])
        contour = draw_contour(ROBOT, one, edges)
        assert contour.known.all()
        np.testing.assert_array_equal(
            contour.positions[0], together[[i]].positions[together.known[[i]]]
        )
        alone = align(contour, edges, measured, 1.0, one, free[:1], (8.0,))
        # All go on until the last has settled.
        np.testing.assert_allclose(found.q[i], alone.q[0], atol=0.01)
        assert values[i] == pytest.approx(contour.edge_alignment(edges, alone)[0], abs=0.02)
    assert isinstance(together.joined(together), Contour)
    assert len(together.joined(together).links) == 6
