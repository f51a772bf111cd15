"""Looks differ, the robot stays where the camera says, and everything can be undone."""

from __future__ import annotations

import numpy as np

from armsight.control.appearance import SimulatedAppearance, draw_appearance
from armsight.control.simulation import Simulation


def test_same_seed_same_look() -> None:
    drawn = [draw_appearance(np.random.default_rng(5), plain=0) for _ in range(2)]
    assert drawn[0] is not None
    assert drawn[1] is not None
    assert repr(drawn[0]) == repr(drawn[1])
    looks = [draw_appearance(np.random.default_rng(i), plain=0.2) for i in range(200)]
    assert 20 < sum(look is None for look in looks) < 65


def test_camera_jitter_is_small() -> None:
    for i in range(50):
        look = draw_appearance(np.random.default_rng(i), plain=0)
        assert look is not None
        T = look.T_jittered_cam
        np.testing.assert_allclose(T[:3, :3] @ T[:3, :3].T, np.eye(3), atol=1e-9)
        assert np.abs(T[:3, 3]).max() <= 0.01
        assert np.degrees(np.arccos((np.trace(T[:3, :3]) - 1) / 2)) < 2.2


def test_looks_change_pictures_and_can_be_undone(drawing: Simulation) -> None:
    plain, state = drawing.render(), drawing.state
    light = SimulatedAppearance(even=True, wash=0.5, ambient=0.1)
    drawing.set_appearance(light)
    lighter = drawing.render()
    assert lighter.mean() > plain.mean() + 10
    drawing.set_appearance(draw_appearance(np.random.default_rng(1), plain=0))
    assert np.abs(drawing.render().astype(int) - lighter).mean() > 5
    drawing.set_appearance(light)
    np.testing.assert_array_equal(drawing.render(), lighter)
    drawing.set_appearance(None)
    np.testing.assert_array_equal(drawing.render(), plain)
    np.testing.assert_array_equal(drawing.state, state)


def test_recorded_camera_is_the_one_that_was_drawn_with(drawing: Simulation) -> None:
    """A camera that is moved 3 px to the side gives the picture moved by 3 px."""
    plain, K = drawing.render(), drawing.K
    turn = 3 / K[0, 0]
    T = np.eye(4)
    T[:3, :3] = [[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]]
    T_before = drawing.T_cam_base
    drawing.set_appearance(SimulatedAppearance(T_jittered_cam=T))
    np.testing.assert_allclose(drawing.T_cam_base, T @ T_before)
    moved = drawing.render().astype(int)[30:60, 10:90]
    drawing.set_appearance(None)
    errors = {
        shift: np.abs(moved - plain.astype(int)[30:60, 10 - shift : 90 - shift]).mean()
        for shift in (-3, 0, 3)
    }
    assert min(errors, key=lambda shift: errors[shift]) == 3
