"""Answers moved onto edges: in drawings whose pose and camera are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from armsight.fit.edges import EdgeMap
from armsight.fit.gauss_newton import Prior, States
from armsight.fit.measurements import Measurements, check_measurements
from armsight.fit.refine_contour import follow, refine, with_one_joint_elsewhere
from armsight.fit.solution import Solution
from armsight.fit.solve import solve
from armsight.fit.uncertainty import Calibration
from armsight.geometry import project, transform_points
from armsight.robots import load_robot
from armsight.vlm.drawing import Camera, default_camera, shaded
from tests.labelled_folders import poses

ROBOT = load_robot("panda")
NOISE = 5.0


def seen(i: int) -> tuple[NDArray[np.uint8], NDArray[np.floating], Camera, Measurements, Solution]:
    """A drawing, its truth, keypoints that are off by NOISE px, and the answer that they give."""
    q = poses(ROBOT, 6)[i]
    rng = np.random.default_rng(i)
    camera = default_camera(ROBOT, q, rng.uniform(-90, 90), rng.uniform(10, 40))
    true = project(transform_points(camera.T_cam_base, ROBOT.keypoints(q)), camera.K)
    noisy = true + rng.normal(0, NOISE, true.shape)
    std = np.full(len(true), NOISE)
    guesses = ROBOT.clip(q + rng.normal(0, 0.15, (4, len(q))))
    answer = solve(ROBOT, camera.K, noisy, std, guesses)
    return (
        shaded(ROBOT, q, camera), q, camera, check_measurements(ROBOT, camera.K, noisy, std), answer
    )  # fmt: skip


def add(q: NDArray[np.floating], camera: Camera, answer: Solution) -> float:
    """[m] mean distance of the keypoints."""
    assert answer.T_cam_base is not None
    ours = transform_points(answer.T_cam_base, ROBOT.keypoints(answer.joint_positions))
    true = transform_points(camera.T_cam_base, ROBOT.keypoints(q))
    return float(np.linalg.norm(ours - true, axis=1).mean())


def test_edges_halve_the_error_of_noisy_keypoints_and_say_that_they_fit() -> None:
    before, after, within = [], [], []
    for i in range(4):
        pixels, q, camera, measured, answer = seen(i)
        edges = EdgeMap(pixels, camera.K)
        moved = refine(measured, edges, answer, Calibration())
        before.append(add(q, camera, answer))
        after.append(add(q, camera, moved))
        within.append(np.abs(moved.joint_positions - q) < 3 * moved.joint_std)
        assert moved.outline > 0.5
        assert moved.modes is not None
        np.testing.assert_array_equal(moved.modes.q[0], moved.joint_positions)
        assert (np.diff(moved.mode_costs) >= 0).all()
        low, high = ROBOT.joint_limits.T
        assert ((moved.joint_positions >= low) & (moved.joint_positions <= high)).all()
    assert np.mean(after) < 0.5 * np.mean(before)
    assert np.mean(within) > 0.7  # not calibrated


def test_a_part_of_the_picture_gives_the_same_answer_as_the_whole() -> None:
    pixels, q, camera, measured, answer = seen(1)
    points = measured.keypoints_2d
    low, high = points.min(0) - 40.25, points.max(0) + 40.25
    box = (low[0], low[1], high[0], high[1])
    whole, part = (
        refine(measured, EdgeMap(pixels, camera.K, box=some), answer, Calibration())
        for some in (None, box)
    )
    assert add(q, camera, part) < 0.8 * add(q, camera, answer)
    ours, theirs = (
        transform_points(one.T_cam_base, ROBOT.keypoints(one.joint_positions))
        for one in (part, whole)
        if one.T_cam_base is not None
    )
    assert np.linalg.norm(ours - theirs, axis=1).mean() < 0.01


def test_what_the_picture_cannot_tell_becomes_what_is_believed() -> None:
    """Turned with its camera about its own axis, an arm without its base in view looks the same."""
    pixels, q, camera, measured, _ = seen(0)
    shoulder = transform_points(camera.T_cam_base, np.array([[0.0, 0.0, 0.2]]))
    cut = EdgeMap(pixels[: int(project(shoulder, camera.K)[0, 1])], camera.K)
    kept = measured.links > 0
    above = replace(
        measured,
        keypoints=measured.keypoints[kept],
        keypoints_2d=measured.keypoints_2d[kept],
        std=measured.std[kept],
    )
    T = camera.T_cam_base[None]
    start = States(q[None], T[:, :3, :3], T[:, :3, 3])
    belief = Prior(q[None] + [[0.3, 0, 0, 0, 0, 0, 0]], np.full((1, len(q)), 0.05))
    stays, turns = (follow(above, cut, 1.0, start, prior) for prior in (None, belief))
    assert stays.states.q[0, 0] == pytest.approx(q[0], abs=0.1)
    assert turns.states.q[0, 0] == pytest.approx(q[0] + 0.3, abs=0.05)
    assert turns.edge_alignment[0] > stays.edge_alignment[0] - 0.05


@pytest.mark.parametrize("shade", [0, 255])
def test_a_picture_without_edges_changes_nothing(shade: int) -> None:
    pixels, _, camera, measured, answer = seen(0)
    flat = np.full_like(pixels, shade)
    assert refine(measured, EdgeMap(flat, camera.K), answer, Calibration()) is answer


def test_where_nothing_of_the_outline_is_in_view_nothing_changes() -> None:
    pixels, _, camera, measured, answer = seen(0)
    corner = EdgeMap(pixels, camera.K, box=(0.0, 0.0, 20.0, 20.0))
    assert refine(measured, corner, answer, Calibration()) is answer


def test_without_a_camera_there_is_nothing_to_move() -> None:
    pixels, q, camera, measured, _ = seen(0)
    nothing = np.full(len(ROBOT.keypoint_names), np.inf)
    answer = solve(ROBOT, camera.K, np.zeros((len(nothing), 2)), nothing, q[None])
    assert refine(measured, EdgeMap(pixels, camera.K), answer, Calibration()) is answer


@pytest.mark.parametrize("cost", [5.0, 50.0])
def test_edges_choose_among_answers_that_keypoints_allow(cost: float) -> None:
    """The right one costs more by the keypoints; by 50 it is looked at only in doubt."""
    pixels, q, camera, measured, answer = seen(2)
    assert answer.modes is not None
    wrong = q + [0, 0, 0.6, 0, 0.5, 0, 0]
    T = np.repeat(camera.T_cam_base[None], 2, 0)
    modes = States(ROBOT.clip(np.stack([wrong, q])), T[:, :3, :3], T[:, :3, 3])
    two = replace(
        answer, modes=modes, mode_costs=np.array([0, cost]), mode_priors=Prior.flat(2, len(q))
    )
    moved = refine(measured, EdgeMap(pixels, camera.K), two, Calibration())
    assert np.abs(moved.joint_positions - q).max() < 0.15
    assert moved.modes is not None


def test_an_answer_is_no_rival_of_itself() -> None:
    pixels, _, camera, measured, answer = seen(3)
    assert answer.modes is not None
    assert answer.mode_priors is not None
    first = answer.modes[np.zeros(3, int)]
    little = np.random.default_rng(0).normal(0, 1e-3, (3, len(answer.joint_positions) + 7))
    little[:, -1] = 0.0
    many = replace(
        answer,
        modes=first.moved(little),
        mode_costs=np.zeros(3),
        mode_priors=answer.mode_priors[np.zeros(3, int)],
    )
    edges = EdgeMap(pixels, camera.K)
    one = replace(
        many, modes=many.modes[:1], mode_costs=np.zeros(1), mode_priors=many.mode_priors[:1]
    )
    alone, among_its_like = (refine(measured, edges, some, Calibration()) for some in (one, many))
    assert alone.modes is not None
    assert len(alone.modes.q) == 1
    np.testing.assert_allclose(among_its_like.joint_std, alone.joint_std, rtol=0.3)


def test_refine_believes_the_hypotheses() -> None:
    pixels, q, camera, measured, answer = seen(1)
    assert answer.modes is not None
    edges = EdgeMap(pixels, camera.K)
    elsewhere = Prior(answer.modes.q + 0.2, np.full_like(answer.modes.q, 0.01))
    moved = refine(measured, edges, replace(answer, mode_priors=elsewhere), Calibration())
    free = Prior.flat(*answer.modes.q.shape)
    as_seen = refine(measured, edges, replace(answer, mode_priors=free), Calibration())
    assert np.abs(as_seen.joint_positions - q).mean() < np.abs(moved.joint_positions - q).mean()
    assert moved.joint_std.max() < as_seen.joint_std.max()


def test_a_joint_of_the_wrist_that_is_off_is_found_by_trying_other_angles() -> None:
    """Keypoints say nothing of the hand, and its outline was fitted 40 degrees off."""
    better = []
    for i in range(3):
        pixels, q, camera, _, _ = seen(i)
        true = project(transform_points(camera.T_cam_base, ROBOT.keypoints(q)), camera.K)
        hand = [name.startswith(("panda_hand", "panda_link7")) for name in ROBOT.keypoint_names]
        measured = check_measurements(ROBOT, camera.K, true, np.where(hand, np.inf, NOISE))
        edges = EdgeMap(pixels, camera.K)
        start = q.copy()
        start[-1] += np.radians(40) * (1 if start[-1] < 0 else -1)
        T = camera.T_cam_base[None]
        off = States(start[None], T[:, :3, :3], T[:, :3, 3])
        found = follow(measured, edges, 1.0, off, rounds=((1.0,),))
        more = with_one_joint_elsewhere(measured, edges, 1.0, found)
        before, after = (abs(one.states.q[0, -1] - q[-1]) for one in (found, more))
        assert more.explained[0] >= found.explained[0]
        better.append((before, after))
    before, after = np.degrees(better).T
    assert np.median(before) > 15
    assert after.max() < 5
