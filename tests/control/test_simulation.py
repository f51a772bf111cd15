"""The simulation is LIBERO's own to the last bit, and its geometry is armsight's."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from armsight.control.simulation import NULL_ACTION, Simulation
from armsight.control.suite import SETTLE_STEPS, load_initial_states, load_libero
from armsight.errors import ControlError, UnknownTaskError
from armsight.geometry import project, transform_points
from armsight.robots import load_robot
from tests.control.conftest import wiggle


def test_replay_is_exact_and_liberos_own(sim: Simulation) -> None:
    """Also after the gripper was left half closed, and with pictures drawn on the way or not."""
    actions = wiggle(24)
    states = []
    for action in actions:
        sim.step(action)
        states.append(sim.state)
    for step in (sim.step, sim.step_as_libero):
        sim.reset(3)
        for action, state in zip(actions, states, strict=True):
            step(action)
            assert sim.T_base_ee.shape == (4, 4)
            np.testing.assert_array_equal(sim.state, state)


def test_a_fresh_environment_of_liberos_gives_the_same_bits(sim: Simulation) -> None:
    """Full reset, observations and all, as others evaluate with it."""
    wrapper = load_libero("libero.libero.envs.env_wrapper").ControlEnv(
        str(sim.task.bddl_file), use_camera_obs=False, has_offscreen_renderer=False
    )
    wrapper.reset()
    wrapper.set_init_state(load_initial_states(sim.task)[3])
    for _ in range(SETTLE_STEPS):
        wrapper.step(NULL_ACTION)
    for action in wiggle(12):
        wrapper.step(action)
        sim.step(action)
    np.testing.assert_array_equal(sim.state, wrapper.get_sim_state())
    wrapper.close()


def test_initial_states_differ(sim: Simulation) -> None:
    before = sim.state
    sim.reset(4)
    assert np.abs(sim.state - before).max() > 1e-3
    assert sim.initial_state == 4
    assert not sim.success


def test_drawing_changes_nothing(drawing: Simulation) -> None:
    states = []
    for draws in (False, True):
        drawing.reset(3)
        for action in wiggle(6):
            drawing.step(action)
            if draws:
                drawing.render()
        states.append(drawing.state)
    np.testing.assert_array_equal(*states)


def test_hand_is_where_armsights_kinematics_has_it(sim: Simulation) -> None:
    for action in wiggle(10):
        sim.step(action)
    robot = load_robot("panda")
    links = robot.forward_kinematics(sim.joint_positions)
    hand = links[robot.link_names.index("panda_hand")]
    # robosuite's grip site: 97 mm along the hand's axis, between the fingers.
    np.testing.assert_allclose(sim.T_base_ee[:3, 3], (hand @ [0, 0, 0.097, 1])[:3], atol=2e-3)
    np.testing.assert_allclose(sim.T_base_ee[:3, 2], hand[:3, 2], atol=2e-3)


def test_what_moves_is_seen_where_the_camera_says(drawing: Simulation) -> None:
    """Upright and not mirrored: the pixels that change lie around the projected hand."""
    sim, robot = drawing, load_robot("panda")
    pictures, pixels = [], []
    for _ in range(2):
        for _ in range(10):
            sim.step(np.array([0, 0.8, -0.3, 0, 0, 0, -1]))
        pictures.append(sim.render().astype(int))
        points = transform_points(sim.T_cam_base, robot.keypoints(sim.joint_positions))
        pixels.append(project(points, sim.K))
    changed = np.argwhere(np.abs(pictures[1] - pictures[0]).max(2) > 60)[:, ::-1]
    assert len(changed) > 20
    for turn, near in (([1, 1], True), ([-1, 1], False), ([1, -1], False), ([-1, -1], False)):
        turned = (changed - 47.5) * turn + 47.5
        away = np.linalg.norm(turned[:, None] - np.concatenate(pixels), axis=-1).min(1).mean()
        assert (away < 5) == near, (turn, away)


def test_layers_give_the_picture_of_a_single_pass(drawing: Simulation) -> None:
    sim = drawing
    sim.render()
    for action in wiggle(9):
        sim.step(action)
    layered = sim.render()
    painter = sim._painter
    assert painter is not None
    everything = np.ones(sim.model.ngeom, bool)
    pixels, _ = painter._draw(sim.seen, sim.K, sim.T_cam_world, everything)
    whole = cv2.resize(pixels[::-1].copy(), (96, 96), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(layered, whole)


def test_earlier_positions_can_be_drawn_later(drawing: Simulation) -> None:
    positions, picture = drawing.data.qpos.copy(), drawing.render()
    for action in wiggle(8):
        drawing.step(action)
    assert np.abs(drawing.render().astype(int) - picture).max() > 60
    np.testing.assert_array_equal(drawing.render(positions), picture)


@pytest.mark.parametrize("action", [np.zeros(6), np.full(7, np.nan), np.zeros((1, 7))])
def test_bad_actions(sim: Simulation, action: np.ndarray) -> None:
    with pytest.raises(ControlError, match="7 finite numbers"):
        sim.step(action)


def test_bad_initial_state(sim: Simulation) -> None:
    with pytest.raises(UnknownTaskError, match="0 to 49"):
        sim.reset(50)
